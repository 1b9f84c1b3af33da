using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What can be set of a watchtower, each with unit, default and range; checked once, at the door.</summary>
internal sealed record WatchtowerOptions
{
    /// <summary>Its key, database, chain, gas and fees, which it has like any node; what else is set there means nothing.</summary>
    public required NodeOptions Node { get; init; }

    /// <summary>host:port for the nodes that it guards. Port 0 takes a free one.</summary>
    public string Listen { get; init; } = "127.0.0.1:9803";

    /// <summary>Whether it serves over TLS 1.3, with the certificate of <see cref="Node"/>; nodes dial https:// then.</summary>
    public bool Tls { get; init; }

    /// <summary>Signers that it guards; all who come, up to the limits, where none is named.</summary>
    public IReadOnlyList<Address> AcceptedSigners { get; init; } = [];

    /// <summary>Channels guarded of one signer. 1 to 1,000,000.</summary>
    public int ChannelsPerSignerMax { get; init; } = 10_000;

    /// <summary>Channels guarded of all signers; about 200 bytes of memory and 500 of disk each. 1 to 10,000,000.</summary>
    public int ChannelsMax { get; init; } = 100_000;

    /// <summary>Of these so many may be without a deposit: anybody can have such channels guarded, as many as he likes.</summary>
    public int UnfundedChannelsMax => Math.Max(1, ChannelsMax / 10);

    /// <summary>Sessions at a time, of all signers. 1 to 100,000.</summary>
    public int SessionsMax { get; init; } = 1_000;

    /// <summary>Nodes that may be proving who they are at a time. 1 to 100,000.</summary>
    public int HandshakesMax { get; init; } = 512;

    /// <summary>Sessions that one address may begin in a second. 1 to 100,000.</summary>
    public int HandshakesPerSecondMax { get; init; } = 1_000;

    /// <summary>
    /// How long a channel in which nothing is left on chain is kept, seen from when this process first saw it so. 1 to
    /// 8,760 hours.
    /// </summary>
    public TimeSpan EmptyKeptFor { get; init; } = TimeSpan.FromHours(48);

    /// <summary>Whether it settles too, at its own gas, where neither node has done so two minutes after the window.</summary>
    public bool Settles { get; init; }
}
