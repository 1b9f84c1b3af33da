using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Channels that wait for their first deposit, by peer: their numbers are limited. For any thread.</summary>
internal sealed class UnfundedChannels
{
    private readonly Lock _lock = new();
    private readonly HashSet<ChannelId> _channels = [];
    private readonly Dictionary<Address, int> _byPeer = [];

    /// <summary>Of all peers.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _channels.Count;
        }
    }

    /// <summary>All of them as they are now.</summary>
    public IReadOnlyList<ChannelId> List()
    {
        lock (_lock) return [.. _channels];
    }

    public int CountOf(Address peer)
    {
        lock (_lock) return _byPeer.GetValueOrDefault(peer);
    }

    public void Set(ChannelId channel, Address peer, bool isUnfunded)
    {
        lock (_lock)
        {
            if (!(isUnfunded ? _channels.Add(channel) : _channels.Remove(channel))) return;
            int count = _byPeer.GetValueOrDefault(peer) + (isUnfunded ? 1 : -1);
            if (count == 0) _byPeer.Remove(peer);
            else _byPeer[peer] = count;
        }
    }
}
