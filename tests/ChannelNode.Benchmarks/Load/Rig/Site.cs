using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>One node under test, and the peers that pay it.</summary>
internal sealed class Site : IAsyncDisposable
{
    /// <summary>Of every channel: more than any run can spend.</summary>
    public static readonly UInt128 Deposit = 1_000_000_000_000_000;

    private static readonly TimeSpan OpenLimit = TimeSpan.FromSeconds(60);

    private readonly Anvil _anvil;
    private readonly List<PayingPeer> _peers = [];

    private Site(NodeUnderTest node, Anvil anvil) => (Node, _anvil) = (node, anvil);

    public NodeUnderTest Node { get; }

    public PeerContext Context => new(Node.PeerUrl, Anvil.ChainId, _anvil.Contract);

    public static async Task<Site> StartAsync(NodeUnderTest node, Anvil anvil, params string[] moreFlags)
    {
        await node.StartAsync(moreFlags);
        return new Site(node, anvil);
    }

    /// <summary>Connects peers; each opens channels with the node and funds them on the chain.</summary>
    public Task<IReadOnlyList<PayingPeer>> OpenAsync(int peers, int channelsEach) =>
        OpenAsync([.. Enumerable.Range(0, peers).Select(_ => new PeerStream(new LoadKey(), Context))], channelsEach);

    /// <summary>The same for streams that were made elsewhere.</summary>
    public async Task<IReadOnlyList<PayingPeer>> OpenAsync(
        IReadOnlyList<PeerStream> streams, int channelsEach, uint disputeWindowSeconds = 3_600)
    {
        PayingPeer[] opened = await Task.WhenAll(streams.Select(async stream =>
        {
            await stream.ConnectAsync();
            return new PayingPeer(stream, await stream.ProposeAsync(channelsEach, disputeWindowSeconds));
        }));
        lock (_peers) _peers.AddRange(opened);
        PaidChannel[] channels = [.. opened.SelectMany(peer => peer.Channels)];
        await _anvil.DepositAsync(channels.Select(channel => channel.Terms), Deposit);
        await ForEachAsync(channels, UntilOpenAsync);
        return opened;
    }

    /// <summary>The node's own view of every channel is what was signed, no more and no less; throws otherwise.</summary>
    public Task CheckTotalsAsync(IEnumerable<PaidChannel> channels) => ForEachAsync(channels, async channel =>
    {
        Wire.Channel seen = await Node.ChannelAsync(channel.Id);
        if (seen.Received == channel.Signed.ToString() && channel.Acknowledged == channel.Signed) return;
        throw new InvalidDataException(
            $"channel {channel.Id}: {channel.Signed} was signed, {channel.Acknowledged} acknowledged, the node has {seen.Received}");
    });

    private async Task UntilOpenAsync(PaidChannel channel)
    {
        using CancellationTokenSource limit = new(OpenLimit);
        while ((await Node.ChannelAsync(channel.Id)).Status != Wire.ChannelStatus.Open)
            await Task.Delay(100, limit.Token);
    }

    private static Task ForEachAsync(IEnumerable<PaidChannel> channels, Func<PaidChannel, Task> what) => Parallel.ForEachAsync(
        channels, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (channel, _) => await what(channel));

    public async ValueTask DisposeAsync()
    {
        foreach (PayingPeer peer in _peers) await peer.DisposeAsync();
        await Node.DisposeAsync();
    }
}
