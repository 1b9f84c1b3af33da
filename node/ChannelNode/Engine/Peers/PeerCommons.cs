namespace ChannelNode.Engine;

/// <summary>What the sessions of all peers share: keys cost nothing, so a limit for each peer alone is none.</summary>
internal sealed class PeerCommons(TimeProvider time, NodeOptions options)
{
    public WrongSignatureLimits WrongSignatures { get; } = new(time, options.WrongSignaturesPerSecondMax);

    public TraceLimit Traces { get; } = new(time, TraceLimit.OfAllPeersMax);
}
