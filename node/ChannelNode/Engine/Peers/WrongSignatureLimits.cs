using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The limits of the peers that have sent wrong signatures, by the signer that their handshakes prove: whoever is sent away and comes
/// back at once goes on where it stood. Who has waited for all of his is forgotten when there are many. For any thread.
/// </summary>
internal sealed class WrongSignatureLimits(TimeProvider time, int perSecond, int peersMax = 16_384)
{
    private readonly ConcurrentDictionary<Address, WrongSignatureLimit> _known = [];
    private readonly WrongSignaturePace _ofAll = new(time, perSecond);
    private readonly Lock _forgetting = new();
    private WrongSignatureLimit? _others;

    /// <summary>Null for a peer that has sent none, or none for long.</summary>
    public WrongSignatureLimit? Find(Address peer) => _known.GetValueOrDefault(peer);

    /// <summary>All that send some while too many others do have one limit among them.</summary>
    public WrongSignatureLimit Of(Address peer)
    {
        if (_known.TryGetValue(peer, out WrongSignatureLimit? limit)) return limit;
        lock (_forgetting)
        {
            if (_known.Count >= peersMax && _others is not { IsWary: true }) Forget(); // Else it was looked for lately, in vain.
            return _known.Count >= peersMax
                ? _others ??= new WrongSignatureLimit(time, perSecond, _ofAll)
                : _known.GetOrAdd(peer, _ => new WrongSignatureLimit(time, perSecond, _ofAll));
        }
    }

    private void Forget()
    {
        foreach ((Address peer, WrongSignatureLimit limit) in _known)
            if (!limit.IsWary) _known.TryRemove(peer, out _);
    }
}
