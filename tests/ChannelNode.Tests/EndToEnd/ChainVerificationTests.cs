using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Cli;
using ChannelNode.Tests.Settlement;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>The database of a node that runs, beside the chain.</summary>
[Collection(ChainCollection.Name)]
public sealed class ChainVerificationTests(AnvilFixture anvil) : IAsyncLifetime
{
    /// <summary>
    /// Set: the chain's first block is given, which only who reads from the deployment asks for. Who asked while another gate
    /// stood here waits for that one.
    /// </summary>
    private volatile ManualResetEventSlim _firstBlock = new(initialState: true);

    private readonly SemaphoreSlim _firstBlockAsked = new(0);
    private RpcProxy _proxy = null!;
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;
    private string _id = "";

    public async Task InitializeAsync()
    {
        _proxy = new RpcProxy(anvil.HttpUrl, Hold);
        _chain = await TestChain.OpenAsync(anvil);
        _alice = await TestNode.StartAsync(_chain);
        _bob = await TestNode.StartAsync(_chain, options => options with { RpcUrl = _proxy.Url });
        _id = await _alice.OpenAsync(_bob, "1000");
    }

    public async Task DisposeAsync()
    {
        _firstBlock.Set();
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
        _proxy.Dispose();
    }

    private (int, string)? Hold(string method, JsonElement request)
    {
        if (method != "eth_getBlockByNumber" || request.GetProperty("params")[0].GetString() != "0x0") return null;
        ManualResetEventSlim gate = _firstBlock;
        if (!gate.IsSet) _firstBlockAsked.Release();
        gate.Wait(TestChain.Limit);
        return null;
    }

    private Task<CliRun> VerifyAsync(params string[] flags) =>
        CliRun.AsyncOf(["chain", "verify", "--node", _bob.Host.ApiUrl, .. flags]);

    [Fact]
    public async Task RunningNode_IsFoundEqual()
    {
        await _alice.PayAsync(_id, "300");

        CliRun run = await VerifyAsync();

        Assert.Equal(ExitCode.Done, run.ExitCode); // Its error output has how far it was, where the machine is slow.
        Assert.Equal($"1 channel up to block {_bob.Host.Node.View.Cursor!.Number}: 0 differ\n", run.Output);
    }

    [Fact]
    public async Task Differences_AreNamedWithBlockAndChannel()
    {
        ChainBlock cursor = _bob.Host.Node.View.Cursor!;
        ChannelId.TryParse(_id, out ChannelId id);
        IChannelStore store = _bob.Host.Node.Store;
        IStoreBatch batch = store.NewBatch();
        ChannelState state = store.FindChannel(id)!.State;
        batch.PutState(id, state with { OnChain = state.OnChain with { PotA = 7 } });
        batch.PutBlock(cursor with { Hash = new Bytes32(0, 0, 0, 5) });
        store.Commit(batch, durable: true);

        CliRun people = await VerifyAsync();
        CliRun json = await VerifyAsync("--json");

        Assert.Equal((ExitCode.Refused, ExitCode.Refused), (people.ExitCode, json.ExitCode));
        Assert.Equal(
            [
                "newest block", $"  database  block {cursor.Number}, {new Bytes32(0, 0, 0, 5)}", $"  chain     block {cursor.Number}, {cursor.Hash}",
                _id, "  database  open, in wei: side a has 7 and is recorded with 0 sent, side b has 0 and 0 sent",
                "  chain     open, in wei: side a has 1000 and is recorded with 0 sent, side b has 0 and 0 sent",
                $"1 channel up to block {cursor.Number}: 2 differ",
            ],
            people.OutputLines);
        JsonElement found = JsonDocument.Parse(json.Output).RootElement;
        Assert.Equal(JsonValueKind.Null, found.GetProperty("differences")[0].GetProperty("channelId").ValueKind);
        Assert.Equal(_id, found.GetProperty("differences")[1].GetProperty("channelId").GetString());
        Assert.Contains("side a has 7 and", found.GetProperty("differences")[1].GetProperty("Database").GetString());
    }

    [Fact]
    public async Task WhileItReads_PaymentsAndBlocksGoOnAndASecondCallerIsRefused()
    {
        _firstBlock.Reset();
        Task<CliRun> verifying = VerifyAsync();
        await _firstBlockAsked.WaitAsync(TestChain.Limit);

        CliRun second = await VerifyAsync("--json");
        string late = await _alice.OpenAsync(_bob, "500");
        await _alice.PayAsync(_id, "300");
        await _alice.PayAsync(late, "200");
        await anvil.MineAsync(3);
        Assert.False(verifying.IsCompleted);
        Assert.Equal(0, _firstBlockAsked.CurrentCount); // Nothing of this has waited until the question was given up.
        _firstBlock.Set();
        CliRun run = await verifying;
        CliRun after = await VerifyAsync();

        Assert.Equal("NOT_READY", second.ErrorDocument.GetProperty("reason").GetString());
        Assert.Contains("one at a time", second.Error);
        Assert.Equal(ExitCode.Done, run.ExitCode); // Its error output has how far it was, where the machine is slow.
        Assert.StartsWith("2 channels up to block ", run.Output);
        Assert.Equal(ExitCode.Done, after.ExitCode);
    }

    /// <summary>What the caller who went away had asked the chain for is never answered: only that it has gone ends it.</summary>
    [Fact]
    public async Task CallerThatGoesAway_EndsItForTheNext()
    {
        using ManualResetEventSlim never = new();
        _firstBlock = never;
        using (var call = _bob.Api.VerifyChain(new Wire.VerifyChainRequest()))
            await _firstBlockAsked.WaitAsync(TestChain.Limit);

        string reason = "NOT_READY";
        _firstBlock = new ManualResetEventSlim(initialState: true);
        for (int look = 0; look < 1_200 && reason == "NOT_READY"; look++)
        {
            CliRun run = await VerifyAsync("--json");
            reason = run.ExitCode == ExitCode.Done ? "" : run.ErrorDocument.GetProperty("reason").GetString()!;
        }

        never.Set();
        Assert.Equal("", reason);
    }
}

/// <summary>The same on a chain that takes back what it said.</summary>
public sealed class ReorganizedVerificationTests : IAsyncLifetime
{
    private ReorgRig _rig = null!;

    public async Task InitializeAsync() => _rig = await ReorgRig.StartAsync();

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task ReorganisationWhileReading_IsFollowedBack(int depth)
    {
        string id = await _rig.Alice.OpenAsync(_rig.Bob, "1000");
        await _rig.Anvil.MineAsync(12);
        Node node = _rig.Bob.Host.Node;
        await using var chain = await ChainBench.ConnectAsync(_rig.Anvil.HttpUrl, _rig.Chain.Contract, _rig.Anvil.Keys[3]);
        ChainReading reading = new(node.Store, chain.ReadAsync, node.Options.ReorgDepthMax);
        await ReorgRig.DepositAsync(_rig.Alice, id, "500");
        await _rig.Bob.UntilAsync(id, channel => channel.TheirPot == "1500");
        await _rig.AssertRescannedAsync();
        await reading.ReadAsync(node.View.Cursor!, TestChain.Limit);
        Assert.Empty(reading.Compare(TestChain.Limit).Differences);

        await _rig.TakeBackAndHoldAsync(depth);
        Assert.Equal(2, reading.Compare(TestChain.Limit).Differences.Count);
        await reading.ReadAsync(node.View.Cursor!, TestChain.Limit);

        Assert.Equal("1000", (await _rig.Bob.ChannelAsync(id)).TheirPot);
        Assert.Equal(node.View.Cursor, reading.Newest);
        Assert.Empty(reading.Compare(TestChain.Limit).Differences);
    }

    [Fact]
    public async Task WhilePaymentsBlocksAndReorganisationsGoOn_TheAnswerIsThatNothingDiffers()
    {
        string id = await _rig.Alice.OpenAsync(_rig.Bob, "100000");
        await _rig.Anvil.MineAsync(12);
        using CancellationTokenSource ending = new();
        int paid = 0;
        Task paying = Task.Run(async () =>
        {
            for (; !ending.IsCancellationRequested; paid++) await _rig.Alice.PayAsync(id, "1");
        });
        Task mining = Task.Run(async () =>
        {
            for (int block = 0; !ending.IsCancellationRequested; block++)
            {
                await _rig.Anvil.MineAsync();
                if (block % 5 == 4) await _rig.Anvil.ReorgAsync(3);
                await Task.Delay(200);
            }
        });

        List<Wire.VerifyChainResponse> answers = [];
        for (int time = 0; time < 5; time++)
        {
            foreach (TestNode node in (TestNode[])[_rig.Alice, _rig.Bob])
            {
                using var call = node.Api.VerifyChain(new Wire.VerifyChainRequest());
                while (await call.ResponseStream.MoveNext(TestChain.Limit)) answers.Add(call.ResponseStream.Current);
            }
        }

        await ending.CancelAsync();
        await Task.WhenAll(paying, mining);
        Assert.Equal(10, answers.Count);
        Assert.All(answers, answer => Assert.Equal((1ul, 0), (answer.Channels, answer.Differences.Count)));
        Assert.True(paid > 0);
    }
}
