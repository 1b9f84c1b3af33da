using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// The channels that a call may see and use, as its access token has them at the moment; all where it has shown none, or one that is for
/// all.
/// </summary>
internal readonly record struct CallerChannels(AccessTokenEntry? Token)
{
    /// <summary>Whether it is for some only.</summary>
    public bool IsConfined => Token?.Line.IsConfined == true;

    public bool Contains(ChannelId channel) => Token is null || Token.Line.AllowsChannel(channel);

    /// <summary>Whether something is about channels that the call may see and about nothing else; what is about none is the whole node's.</summary>
    public bool ContainsAll(IReadOnlyList<ChannelId> channels)
    {
        if (!IsConfined) return true;
        for (int index = 0; index < channels.Count; index++)
            if (!Contains(channels[index])) return false;
        return channels.Count > 0;
    }

    /// <summary>Throws by name where it may not, and does not say whether there is such a channel.</summary>
    public ChannelId Require(ChannelId channel, string field = "channel_id") => Token?.Line.WhichRefuses(channel) is { } token
        ? throw token.RefuseChannel(channel, field)
        : channel;

    /// <summary>Those of a token that is for some only, as they are stored, in the order of their ids.</summary>
    public IEnumerable<StoredChannel> Known(IChannelStore store)
    {
        foreach (ChannelId channel in Token?.Line.Channels().Order() ?? Enumerable.Empty<ChannelId>())
            if (store.FindChannel(channel) is { } stored) yield return stored;
    }
}
