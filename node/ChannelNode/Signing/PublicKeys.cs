using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Signing;

/// <summary>
/// Public keys by address, so that a signer's key is recovered once and only verified against from then on. Bounded:
/// two generations of which the older is forgotten when the younger is full.
/// </summary>
internal sealed class PublicKeys(int generationMax)
{
    private readonly Lock _turning = new();
    private ConcurrentDictionary<Address, PublicKey> _young = new();
    private ConcurrentDictionary<Address, PublicKey> _old = new();
    private int _youngCount;

    public bool TryGet(Address address, out PublicKey key)
    {
        if (_young.TryGetValue(address, out key)) return true;
        if (!_old.TryGetValue(address, out key)) return false;
        Add(address, key);
        return true;
    }

    public void Add(Address address, in PublicKey key)
    {
        if (!_young.TryAdd(address, key)) return;
        if (Interlocked.Increment(ref _youngCount) < generationMax) return;
        lock (_turning)
        {
            if (_youngCount < generationMax) return;
            _old = _young;
            _young = new ConcurrentDictionary<Address, PublicKey>();
            _youngCount = 0;
        }
    }
}
