using System.Collections.Concurrent;
using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Rig;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>Messages as long as those with updates, to somebody who only answers them.</summary>
internal sealed class EchoStream : IPaced, IDisposable
{
    public const int UpdateBytes = 140;

    /// <summary>The tags and lengths of a frame around its updates.</summary>
    private const int HeadBytes = 6;
    private const int UpdatesMax = 256;

    private readonly Http2Call _call;
    private readonly byte[] _updates = new byte[HeadBytes + (UpdateBytes * UpdatesMax)];
    private readonly ConcurrentQueue<long> _dueAt = new();
    private readonly ConcurrentQueue<int> _counts = new();
    private readonly SemaphoreSlim _answers = new(0);
    private readonly Task _reading;
    private TaskCompletionSource _done = new();
    private long _answered;

    public EchoStream(string url)
    {
        _call = new Http2Call(url, windowBytes: 1 << 20);
        _call.Start(EchoServer.Path);
        _reading = _call.ReadAsync(_ => Answered(), () => { });
        _ = _reading.ContinueWith(_ => _answers.Release(), TaskScheduler.Default);
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
        return _call.SendAsync([], _updates.AsSpan(0, HeadBytes + (dueAt.Length * UpdateBytes)));
    }

    /// <summary>Throws when the echo has ended the call.</summary>
    public async Task WhenDoneAsync() => await await Task.WhenAny(_done.Task, _reading);

    /// <summary>Once for each message. Throws as well.</summary>
    public async Task WhenAnsweredAsync()
    {
        await _answers.WaitAsync();
        if (_reading.IsCompleted) await _reading;
    }

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
