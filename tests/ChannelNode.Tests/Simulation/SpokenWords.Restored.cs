using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// What still binds a node that has lost its disk and is back from an older copy: all that its peer has of it, and of its own what the
/// copy knows. What it had acknowledged besides binds it again once it was offered again.
/// </summary>
internal sealed partial class SpokenWords
{
    private readonly Dictionary<ChannelId, UInt128> _signedByLost = [];
    private readonly Dictionary<ChannelId, UInt128> _lost = [], _onceLost = [];
    private readonly Dictionary<ChannelId, UInt128> _peerHas = [];
    private readonly HashSet<ChannelId> _untold = [];
    private Func<bool> _mayPeerLie = () => false;
    private bool _isRestored;

    /// <summary>The peer may have said that it has less than it has: what is signed anew in the place of that, it has given up.</summary>
    private bool MayPeerHaveLied => _isRestored && _mayPeerLie();

    /// <summary>What it had acknowledged before its disk was lost, where that was more than the copy knew; however it stands now.</summary>
    public UInt128 OnceLostOf(ChannelId channel) => _onceLost.GetValueOrDefault(channel);

    /// <summary>What it had acknowledged before its disk was lost; zero where it must know all that it ever acknowledged.</summary>
    public UInt128 LostOf(ChannelId channel) => _lost.GetValueOrDefault(channel);

    /// <summary>Channels in which it had acknowledged more than it must know.</summary>
    public IReadOnlyCollection<ChannelId> Lost => _lost.Keys;

    /// <summary>The disk is lost; the copy that takes its place is marked as restored.</summary>
    /// <param name="peerHas">What the peer has accepted in a channel, and will have.</param>
    /// <param name="mayPeerLie">Whether the peer has said anything that no node says.</param>
    public void Restore(SimulatedStore copy, IEnumerable<Channel> channels, Func<ChannelId, UInt128> peerHas, Func<bool> mayPeerLie)
    {
        Subscribe(copy); // Up to the copy's newest both journals are the same.
        (_isRestored, _mayPeerLie, _cursor) = (true, mayPeerLie, copy.ReadReceivedCursor());
        foreach (ChannelId id in channels.Select(channel => channel.Id))
        {
            ChannelState known = copy.FindChannel(id)?.State ?? default;
            _untold.Add(id);
            _peerHas[id] = peerHas(id);
            UInt128 acknowledged = AcknowledgedOf(id);
            if (acknowledged > known.TheirSent) (_lost[id], _onceLost[id], _acknowledged[id]) = (acknowledged, acknowledged, known.TheirSent);
            _deliveredTotals[id] = UInt128.Min(_deliveredTotals.GetValueOrDefault(id), known.TheirTotal);
            if (!_signed.TryGetValue(id, out BalanceUpdate said)) continue;
            _signedByLost[id] = SignedOf(id);
            _signed[id] = new BalanceUpdate(id, UInt128.Min(said.Sent, known.Sent), UInt128.Min(said.Received, known.TheirTotal));
        }

        foreach ((ChannelId Channel, UInt128 Total) place in _payments.Keys.ToArray())
        {
            UInt128 known = copy.FindChannel(place.Channel)?.State.Sent ?? UInt128.Zero;
            if (place.Total > UInt128.Max(known, _peerHas.GetValueOrDefault(place.Channel))) _payments.Remove(place);
        }
    }

    /// <summary>Restored, and of some channels its peer has not told yet where they stand.</summary>
    public bool WaitsToBeTold => _untold.Count > 0;

    /// <summary>The peer's word of where the channel stands has arrived.</summary>
    public void IsTold(ChannelId channel) => _untold.Remove(channel);

    /// <summary>Nothing is signed before the peer has told where the channel stands, and never less than it has.</summary>
    private void CheckRestored(in BalanceUpdate balance)
    {
        if (!_isRestored) return;
        Assert.False(_untold.Contains(balance.Channel), $"restored, it signs {balance} before its peer has told where the channel stands");
        UInt128 has = _peerHas.GetValueOrDefault(balance.Channel);
        Assert.True(balance.Sent >= has || MayPeerHaveLied, $"restored, it signs {balance}, and the peer has {has}");
    }

    /// <summary>What it had lost and can prove again binds it as if it had never been lost. True when that is so now.</summary>
    public bool Regain(ChannelId channel, in ChannelState state)
    {
        if (!_lost.TryGetValue(channel, out UInt128 lost) || !state.HasTheirUpdate || state.TheirSent < lost) return false;
        _acknowledged[channel] = UInt128.Max(AcknowledgedOf(channel), lost);
        return _lost.Remove(channel);
    }

    /// <summary>Under another cursor: channel and total name a payment for ever, and by them it is credited once.</summary>
    private bool IsToldAgain(string item, ChannelId channel, UInt128 total) => _isRestored && _delivered[item] == (channel, total);
}
