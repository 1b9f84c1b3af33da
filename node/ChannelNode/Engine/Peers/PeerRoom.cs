using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// How much more a peer takes of this node, in each token that it limits: what it told, less what was under way then, less what
/// was signed since. Acknowledgements change nothing of that, since what they acknowledge was under way. So nothing is signed
/// that the peer would refuse, unless it lowers a limit meanwhile. Of one session; the ledger's writer owns it.
/// </summary>
internal sealed class PeerRoom
{
    private readonly record struct UnderWay(UInt128 Sum, long Count);

    private readonly Dictionary<ChannelSlot, UnderWay> _underWay = [];
    private readonly Dictionary<Address, UnderWay> _inToken = [];
    private readonly Dictionary<Address, TokenTold> _left = [];

    /// <param name="channels">At least those with payments under way.</param>
    public PeerRoom(IEnumerable<ChannelSlot> channels)
    {
        foreach (ChannelSlot slot in channels) Put(slot, Of(slot, slot.InFlight.Count));
    }

    /// <summary>The peer has told, having said before what it acknowledges. Answers how much was to be looked at.</summary>
    /// <param name="touched">Channels with the peer that the turn in progress has changed.</param>
    public int Take(PeerTold told, IEnumerable<ChannelSlot> touched)
    {
        int looked = told.Tokens.Count;
        foreach (ChannelSlot slot in touched)
        {
            int acknowledged = slot.InFlight.CountUpTo(slot.Working.Acknowledged);
            looked += 1 + acknowledged;
            Put(slot, Of(slot, slot.InFlight.Count - acknowledged));
        }

        Told = told;
        _left.Clear();
        foreach ((Address token, TokenTold limits) in told.Tokens) _left[token] = Less(limits, _inToken.GetValueOrDefault(token));
        return looked;
    }

    /// <summary>Why the peer would refuse one more payment; null when it would not.</summary>
    public PolicyNo? Refuse(Address peer, Address token, UInt128 amount)
    {
        if (!_left.TryGetValue(token, out TokenTold left)) return null;
        PolicyRoom tight = amount > left.Sum.Left ? left.Sum : left.Count;
        UInt128 asked = amount > left.Sum.Left ? amount : UInt128.One;
        return asked <= tight.Left
            ? null
            : PeerTold.Of(peer, token, new PolicyDecision(tight.Rule, tight.Limit - tight.Left + asked, tight.Limit));
    }

    /// <summary>The newest that was taken.</summary>
    public PeerTold Told { get; private set; } = PeerTold.Nothing;

    /// <summary>What of the peer's limits is left in a token; null where it told none.</summary>
    public TokenTold? Left(Address token) => _left.TryGetValue(token, out TokenTold left) ? left : null;

    /// <summary>A payment is signed.</summary>
    public void Use(ChannelSlot slot, UInt128 amount) => TakeOff(slot, new UnderWay(amount, 1));

    /// <summary>
    /// The turn is on disk, and what it acknowledges is answered. What is under way again without being signed in it, as when a
    /// deposit opens a channel anew or the peer has lost what it acknowledged, takes of the room too.
    /// </summary>
    /// <returns>Whether anything has changed.</returns>
    public bool Commit(ChannelSlot slot)
    {
        UnderWay was = _underWay.GetValueOrDefault(slot), now = Of(slot, slot.InFlight.Count);
        if (was == now) return false;
        Put(slot, now);
        UnderWay again = new(
            Amounts.Excess(now.Sum, was.Sum + slot.New.Sum), Math.Max(0, now.Count - was.Count - slot.New.Count));
        if (again != default) TakeOff(slot, again);
        return true;
    }

    private void TakeOff(ChannelSlot slot, in UnderWay more)
    {
        Address token = slot.Channel.Terms.Token;
        if (_left.TryGetValue(token, out TokenTold left)) _left[token] = Less(left, more);
    }

    private void Put(ChannelSlot slot, in UnderWay now)
    {
        Address token = slot.Channel.Terms.Token;
        UnderWay was = _underWay.GetValueOrDefault(slot), all = _inToken.GetValueOrDefault(token);
        _inToken[token] = new UnderWay(all.Sum - was.Sum + now.Sum, all.Count - was.Count + now.Count);
        if (now == default) _underWay.Remove(slot);
        else _underWay[slot] = now;
    }

    /// <summary>
    /// What the peer may still take of the channel. Nothing of one that is paid out; nor of one that its rules go on refusing: what would
    /// pass elsewhere must not wait for that.
    /// </summary>
    private static UnderWay Of(ChannelSlot slot, int count) =>
        slot.Working.Status == ChannelStatus.Closed || slot is { IsStuckTold: true, PeerRefusal: Refusal.PolicyRefused }
        ? default
        : new UnderWay(Amounts.Excess(slot.Working.Sent, slot.PeerHas), count);

    private static TokenTold Less(in TokenTold limits, in UnderWay underWay) => limits with
    {
        Sum = Less(limits.Sum, underWay.Sum),
        Count = Less(limits.Count, (UInt128)underWay.Count),
    };

    private static PolicyRoom Less(in PolicyRoom room, UInt128 underWay) =>
        room.Rule == PolicyRule.None ? room : room with { Left = Amounts.Excess(room.Left, underWay) };
}
