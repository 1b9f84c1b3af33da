using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>The one session of each connected peer. Changed by the ledger's writer only, read by anyone.</summary>
internal sealed class PeerLinks
{
    private readonly ConcurrentDictionary<Address, PeerLink> _links = new();

    public IEnumerable<Address> Signers => _links.Keys;

    public IEnumerable<PeerLink> All => _links.Values;

    /// <summary>Peers that are expected back at once.</summary>
    public PeersAway Away { get; } = new();

    public PeerLink? Find(Address signer) => _links.GetValueOrDefault(signer);

    /// <summary>Takes the place of the peer's older session, which ends.</summary>
    public void Replace(PeerLink link)
    {
        PeerLink? older = Find(link.Signer);
        link.IsCurrent = true;
        _links[link.Signer] = link;
        if (older is null) return;
        older.IsCurrent = false;
        older.End("a newer session of this peer replaces it");
    }

    /// <summary>Does nothing when another session has taken its place.</summary>
    public void Remove(PeerLink link)
    {
        link.IsCurrent = false;
        _links.TryRemove(KeyValuePair.Create(link.Signer, link));
    }
}
