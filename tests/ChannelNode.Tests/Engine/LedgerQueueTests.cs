using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A busy node's updates share a sync: the writer lets those join that are being verified, and waits for nobody else.</summary>
public sealed class LedgerQueueTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly LedgerQueue _queue = new(max: 1_000, patienceMs: Timeout.Infinite);

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

    private sealed class Some(int count) : LedgerCommand
    {
        internal override int RunCount => count;

        internal override void Apply(LedgerTurn turn) { }

        internal override void Abandon(Exception error) { }
    }
}
