using System.Diagnostics;

namespace ChannelNode.Grpc;

/// <summary>
/// Of a subscription: says something at least every so often, also where there is nothing to tell. So a caller knows from the beginning
/// that it stands and how far it has come, and both sides notice a connection that has died without a word.
/// </summary>
/// <param name="begin">Tells the caller that the subscription stands.</param>
/// <param name="say">Tells it a cursor, and nothing else.</param>
/// <param name="every">How often at least; 20 s where it is not said, well below what clients and proxies take for the end.</param>
internal sealed class Pulse(Func<Task> begin, Func<ulong, Task> say, TimeSpan? every = null) : IDisposable
{
    private readonly TimeSpan _every = every ?? TimeSpan.FromSeconds(20);
    private long _toldAt = Stopwatch.GetTimestamp();
    private CancellationTokenSource? _limit;

    /// <summary>Something was told.</summary>
    public void Told() => _toldAt = Stopwatch.GetTimestamp();

    /// <summary>Speaks where that is due; to be called between two looks.</summary>
    public async ValueTask SpeakAsync(ulong cursor)
    {
        if (Stopwatch.GetElapsedTime(_toldAt) < _every) return;
        await say(cursor);
        Told();
    }

    /// <summary>Waits for what is to be told next, and no longer than until it has to speak.</summary>
    public async Task WaitAsync(Func<CancellationToken, Task> next, CancellationToken cancel)
    {
        await begin();
        if (_limit is null || !_limit.TryReset())
        {
            _limit?.Dispose();
            _limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        }

        TimeSpan left = _every - Stopwatch.GetElapsedTime(_toldAt);
        _limit.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        try
        {
            await next(_limit.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            // It is time to speak.
        }
    }

    public void Dispose() => _limit?.Dispose();
}
