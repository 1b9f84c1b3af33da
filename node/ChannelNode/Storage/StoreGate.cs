namespace ChannelNode.Storage;

/// <summary>
/// Lets calls into the native database, until it is closed: a call after that would crash the process instead of
/// throwing. Closing waits for the calls that are inside.
/// </summary>
internal sealed class StoreGate(string name)
{
    private int _inside;

    private volatile bool _closed;

    public Pass Enter()
    {
        Interlocked.Increment(ref _inside);
        if (!_closed) return new Pass(this);
        Interlocked.Decrement(ref _inside);
        throw new ObjectDisposedException(name);
    }

    /// <summary>False when it was closed before.</summary>
    public bool Close()
    {
        if (Interlocked.Exchange(ref _closed, true)) return false;
        SpinWait.SpinUntil(() => Volatile.Read(ref _inside) == 0);
        return true;
    }

    public readonly ref struct Pass(StoreGate gate)
    {
        public void Dispose() => Interlocked.Decrement(ref gate._inside);
    }
}
