using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>A signer that a watchtower guards, and the channels in which it does.</summary>
internal sealed class GuardClient(Address signer)
{
    private readonly Lock _lock = new();
    private readonly HashSet<ChannelId> _channels = [];

    public Address Signer { get; } = signer;

    /// <summary>Held for each of its frames from reading to the disk: so what is stored is never compared with what is older.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <summary>Under the book's lock.</summary>
    public int Sessions { get; set; }

    public int Count
    {
        get
        {
            lock (_lock) return _channels.Count;
        }
    }

    public bool Has(ChannelId channel)
    {
        lock (_lock) return _channels.Contains(channel);
    }

    public bool Add(ChannelId channel)
    {
        lock (_lock) return _channels.Add(channel);
    }

    public bool Remove(ChannelId channel)
    {
        lock (_lock) return _channels.Remove(channel);
    }

    public IReadOnlyList<ChannelId> List()
    {
        lock (_lock) return [.. _channels];
    }
}
