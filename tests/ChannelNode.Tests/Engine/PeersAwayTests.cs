using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class PeersAwayTests
{
    private readonly PeersAway _away = new();
    private readonly ChannelSlot _slot = new(Sample.Channel(), default, new PeerLinks());
    private readonly Waiter _waiter = new();

    /// <summary>What waits here does not look at it.</summary>
    private const LedgerTurn NoTurn = null!;

    private Address Peer => _slot.Channel.Theirs.Signer;

    [Fact]
    public void PeerThatWasNotHeardToGo_IsNotWaitedFor()
    {
        Assert.False(_away.IsAway(Peer));
        Assert.False(_away.TryHold(_slot));
    }

    [Fact]
    public void EndOfItsTime_RefusesWhatWaits()
    {
        long round = _away.Begin(Peer);
        Hold();

        _away.End(Peer, round, NoTurn);

        Assert.Equal(Refusal.PeerOffline, _waiter.Refused);
        Assert.False(_away.IsAway(Peer));
    }

    [Fact]
    public void EndOfAnEarlierTime_LeavesAPeerThatWentOnceMoreExpected()
    {
        long first = _away.Begin(Peer);
        long second = _away.Begin(Peer);
        Hold();

        _away.End(Peer, first, NoTurn);
        Assert.Equal((Refusal.None, true), (_waiter.Refused, _away.IsAway(Peer)));

        _away.End(Peer, second, NoTurn);
        Assert.Equal((Refusal.PeerOffline, false), (_waiter.Refused, _away.IsAway(Peer)));
    }

    [Fact]
    public void OwnEnd_RefusesWhatWaitsByThatName()
    {
        _away.Begin(Peer);
        Hold();

        _away.EndAll(Refusal.Draining, NoTurn);

        Assert.Equal(Refusal.Draining, _waiter.Refused);
    }

    private void Hold()
    {
        _slot.Waiting.Add(_waiter);
        Assert.True(_away.TryHold(_slot));
    }

    private sealed class Waiter : EstablishedCommand
    {
        public Refusal Refused { get; private set; }

        internal override void Apply(LedgerTurn turn) => throw new InvalidOperationException("nothing is applied here");

        internal override void Refuse(Refusal refusal, LedgerTurn turn) => Refused = refusal;

        internal override void Abandon(Exception error) { }
    }
}
