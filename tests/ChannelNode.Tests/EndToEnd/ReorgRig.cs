using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.Settlement;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Two whole nodes on a chain of their own that takes back what it said; one follows by WebSocket, one by polling.</summary>
internal sealed class ReorgRig : IAsyncDisposable
{
    private ReorgRig(AnvilFixture anvil, TestChain chain) => (Anvil, Chain) = (anvil, chain);

    public AnvilFixture Anvil { get; }

    public TestChain Chain { get; }

    public TestNode Alice { get; private set; } = null!;

    public TestNode Bob { get; private set; } = null!;

    /// <summary>Confirmations from which on a job's block is not looked at any more.</summary>
    public int Deep => (int)Alice.Host.Node.Options.ConfirmationsLarger;

    public static Task<ReorgRig> StartAsync() => StartAsync(options => options);

    public static async Task<ReorgRig> StartAsync(Func<NodeOptions, NodeOptions> change, params string[] anvilArguments)
    {
        AnvilFixture anvil = await AnvilFixture.StartAsync(anvilArguments);
        ReorgRig rig = new(anvil, await TestChain.OpenAsync(anvil));
        rig.Alice = await TestNode.StartAsync(
            rig.Chain, options => change(options with { RpcUrl = anvil.WebSocketUrl, ReplaceAfterSeconds = 1 }));
        rig.Bob = await TestNode.StartAsync(
            rig.Chain, options => change(options with { RpcUrl = anvil.HttpUrl, ReplaceAfterSeconds = 1 }));
        await anvil.MineAsync(12); // What was set up is deeper than what is taken back.
        return rig;
    }

    public async ValueTask DisposeAsync()
    {
        await Alice.DisposeAsync();
        await Bob.DisposeAsync();
        await Chain.DisposeAsync();
        await Anvil.DisposeAsync();
    }

    /// <summary>The newest <paramref name="depth"/> blocks, of which the oldest holds what was done last.</summary>
    public async Task TakeBackAsync(int depth)
    {
        if (depth > 1) await Anvil.MineAsync(depth - 1);
        await AssertRescannedAsync();
        await Anvil.ReorgAsync(depth);
        await AssertRescannedAsync();
    }

    /// <summary>As <see cref="TakeBackAsync"/>, and what is sent again waits in the pool.</summary>
    public async Task TakeBackAndHoldAsync(int depth)
    {
        await Anvil.RpcAsync<object?>("evm_setAutomine", false);
        await TakeBackAsync(depth);
    }

    public async Task MineOnAsync()
    {
        await Anvil.RpcAsync<object?>("evm_setAutomine", true);
        await Anvil.MineAsync();
    }

    /// <summary>Whether what was done in the oldest of the blocks taken back is done again by its job, unasked.</summary>
    public bool IsDoneAgain(int depth) => depth < Deep;

    /// <summary>Both nodes come to show what all events from the first block say.</summary>
    public async Task AssertRescannedAsync()
    {
        foreach (TestNode node in (TestNode[])[Alice, Bob])
        {
            string found = "";
            for (int look = 0; look < 1_200; look++)
            {
                Rescan scan = await RescanAsync();
                found = Compare(node.Host.Node, scan);
                if (found.Length == 0) break;
                await Task.Delay(25);
            }

            Assert.True(found.Length == 0, found);
        }
    }

    private static string Compare(Node node, Rescan scan)
    {
        if (node.View.Cursor != scan.Head) return $"the view is at {node.View.Cursor}, the chain at {scan.Head}";
        foreach (StoredChannel stored in node.Book.Read(null, 1_000))
        {
            ChannelState expected = scan.States.GetValueOrDefault(stored.Channel.Id);
            if ((stored.State.OnChain, stored.State.EverFunded) != (expected.OnChain, expected.EverFunded))
                return $"{stored.Channel.Id}: {stored.State.OnChain}, a rescan says {expected.OnChain}";
        }

        return "";
    }

    /// <summary>What the chain says now, from its first block on.</summary>
    internal sealed record Rescan(
        ChainBlock Head, Dictionary<ChannelId, ChannelState> States, Dictionary<ChannelId, int> Deposits);

    public async Task<Rescan> RescanAsync()
    {
        await using EthereumChain chain = await ChainBench.ConnectAsync(Anvil.HttpUrl, Chain.Contract, Anvil.Keys[3]);
        Dictionary<ChannelId, ChannelState> states = [];
        Dictionary<ChannelId, int> deposits = [];
        await foreach (ChainBatch batch in chain.FollowAsync([], TestChain.Limit))
        {
            foreach (ChainEvent seen in batch.Events)
            {
                states[seen.Channel] = Lifecycle.Observe(Core.Sample.Channel(), states.GetValueOrDefault(seen.Channel), seen);
                if (seen is ChainEvent.Deposited) deposits[seen.Channel] = deposits.GetValueOrDefault(seen.Channel) + 1;
            }

            if (batch.IsCaughtUp) return new Rescan(batch.Cursor!, states, deposits);
        }

        throw new InvalidOperationException("the chain was not read");
    }

    /// <summary>Reads an operation's steps to its end.</summary>
    public static async Task RunAsync<T>(AsyncServerStreamingCall<T> call)
    {
        using (call)
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
    }

    public static Task DepositAsync(TestNode node, string id, string amount) =>
        RunAsync(node.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = id, Amount = amount }));

    public static Task StartCloseAsync(TestNode node, string id) =>
        RunAsync(node.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id }));

    public static Task ClaimAsync(TestNode node) => RunAsync(node.Api.ClaimChannels(new Wire.ClaimChannelsRequest()));

    public static ChannelSlot SlotOf(TestNode node, string id)
    {
        ChannelId.TryParse(id, out ChannelId channel);
        return node.Host.Node.Book.Get(channel);
    }
}
