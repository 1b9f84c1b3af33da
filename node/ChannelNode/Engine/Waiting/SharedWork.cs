namespace ChannelNode.Engine;

/// <summary>
/// Equal pieces of work that one thread begins and idle cores join. The beginner works too and returns when all is done,
/// so an idle machine loses no time to hand-overs and a busy one loses nothing to helpers: they queue behind everybody
/// else and find nothing left to do. Allocates nothing.
/// </summary>
internal abstract class SharedWork : IThreadPoolWorkItem
{
    /// <summary>Fewer are done before a helper has woken up.</summary>
    private const int PiecesPerHelper = 8;

    /// <summary>Threads that work at anything of this kind now: where they are as many as cores, help helps nobody.</summary>
    private static int _busy;

    /// <summary>Number of pieces in the upper half, claimed ones in the lower: a late helper can never mix two rounds.</summary>
    private long _claims;
    private int _done;

    /// <summary>Must not throw. Pieces run at the same time on several threads.</summary>
    protected abstract void Do(int piece);

    /// <summary>Does pieces 0 to <paramref name="count"/> - 1.</summary>
    protected void DoAll(int count)
    {
        if (count < 2 * PiecesPerHelper)
        {
            for (int piece = 0; piece < count; piece++) Do(piece);
            return;
        }

        _done = 0;
        Volatile.Write(ref _claims, (long)count << 32);
        int idle = Environment.ProcessorCount - Interlocked.Increment(ref _busy);
        for (int helpers = Math.Min(idle, count / PiecesPerHelper); helpers > 0; helpers--)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        Work();
        Interlocked.Decrement(ref _busy);
        SpinWait spinner = default;
        while (Volatile.Read(ref _done) < count) spinner.SpinOnce(sleep1Threshold: -1);
        Volatile.Write(ref _claims, 0);
    }

    void IThreadPoolWorkItem.Execute() => Work();

    private void Work()
    {
        while (true)
        {
            long claim = Interlocked.Increment(ref _claims);
            int piece = (int)(claim & uint.MaxValue) - 1;
            if (piece >= (int)(claim >> 32)) return;
            Do(piece);
            Interlocked.Increment(ref _done);
        }
    }
}

/// <summary>Awaited: goes on when everybody who waits for a thread now has had one; where threads are somebody's own, for one of those.</summary>
internal readonly struct BackOfTheQueue : System.Runtime.CompilerServices.ICriticalNotifyCompletion
{
    public bool IsCompleted => false;

    public BackOfTheQueue GetAwaiter() => this;

    public void GetResult() { }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation)
    {
        if (SynchronizationContext.Current is { } threads) threads.Post(static next => ((Action)next!)(), continuation);
        else ThreadPool.UnsafeQueueUserWorkItem(static next => next(), continuation, preferLocal: false);
    }
}
