using ChannelNode.Core;
using Microsoft.Extensions.ObjectPool;

namespace ChannelNode.Engine;

/// <summary>What the sessions of all peers share: keys cost nothing, so a limit for each peer alone is none.</summary>
internal sealed class PeerCommons(TimeProvider time, NodeOptions options, ISignatureScheme scheme, FundedPeers? funded = null)
{
    /// <summary>As many as are busy at a time on few cores; what more there are is made anew.</summary>
    private const int BatchesKeptMax = 64;

    public WrongSignatureLimits WrongSignatures { get; } = new(time, options.WrongSignaturesPerSecondMax);

    public MessageRoom Messages { get; } = new(options.MessageRoomBytes, funded);

    /// <summary>Empty ones: a session has none while its peer says nothing.</summary>
    public ObjectPool<PeerBatch> Batches { get; } =
        new DefaultObjectPool<PeerBatch>(new Pooling(scheme, options.PaymentsPerUpdateMax), BatchesKeptMax);

    public TraceLimit Traces { get; } = new(time, TraceLimit.OfAllPeersMax);

    private sealed class Pooling(ISignatureScheme scheme, int paymentsPerUpdateMax) : PooledObjectPolicy<PeerBatch>
    {
        public override PeerBatch Create() => new(scheme, paymentsPerUpdateMax);

        public override bool Return(PeerBatch batch)
        {
            batch.Clear();
            return true;
        }
    }
}
