using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Channels that wait for their first deposit, by peer: their numbers are limited. Of each, after which block the contract was
/// asked and knew nothing of it: from then on its events tell all. For any thread.
/// </summary>
internal sealed class UnfundedChannels
{
    private readonly Lock _lock = new();

    /// <summary>With the block after which the contract was asked; null before that.</summary>
    private readonly Dictionary<ChannelId, ulong?> _channels = [];
    private readonly Dictionary<Address, int> _byPeer = [];

    /// <summary>Told by the ledger's writer of each channel that comes or goes, after it has.</summary>
    public Action<ChannelId, bool>? Changed { get; set; }

    /// <summary>Of all peers.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _channels.Count;
        }
    }

    public int CountOf(Address peer)
    {
        lock (_lock) return _byPeer.GetValueOrDefault(peer);
    }

    /// <summary>A channel that comes to wait was not asked for.</summary>
    public void Set(ChannelId channel, Address peer, bool isUnfunded)
    {
        lock (_lock)
        {
            if (!(isUnfunded ? _channels.TryAdd(channel, null) : _channels.Remove(channel))) return;
            int count = _byPeer.GetValueOrDefault(peer) + (isUnfunded ? 1 : -1);
            if (count == 0) _byPeer.Remove(peer);
            else _byPeer[peer] = count;
        }

        Changed?.Invoke(channel, isUnfunded);
    }

    public bool Has(ChannelId channel)
    {
        lock (_lock) return _channels.ContainsKey(channel);
    }

    /// <summary>Those that the contract did not know when it was asked, the one asked for longest ago first.</summary>
    public IReadOnlyList<ChannelId> LongestBlank(int countMax)
    {
        lock (_lock)
        {
            return
            [
                .. _channels.Where(channel => channel.Value is not null).OrderBy(channel => channel.Value)
                    .Take(countMax).Select(channel => channel.Key),
            ];
        }
    }

    /// <summary>Those that the contract is to be asked for, as they are now.</summary>
    public IReadOnlyList<ChannelId> Unasked()
    {
        lock (_lock) return [.. _channels.Where(channel => channel.Value is null).Select(channel => channel.Key)];
    }

    /// <summary>It waits for its first deposit, and may have had others before it was known.</summary>
    public bool IsUnasked(ChannelId channel)
    {
        lock (_lock) return _channels.TryGetValue(channel, out ulong? asked) && asked is null;
    }

    /// <summary>After the block, the contract knew nothing of the channel.</summary>
    public void Asked(ChannelId channel, ulong block)
    {
        lock (_lock)
            if (_channels.ContainsKey(channel)) _channels[channel] = block;
    }

    /// <summary>Blocks after this one are gone, and what was asked for after them says nothing.</summary>
    public void BackTo(ulong block)
    {
        lock (_lock)
            foreach ((ChannelId channel, _) in _channels.Where(channel => channel.Value > block).ToArray()) _channels[channel] = null;
    }
}
