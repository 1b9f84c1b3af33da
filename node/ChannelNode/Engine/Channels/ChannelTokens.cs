using System.Collections.Concurrent;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The tokens that this node has, or had, channels in. All channels are looked through when somebody first asks; what comes is noted
/// from the start. For any thread.
/// </summary>
internal sealed class ChannelTokens(Func<int, IEnumerable<IReadOnlyList<StoredChannel>>> pages)
{
    private const int ChannelsPerLook = 4_096;

    private readonly ConcurrentDictionary<Address, bool> _tokens = new();
    private readonly Lock _looking = new();
    private volatile bool _isWhole;

    /// <summary>Told of each channel that is about to be stored.</summary>
    public void Add(Address token)
    {
        if (!_tokens.ContainsKey(token)) _tokens[token] = true;
    }

    /// <summary>The first time two to three seconds for a million channels, in which others wait who ask.</summary>
    public ICollection<Address> All(CancellationToken cancel)
    {
        if (!_isWhole)
        {
            lock (_looking)
            {
                if (!_isWhole) LookThrough(cancel);
                _isWhole = true;
            }
        }

        return _tokens.Keys;
    }

    private void LookThrough(CancellationToken cancel)
    {
        foreach (IReadOnlyList<StoredChannel> page in pages(ChannelsPerLook))
        {
            cancel.ThrowIfCancellationRequested();
            foreach (StoredChannel stored in page) Add(stored.Channel.Terms.Token);
        }
    }
}
