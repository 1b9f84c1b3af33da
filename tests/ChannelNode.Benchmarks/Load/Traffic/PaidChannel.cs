using ChannelNode.Core;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>A channel in which a peer of the load program pays the node. It is the next tape's to continue.</summary>
internal sealed class PaidChannel(LoadKey payer, ChannelTerms terms, ChannelId id)
{
    public LoadKey Payer => payer;

    public ChannelTerms Terms => terms;

    public ChannelId Id => id;

    /// <summary>The total signed last on any tape.</summary>
    public ulong Signed { get; set; }

    /// <summary>The total that the node acknowledged last.</summary>
    public ulong Acknowledged { get; set; }
}
