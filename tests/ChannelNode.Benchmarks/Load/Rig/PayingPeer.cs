using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>A connected peer with funded channels in which it pays the node.</summary>
internal sealed record PayingPeer(PeerStream Stream, IReadOnlyList<PaidChannel> Channels) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Stream.DisposeAsync();
}
