using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// How many channels each peer has that are not closed. Counted only once it can matter, when there are as many channels in all
/// as one peer may have: then all are looked through, once, in the background, two seconds for a million. Until that is done
/// nobody has too many. For any thread.
/// </summary>
internal sealed class OpenChannels(Func<int, IEnumerable<IReadOnlyList<StoredChannel>>> pages, ILogger log)
{
    private const int ChannelsPerLook = 4_096;

    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<Address, int> _byPeer = [];

    /// <summary>Behind what was looked through: those that changed meanwhile, however the look finds them.</summary>
    private readonly Dictionary<ChannelId, (Address Peer, bool IsOpen)> _changed = [];
    private ChannelId? _reached;
    private Task? _looking;
    private bool _isWhole;

    /// <summary>Told by the ledger's writer when a channel is closed, and when it is, or is again, not.</summary>
    public void Set(ChannelId channel, Address peer, bool isOpen)
    {
        lock (_lock)
        {
            if (_looking is null) return;
            if (_isWhole || channel.CompareTo(_reached ?? default) <= 0) Add(peer, isOpen ? 1 : -1);
            else _changed[channel] = (peer, isOpen);
        }
    }

    /// <summary>Whether the peer has fewer than <paramref name="max"/>, where there are <paramref name="all"/> channels in all.</summary>
    public bool HasFewerThan(int max, Address peer, ulong all)
    {
        if (all < (ulong)max) return true;
        lock (_lock)
        {
            if (_looking is null && !_stopping.IsCancellationRequested) _looking = Task.Run(LookAll);
            return !_isWhole || _byPeer.GetValueOrDefault(peer) < max;
        }
    }

    private void LookAll()
    {
        try
        {
            LookThrough();
        }
        catch (Exception error)
        {
            log.OpenChannelsUncounted(error);
            throw;
        }
    }

    private void LookThrough()
    {
        foreach (IReadOnlyList<StoredChannel> page in pages(ChannelsPerLook))
        {
            if (_stopping.IsCancellationRequested) return;
            lock (_lock) Count(page);
        }

        lock (_lock)
        {
            foreach ((Address peer, bool isOpen) in _changed.Values)
                if (isOpen) Add(peer, 1);
            _changed.Clear();
            _isWhole = true;
        }
    }

    /// <summary>What changed since the page was read counts as it is now; and what came between its channels is not in it.</summary>
    private void Count(IReadOnlyList<StoredChannel> page)
    {
        foreach (StoredChannel stored in page)
        {
            ChannelId id = stored.Channel.Id;
            bool isOpen = _changed.Remove(id, out var now) ? now.IsOpen : stored.State.Status != ChannelStatus.Closed;
            if (isOpen) Add(stored.Channel.Theirs.Signer, 1);
        }

        _reached = page[^1].Channel.Id;
        foreach ((ChannelId id, (Address peer, bool isOpen)) in _changed.ToArray())
        {
            if (id.CompareTo(_reached.Value) > 0) continue;
            _changed.Remove(id);
            if (isOpen) Add(peer, 1);
        }
    }

    private void Add(Address peer, int count)
    {
        int now = _byPeer.GetValueOrDefault(peer) + count;
        if (now == 0) _byPeer.Remove(peer);
        else _byPeer[peer] = now;
    }

    /// <summary>For tests: returns when the look, if there is one, is over.</summary>
    internal Task WhenLookedAsync()
    {
        lock (_lock) return _looking ?? Task.CompletedTask;
    }

    /// <summary>Before the store closes. Faulted when it failed.</summary>
    public Task StopAsync()
    {
        lock (_lock)
        {
            _stopping.Cancel();
            return _looking ?? Task.CompletedTask;
        }
    }
}
