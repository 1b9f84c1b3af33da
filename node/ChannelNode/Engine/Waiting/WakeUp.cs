using System.Threading.Tasks.Sources;

namespace ChannelNode.Engine;

/// <summary>
/// Wakes the one who waits. What is raised while nobody waits counts once, for the next wait. Allocates nothing, and
/// whoever raises it says whether the waiter goes on here, on the same thread, or elsewhere.
/// </summary>
internal sealed class WakeUp : IValueTaskSource
{
    private readonly Lock _lock = new();
    private ManualResetValueTaskSourceCore<bool> _source;
    private bool _isRaised;
    private bool _isAwaited;

    /// <summary>Not to be called again before it has ended.</summary>
    public ValueTask WhenAsync()
    {
        lock (_lock)
        {
            if (_isRaised)
            {
                _isRaised = false;
                return ValueTask.CompletedTask;
            }

            _source.Reset();
            _isAwaited = true;
            return new ValueTask(this, _source.Version);
        }
    }

    public void Raise(bool here)
    {
        lock (_lock)
        {
            if (!_isAwaited)
            {
                _isRaised = true;
                return;
            }

            _isAwaited = false;
            _source.RunContinuationsAsynchronously = !here;
        }

        _source.SetResult(true);
    }

    void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
