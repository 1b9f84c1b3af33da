namespace ChannelNode.Storage;

/// <summary>
/// Lets calls into the native database, until it is closed: a call after that would crash the process instead of
/// throwing. Closing waits for the calls that are inside.
/// </summary>
internal sealed class StoreGate(string name)
{
    private int _inside;

    private volatile bool _closed;

    public Pass Enter() => TryEnter(out Pass pass) ? pass : throw new ObjectDisposedException(name);

    /// <summary>False when it is closed; otherwise the pass must be disposed of.</summary>
    public bool TryEnter(out Pass pass)
    {
        Interlocked.Increment(ref _inside);
        pass = new Pass(this);
        if (!_closed) return true;
        Interlocked.Decrement(ref _inside);
        return false;
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
