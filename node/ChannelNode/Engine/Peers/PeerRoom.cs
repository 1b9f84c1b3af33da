using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// How much more a peer takes of this node, in each token that it limits: what it told, less what was under way then, less what
/// was signed since. Acknowledgements change nothing of that, since what they acknowledge was under way. So nothing is signed
/// that the peer would refuse, unless it lowers a limit meanwhile. Of one session; the ledger's writer owns it.
/// </summary>
internal sealed class PeerRoom
{
    private sealed class UnderWay
    {
        public Int128 Sum;
        public long Count;
    }

    private readonly Dictionary<Address, UnderWay> _underWay = [];
    private readonly Dictionary<Address, TokenTold> _left = [];

    /// <param name="channels">At least those with payments under way as of the last commit.</param>
    public PeerRoom(IEnumerable<ChannelSlot> channels)
    {
        foreach (ChannelSlot slot in channels)
        {
            UnderWay all = Of(slot);
            all.Sum += Above(slot.State);
            all.Count += slot.InFlight.Count - slot.New.Count;
        }
    }

    /// <summary>The peer has told, having said before what it acknowledges.</summary>
    /// <param name="touched">Channels with the peer that the turn in progress has changed.</param>
    public void Take(PeerTold told, IEnumerable<ChannelSlot> touched)
    {
        Dictionary<Address, UnderWay> now = [];
        foreach ((Address token, UnderWay all) in _underWay) now[token] = new UnderWay { Sum = all.Sum, Count = all.Count };
        foreach (ChannelSlot slot in touched)
        {
            if (!now.TryGetValue(slot.Channel.Terms.Token, out UnderWay? all)) now[slot.Channel.Terms.Token] = all = new UnderWay();
            all.Sum += Above(slot.Working) - Above(slot.State);
            all.Count += slot.New.Count - slot.InFlight.CountUpTo(slot.Working.Acknowledged);
        }

        _left.Clear();
        foreach ((Address token, TokenTold limits) in told.Tokens)
        {
            UnderWay all = now.GetValueOrDefault(token, new UnderWay());
            _left[token] = limits with { Sum = Less(limits.Sum, all.Sum), Count = Less(limits.Count, all.Count) };
        }
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

    /// <summary>A payment is signed.</summary>
    public void Use(ChannelSlot slot, UInt128 amount)
    {
        if (_left.TryGetValue(slot.Channel.Terms.Token, out TokenTold left))
            _left[slot.Channel.Terms.Token] = left with { Sum = Less(left.Sum, (Int128)amount), Count = Less(left.Count, 1) };
    }

    /// <summary>The turn is on disk, and the slot's state not published yet.</summary>
    public void Commit(ChannelSlot slot) => Of(slot).Sum += Above(slot.Working) - Above(slot.State);

    /// <summary>So many payments were signed in that turn, and so many were acknowledged.</summary>
    public void Commit(ChannelSlot slot, int signed, int paid) => Of(slot).Count += signed - paid;

    private UnderWay Of(ChannelSlot slot)
    {
        if (!_underWay.TryGetValue(slot.Channel.Terms.Token, out UnderWay? all)) _underWay[slot.Channel.Terms.Token] = all = new UnderWay();
        return all;
    }

    private static Int128 Above(in ChannelState state) => (Int128)state.Sent - (Int128)state.Acknowledged;

    private static PolicyRoom Less(in PolicyRoom room, Int128 underWay) => room.Rule == PolicyRule.None || underWay <= 0
        ? room
        : room with { Left = Amounts.Excess(room.Left, (UInt128)underWay) };
}
