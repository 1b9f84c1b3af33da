using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A busy node's updates share a sync: the writer lets those join that are being verified, and waits for nobody else.</summary>
public sealed class LedgerQueueTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly LedgerQueue _queue = new(max: 1_000, patienceMs: Timeout.Infinite);
    private readonly LedgerQueue _bulk = new(
        max: 1_000, bulkWaitedFor: 1_000, patienceMs: Timeout.Infinite, bulkPatienceMs: Timeout.Infinite);

    [Fact]
    public async Task UpdatesThatAreBeingVerified_ShareATurnWithThoseThatWait()
    {
        for (int round = 0; round < 2; round++)
        {
            _queue.Expect(5);
            Task<int> turn = TakeAsync(_queue);
            await AddAsync(2);
            await Task.Delay(100); // A writer that waits for nobody has taken its turn by now.
            await AddAsync(2);
            _queue.Expect(-5);

            Assert.Equal(4, await turn.WaitAsync(Limit));
        }
    }

    [Fact]
    public async Task WhereAtLeastAsMuchWaits_NothingIsWaitedFor()
    {
        _queue.Expect(5);
        Task<int> turn = TakeAsync(_queue);
        await AddAsync(2);
        await Task.Delay(100); // It waits by now, and is to be woken.
        await AddAsync(3);

        Assert.Equal(5, await turn.WaitAsync(Limit));
    }

    [Fact]
    public async Task WhatDoesNotComeAfterAll_IsNotWaitedForAnyLonger()
    {
        _queue.Expect(5);
        Task<int> turn = TakeAsync(_queue);
        await AddAsync(2);
        _queue.Expect(-4);

        Assert.Equal(2, await turn.WaitAsync(Limit));
    }

    [Fact]
    public async Task EnoughForOneSync_WaitsForNoMore()
    {
        _queue.Expect(100_000);
        Task<int> turn = TakeAsync(_queue);
        await AddAsync(300);

        Assert.Equal(300, await turn.WaitAsync(Limit));
    }

    [Fact]
    public async Task WhatNeverComes_HoldsUpNobodyForLong()
    {
        LedgerQueue queue = new(max: 1_000);
        queue.Expect(100_000);
        Task<int> turn = TakeAsync(queue);
        await queue.EnqueueAsync(new Some(2), CancellationToken.None);

        Assert.Equal(2, await turn.WaitAsync(Limit));
    }

    [Fact]
    public async Task QueueThatIsComplete_WaitsForNothingMore()
    {
        _queue.Expect(5);
        Task<int> turn = TakeAsync(_queue);
        await AddAsync(2);
        _queue.Complete();

        Assert.Equal(2, await turn.WaitAsync(Limit));
        Assert.False(_queue.WaitToTake());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhereAnythingElseWaits_NothingIsWaitedFor(bool isFirst)
    {
        _queue.Expect(5);
        Task<int> turn = TakeAsync(_queue);
        if (!isFirst) await AddAsync(2);
        await Task.Delay(100);
        await AddAsync(0);

        Assert.Equal(isFirst ? 0 : 2, await turn.WaitAsync(Limit));
    }

    [Fact]
    public async Task QueueThatIsFull_WaitsForNoMore()
    {
        LedgerQueue queue = new(max: 2, patienceMs: Timeout.Infinite);
        queue.Expect(100_000);
        Task<int> turn = TakeAsync(queue);
        await queue.EnqueueAsync(new Some(1), CancellationToken.None);
        await Task.Delay(100);
        await queue.EnqueueAsync(new Some(1), CancellationToken.None);

        Assert.Equal(2, await turn.WaitAsync(Limit));
    }

    [Fact]
    public async Task WhereAllComesInBulk_FewerThanWaitMayJoin()
    {
        _bulk.Expect(60);
        Task<int> turn = TakeAsync(_bulk);
        await AddInBulkAsync(100);
        await AddInBulkAsync(300);
        await Task.Delay(100); // A writer that waits for as many as wait, or for 256, has taken its turn by now.
        await AddInBulkAsync(5);
        _bulk.Expect(-60);

        Assert.Equal(405, await turn.WaitAsync(Limit));
    }

    [Theory]
    [InlineData(5, 39, 40)] // Eight times as many as are expected.
    [InlineData(100_000, 500, 1_000)]
    public async Task EnoughInBulk_WaitsForNoMore(int expected, int tooFew, int enough)
    {
        _bulk.Expect(expected);
        Task<int> turn = TakeAsync(_bulk);
        await AddInBulkAsync(tooFew);
        await Task.Delay(100);
        await AddInBulkAsync(enough - tooFew);

        Assert.Equal(enough, await turn.WaitAsync(Limit));
    }

    [Theory]
    [InlineData(300, 400)]
    [InlineData(300, 100_000)]
    [InlineData(10, 5)]
    public async Task SingleUpdate_DoesNotWaitAsWhatComesInBulk(int inBulk, int expected)
    {
        _bulk.Expect(expected);
        Task<int> turn = TakeAsync(_bulk);
        await AddInBulkAsync(inBulk);
        await Task.Delay(100);
        await _bulk.EnqueueAsync(new Some(1), CancellationToken.None);

        Assert.Equal(inBulk + 1, await turn.WaitAsync(Limit));
    }

    /// <summary>More is about to come than waits, so it waits for that, though not as long as what comes in bulk.</summary>
    [Fact]
    public async Task SingleUpdateBehindBulk_WaitsNoLongerThanOthersOfItsKind()
    {
        LedgerQueue queue = new(max: 1_000, bulkWaitedFor: 1_000, patienceMs: 1, bulkPatienceMs: Timeout.Infinite);
        queue.Expect(100_000);
        Task<int> turn = TakeAsync(queue);
        await queue.EnqueueAsync(new Some(10, isOfMany: true), CancellationToken.None);
        await Task.Delay(100);
        Assert.False(turn.IsCompleted);
        await queue.EnqueueAsync(new Some(1), CancellationToken.None);

        Assert.Equal(11, await turn.WaitAsync(Limit));
    }

    [Fact]
    public async Task BulkBehindASingleUpdate_WaitsAsThatDoes()
    {
        _bulk.Expect(5);
        Task<int> turn = TakeAsync(_bulk);
        await _bulk.EnqueueAsync(new Some(1), CancellationToken.None);
        await Task.Delay(100);
        await AddInBulkAsync(10);

        Assert.Equal(11, await turn.WaitAsync(Limit));
        _bulk.Expect(1);
        turn = TakeAsync(_bulk);
        await AddInBulkAsync(10); // The single one is gone: bulk waits for its own again.
        await Task.Delay(100);
        Assert.False(turn.IsCompleted);
        _bulk.Expect(-6);
        Assert.Equal(10, await turn.WaitAsync(Limit));
    }

    [Fact]
    public async Task WhatWasLeftByAFullTurn_WaitsForNothingMore()
    {
        _bulk.Expect(100_000);
        await AddInBulkAsync(10);

        Assert.True(await Task.Run(() => _bulk.WaitToTake(isPatient: false)).WaitAsync(Limit));
    }

    /// <summary>Whatever of it is in this part.</summary>
    [Theory]
    [InlineData(15, 15, 0, false)]
    [InlineData(16, 16, 0, true)]
    [InlineData(40, 16, 0, true)]
    [InlineData(40, 15, 0, false)]
    [InlineData(16, 16, 1, false)]
    public async Task ManyRunsOfOneFrame_ComeInBulk(int runs, int inOneFrame, int acknowledgements, bool expected)
    {
        await using LedgerRig rig = new();
        PeerBatch batch = new(rig.Scheme, paymentsPerUpdateMax: 10);
        PeerChannels channels = new(rig.Book, Sample.PartyB.Signer);

        // The one payment of each does not lead from the total before it, so each is a run.
        foreach (int[] some in Enumerable.Range(1, runs).Chunk(inOneFrame))
            batch.Add(Frames.Of([.. some.Select(number => Frames.Update(Side.B, (UInt128)(10 * number), 0, 1))]), channels);
        for (int said = 0; said < acknowledgements; said++) batch.Add(Frames.Acknowledged(0), channels);

        Assert.Equal(runs, batch.Runs.Length);
        Assert.Equal(expected, new AcceptRuns(batch, 0, 1, isLast: false, rig.Session).IsOfMany);
        Assert.Equal(runs >= 16 && inOneFrame >= 16, new AcceptRuns(batch, 1, runs, isLast: true, rig.Session).IsOfMany);
        batch.Clear();
        Assert.False(new AcceptRuns(batch, 0, 0, isLast: true, rig.Session).IsOfMany);
    }

    private ValueTask AddInBulkAsync(int updates) => _bulk.EnqueueAsync(new Some(updates, isOfMany: true), CancellationToken.None);

    private ValueTask AddAsync(int updates) => _queue.EnqueueAsync(new Some(updates), CancellationToken.None);

    /// <summary>The updates of the next turn.</summary>
    private static Task<int> TakeAsync(LedgerQueue queue) => Task.Factory.StartNew(
        () =>
        {
            Assert.True(queue.WaitToTake());
            int updates = 0;
            while (queue.TryTake(out LedgerCommand? command)) updates += command.RunCount;
            return updates;
        },
        TaskCreationOptions.LongRunning);

    private sealed class Some(int count, bool isOfMany = false) : LedgerCommand
    {
        internal override int RunCount => count;

        internal override bool IsOfMany => isOfMany;

        internal override void Apply(LedgerTurn turn) { }

        internal override void Abandon(Exception error) { }
    }
}
