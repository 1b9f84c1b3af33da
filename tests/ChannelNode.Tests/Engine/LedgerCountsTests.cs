using System.Collections.Concurrent;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class LedgerCountsTests
{
    [Fact]
    public async Task UpdatesOfARun_AreOneAcceptedAndTheOthersCoalesced_AndRefusedOnesHaveTheirReason()
    {
        await using LedgerRig rig = new();
        ConcurrentQueue<CommitFigures> commits = [];
        rig.Ledger.Watcher = (in CommitFigures commit) => commits.Enqueue(commit);

        await rig.AnswerAsync(Frames.Of(Frames.Update(Side.B, 10, 0), Frames.Update(Side.B, 20, 0), Frames.Update(Side.B, 30, 0)));
        await rig.AnswerAsync(Frames.Of(Frames.Update(Side.B, 9_999, 0)));
        await rig.SaidAsync(); // The turn before is over: whoever watches commits was told.

        LedgerCounts counts = rig.Ledger.Counts;
        Assert.Equal((1, 2), (counts.UpdatesAccepted, counts.UpdatesCoalesced));
        Assert.Equal(3, counts.PaymentsReceived);
        Assert.Equal([(Refusal.InsufficientBalance, 1L)], counts.UpdatesRefused.List());
        Assert.Equal([(Sample.PartyB.Signer, 1L)], counts.RefusedByPeer.List().Select(it => (it.Peer!.Value, it.Count)));
        Assert.Equal(counts.Commits, commits.Count);
        Assert.Equal(counts.SyncedCommits, commits.Count(commit => commit.Sync > TimeSpan.Zero));
        Assert.Equal(counts.SyncedCommits, counts.Syncs.List().Sum(it => it.Count));
    }

    [Fact]
    public async Task Payments_AreSignedThenPaid_OrRefusedWithAReason()
    {
        await using LedgerRig rig = new();
        ConcurrentQueue<CommitFigures> commits = [];
        rig.Ledger.Watcher = (in CommitFigures commit) => commits.Enqueue(commit);
        foreach (int amount in (int[])[7, 8, 5_000])
            await rig.Ledger.EnqueueAsync(new NotedPayment(rig.Slot, (UInt128)amount, "", _ => { }), CancellationToken.None);
        await rig.SaidAsync();

        LedgerCounts counts = rig.Ledger.Counts;
        Assert.Equal((2, 0, 2), (counts.PaymentsSigned, counts.PaymentsPaid, counts.PaymentsUnderWay));
        Assert.Equal([(Refusal.InsufficientBalance, 1L)], counts.PaymentsRefused.List());
        Assert.All(commits, commit => Assert.Equal(TimeSpan.Zero, commit.SlowestAcknowledgement));

        await rig.AnswerAsync(Frames.Acknowledged(15));
        await rig.SaidAsync(); // The turn before is over: whoever watches commits was told.

        Assert.Equal((2, 2, 0), (counts.PaymentsSigned, counts.PaymentsPaid, counts.PaymentsUnderWay));
        Assert.Equal(counts.UpdatesTold, counts.UpdatesAcknowledged);
        Assert.Equal(1, counts.Acknowledgements.List().Sum(it => it.Count));
        Assert.Contains(commits, commit => commit.SlowestAcknowledgement > TimeSpan.Zero);
    }

    /// <summary>Signed stays signed: a deposit opens the channel again, and then the peer may still take it.</summary>
    [Fact]
    public async Task PaymentsThatThePeerHasNotTaken_AreNotUnderWayWhileTheChannelIsPaidOut()
    {
        await using LedgerRig rig = new();
        foreach (int amount in (int[])[7, 8, 9])
            await rig.Ledger.EnqueueAsync(new NotedPayment(rig.Slot, (UInt128)amount, "", _ => { }), CancellationToken.None);
        await rig.SaidAsync();
        await rig.AnswerAsync(Frames.Acknowledged(7));
        LedgerCounts counts = rig.Ledger.Counts;
        Assert.Equal((3, 1, 2), (counts.PaymentsSigned, counts.PaymentsPaid, counts.PaymentsUnderWay));

        await SeeAsync(rig, new ChainEvent.Settled(Sample.Id, new Pots(993, 7, 1_007, 0, 0)));
        Assert.True(rig.Slot.State.IsClosed);
        Assert.Equal((3, 1, 0), (counts.PaymentsSigned, counts.PaymentsPaid, counts.PaymentsUnderWay));
        Assert.Equal(((UInt128)24, (UInt128)7), (rig.Slot.State.Sent, rig.Slot.State.Acknowledged));

        await SeeAsync(rig, new ChainEvent.Deposited(Sample.Id, Side.A, 100));
        Assert.Equal(2, counts.PaymentsUnderWay);
        await rig.AnswerAsync(Frames.Acknowledged(24));
        Assert.Equal((3, 3, 0), (counts.PaymentsSigned, counts.PaymentsPaid, counts.PaymentsUnderWay));

        static async Task SeeAsync(LedgerRig rig, ChainEvent what)
        {
            await rig.Ledger.RunAsync(
                turn =>
                {
                    rig.Slot.Working = Lifecycle.Observe(rig.Slot.Channel, rig.Slot.Working, what);
                    turn.Touch(rig.Slot, durable: true);
                    return true;
                },
                CancellationToken.None);
        }
    }

    [Fact]
    public async Task PaymentsFromBeforeTheStart_AreUnderWay_ButThoseOfAChannelThatIsPaidOut()
    {
        using StoreFolder folder = new();
        using RocksChannelStore store = folder.Open();
        store.Write(batch =>
        {
            for (byte channel = 1; channel <= 2; channel++)
            {
                Pots pots = channel == 1 ? new Pots(1_000, 0, 0, 0, 0) : new Pots(0, 7, 0, 0, 0);
                batch.PutChannel(StoreFolder.ChannelOf(channel));
                batch.PutState(
                    StoreFolder.IdOf(channel), new ChannelState { OnChain = pots, EverFunded = true, Sent = 21, Acknowledged = 7 });
                batch.PutPending(StoreFolder.IdOf(channel), Pending.Acknowledgement);
                batch.PutSent([.. Enumerable.Range(1, 3).Select(place => StoreFolder.Outgoing(channel, (UInt128)(7 * place)))]);
            }
        });
        ChannelBook book = new(store, new PeerLinks(), 1_024);
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        ChainView view = new(null, TimeProvider.System, TimeSpan.FromHours(1));

        await using Ledger ledger = new(book, store, view, new NodeClock(TimeProvider.System), options, NullLogger<Ledger>.Instance);

        Assert.Equal((4, 2, 2), (ledger.Counts.PaymentsFromBefore, ledger.Counts.PaymentsNotTaken, ledger.Counts.PaymentsUnderWay));
    }

    [Fact]
    public void MorePeersThanTheListHolds_AndStrangers_AreCountedTogether()
    {
        LedgerCounts counts = new();
        for (uint peer = 1; peer <= PeerCounts.PeersMax + 5; peer++)
            counts.Refuse(new Address(0, 0, peer), [new RefusedUpdate(default, 1, Refusal.WrongSigner)]);
        counts.Refuse(new Address(0, 0, 1), [new RefusedUpdate(default, 1, Refusal.WrongSigner), new RefusedUpdate(default, 1, Refusal.UnknownChannel)]);

        List<(Address? Peer, long Count)> list = [.. counts.RefusedByPeer.List()];
        Assert.Equal(PeerCounts.PeersMax + 1, list.Count);
        Assert.Equal(2, list.Single(it => it.Peer == new Address(0, 0, 1)).Count);
        Assert.Equal(6, list.Single(it => it.Peer is null).Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(1_000)]
    [InlineData(123_456)]
    [InlineData(3_000_000_000)]
    public void Duration_IsCountedInABucketThatIsAtMostAQuarterWider(long us)
    {
        DurationCounts counts = new();
        counts.Add(TimeSpan.FromMicroseconds(us));

        (long upToUs, long count) = Assert.Single(counts.List());
        Assert.Equal(1, count);
        Assert.InRange(upToUs, us, us + us / 4);
    }

    [Fact]
    public void Counting_AllocatesNothing_AndNeitherDoesATraceThatNobodyListensTo()
    {
        LedgerCounts counts = new();
        NewPayments payments = new();
        UpdatesUnderWay underWay = new();
        Run(100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(10_000);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Run(int times)
        {
            for (int time = 0; time < times; time++)
            {
                counts.UpdatesAccepted++;
                counts.UpdatesRefused.Add(Refusal.WrongSigner);
                counts.RefusedByPeer.Add(Sample.PartyB.Signer);
                counts.Acknowledgements.Add(TimeSpan.FromMicroseconds(time));
                underWay.Add((UInt128)time, time);
                underWay.TakeAcknowledged((UInt128)time, out _);
                Assert.Null(payments.Traced);
                payments.Clear();
            }
        }
    }

    [Fact]
    public void LongestDuration_IsCountedInTheLastBucket()
    {
        DurationCounts counts = new();
        counts.Add(TimeSpan.MaxValue);
        Assert.Equal(1, Assert.Single(counts.List()).Count);
    }
}
