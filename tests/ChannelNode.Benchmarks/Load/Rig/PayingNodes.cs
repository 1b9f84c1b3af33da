using ChannelNode.Core;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>Two real nodes, each a process with a database of its own, of which one pays the other.</summary>
internal sealed class PayingNodes : IAsyncDisposable
{
    private static readonly TimeSpan OpenLimit = TimeSpan.FromSeconds(60);

    private PayingNodes(NodeUnderTest payer, NodeUnderTest payee) => (Payer, Payee) = (payer, payee);

    public NodeUnderTest Payer { get; }

    public NodeUnderTest Payee { get; }

    /// <summary>Opened and funded, oldest first.</summary>
    public List<string> Channels { get; } = [];

    public static async Task<PayingNodes> StartAsync(Bench bench, int channels)
    {
        NodeUnderTest payer = await bench.NewNodeAsync();
        NodeUnderTest payee = await bench.NewNodeAsync();
        PayingNodes nodes = new(payer, payee);
        await Task.WhenAll(payer.StartAsync(), payee.StartAsync());
        nodes.Channels.Add(await nodes.OpenAsync()); // Alone, so that the others need no dialling.
        nodes.Channels.AddRange(await Task.WhenAll(Enumerable.Range(1, channels - 1).Select(_ => nodes.OpenAsync())));
        return nodes;
    }

    private async Task<string> OpenAsync()
    {
        using AsyncServerStreamingCall<Wire.OpenChannelResponse> call = Payer.Api.OpenChannel(
            new Wire.OpenChannelRequest { PeerUrl = Payee.PeerUrl, Amount = Site.Deposit.ToString() });
        using CancellationTokenSource limit = new(OpenLimit);
        string id = "";
        while (await call.ResponseStream.MoveNext(limit.Token)) id = call.ResponseStream.Current.Progress.ChannelId;
        while ((await ChannelAsync(Payee, id)).Status != Wire.ChannelStatus.Open) await Task.Delay(100, limit.Token);
        return id;
    }

    /// <summary>Both have the same totals, all is acknowledged, and together they are what was paid; throws otherwise.</summary>
    public async Task CheckTotalsAsync(UInt128 paid)
    {
        UInt128 sum = UInt128.Zero;
        foreach (string id in Channels)
        {
            Wire.Channel payer = await ChannelAsync(Payer, id), payee = await ChannelAsync(Payee, id);
            if (payer.Sent != payee.Received || payer.Sent != payer.Acknowledged)
            {
                throw new InvalidDataException(
                    $"channel {id}: {payer.Sent} sent, {payer.Acknowledged} acknowledged, {payee.Received} received");
            }

            sum += UInt128.Parse(payer.Sent);
        }

        if (sum != paid) throw new InvalidDataException($"{paid} was asked for, {sum} paid");
    }

    private static async Task<Wire.Channel> ChannelAsync(NodeUnderTest node, string id) =>
        (await node.Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = id })).Channel;

    public async ValueTask DisposeAsync()
    {
        await Payer.DisposeAsync();
        await Payee.DisposeAsync();
    }
}
