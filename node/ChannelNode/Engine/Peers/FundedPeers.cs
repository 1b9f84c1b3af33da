using System.Collections.Concurrent;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Peers with whom a channel was ever funded: somebody has paid gas for that, which tells them from strangers, whose keys cost
/// nothing. What the chain tells is noted as it comes; who was funded before that is known once all channels were looked
/// through, which is done when it begins to matter, once. For any thread.
/// </summary>
internal sealed class FundedPeers(Func<int, IEnumerable<IReadOnlyList<StoredChannel>>> pages, ILogger log)
{
    private const int ChannelsPerLook = 4_096;

    private readonly ConcurrentDictionary<Address, bool> _peers = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private Task? _looking;

    public bool Has(Address peer) => _peers.ContainsKey(peer);

    public void Add(Address peer)
    {
        if (!_peers.ContainsKey(peer)) _peers[peer] = true;
    }

    /// <summary>Looks through all channels in the background, about two seconds for a million; does nothing the second time.</summary>
    public void Look()
    {
        lock (_lock)
        {
            if (_looking is null && !_stopping.IsCancellationRequested) _looking = Task.Run(LookAll);
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
            log.FundedPeersUnknown(error);
            throw;
        }
    }

    private void LookThrough()
    {
        foreach (IReadOnlyList<StoredChannel> page in pages(ChannelsPerLook))
        {
            if (_stopping.IsCancellationRequested) return;
            foreach (StoredChannel stored in page)
                if (stored.State.EverFunded) Add(stored.Channel.Theirs.Signer);
        }
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
