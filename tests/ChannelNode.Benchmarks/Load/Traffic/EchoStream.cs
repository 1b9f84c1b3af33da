using System.Collections.Concurrent;
using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Rig;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>Messages as long as those with updates, to somebody who only answers them.</summary>
internal sealed class EchoStream : IPaced, IDisposable
{
    public const int UpdateBytes = 139;
    private const int UpdatesMax = 256;

    private readonly Http2Call _call;
    private readonly byte[] _updates = new byte[UpdateBytes * UpdatesMax];
    private readonly ConcurrentQueue<long> _dueAt = new();
    private readonly ConcurrentQueue<int> _counts = new();
    private readonly SemaphoreSlim _answers = new(0);
    private TaskCompletionSource _done = new();
    private long _answered;

    public EchoStream(string url)
    {
        _call = new Http2Call(url, windowBytes: 1 << 20);
        _call.Start(EchoServer.Path);
        _ = _call.ReadAsync(_ => Answered(), () => { });
    }

    public long Count { get; private set; }

    public long Sent { get; private set; }

    public Latencies Latencies { get; private set; } = new();

    public void Begin(long count)
    {
        (Count, Sent, _answered) = (count, 0, 0);
        (Latencies, _done) = (new Latencies(), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }

    public Task SendDueAsync(ReadOnlySpan<long> dueAt)
    {
        foreach (long due in dueAt) _dueAt.Enqueue(due);
        _counts.Enqueue(dueAt.Length);
        Sent += dueAt.Length;
        return _call.SendAsync([], _updates.AsSpan(0, dueAt.Length * UpdateBytes));
    }

    public Task WhenDoneAsync() => _done.Task;

    /// <summary>Once for each message.</summary>
    public Task WhenAnsweredAsync() => _answers.WaitAsync();

    private void Answered()
    {
        if (!_counts.TryDequeue(out int count)) throw new InvalidDataException("an answer to nothing");
        for (; count > 0 && _dueAt.TryDequeue(out long due); count--)
        {
            Latencies.Add((uint)Stopwatch.GetElapsedTime(due).TotalMicroseconds);
            _answered++;
        }

        _answers.Release();
        if (_answered == Count) _done.TrySetResult();
    }

    public void Dispose() => _call.Dispose();
}
