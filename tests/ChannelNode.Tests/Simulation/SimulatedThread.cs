using System.Collections.Concurrent;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// One thread for everything: what an await goes on with waits here, and runs in the order in which it came. So a run
/// of the engine is the same every time.
/// </summary>
internal sealed class SimulatedThread : SynchronizationContext
{
    private readonly ConcurrentQueue<(SendOrPostCallback Call, object? State)> _waiting = new();

    public override void Post(SendOrPostCallback d, object? state) => _waiting.Enqueue((d, state));

    public override void Send(SendOrPostCallback d, object? state) => d(state);

    public bool IsIdle => _waiting.IsEmpty;

    /// <summary>Runs all that waits, and what that leads to.</summary>
    public void Run()
    {
        while (_waiting.TryDequeue(out var next)) next.Call(next.State);
    }

    /// <summary>Runs <paramref name="work"/> with this as its thread.</summary>
    public void Within(Action work)
    {
        SynchronizationContext? before = Current;
        SetSynchronizationContext(this);
        try
        {
            work();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }
}
