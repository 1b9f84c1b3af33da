using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>A signer that a watchtower guards, and the channels in which it does.</summary>
internal sealed class GuardClient(Address signer, GuardPace pace)
{
    private readonly Lock _lock = new();
    private readonly HashSet<ChannelId> _channels = [];
    private readonly HashSet<ChannelId> _unfunded = [];

    public Address Signer { get; } = signer;

    /// <summary>What its useless work costs it, in all its sessions.</summary>
    public GuardPace Pace { get; } = pace;

    /// <summary>Held for each of its frames from reading to the disk: so what is stored is never compared with what is older.</summary>
    public OneAtATime Turn { get; } = new();

    /// <summary>Under the book's lock.</summary>
    public int Sessions { get; set; }

    public int Count
    {
        get
        {
            lock (_lock) return _channels.Count;
        }
    }

    /// <summary>Channels of it that the chain does not know.</summary>
    public int UnfundedCount
    {
        get
        {
            lock (_lock) return _unfunded.Count;
        }
    }

    /// <summary>
    /// It has nothing in any channel that the chain knows. Such a one may be anybody: a signature costs nothing, a deposit does.
    /// </summary>
    public bool IsStranger
    {
        get
        {
            lock (_lock) return _channels.Count == _unfunded.Count;
        }
    }

    public bool Has(ChannelId channel)
    {
        lock (_lock) return _channels.Contains(channel);
    }

    public bool Add(ChannelId channel, bool isUnfunded)
    {
        lock (_lock)
        {
            if (isUnfunded) _unfunded.Add(channel);
            return _channels.Add(channel);
        }
    }

    public void SetUnfunded(ChannelId channel, bool isUnfunded)
    {
        lock (_lock)
        {
            if (!isUnfunded) _unfunded.Remove(channel);
            else if (_channels.Contains(channel)) _unfunded.Add(channel);
        }
    }

    public bool Remove(ChannelId channel)
    {
        lock (_lock)
        {
            _unfunded.Remove(channel);
            return _channels.Remove(channel);
        }
    }

    public IReadOnlyList<ChannelId> List()
    {
        lock (_lock) return [.. _channels];
    }
}
