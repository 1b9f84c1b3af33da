using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.Settlement;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Whole nodes on a real chain that takes back what it said: the view is a rescan's, and no money is lost.</summary>
public sealed class ReorganizationTests : IAsyncLifetime
{
    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _alice = await TestNode.StartAsync(_chain, options => options with { RpcUrl = _anvil.WebSocketUrl, ReplaceAfterSeconds = 1 });
        _bob = await TestNode.StartAsync(_chain, options => options with { RpcUrl = _anvil.HttpUrl, ReplaceAfterSeconds = 1 });
        await _anvil.MineAsync(12); // What was set up is deeper than what is taken back.
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    /// <summary>The newest <paramref name="depth"/> blocks, of which the oldest holds what was done last.</summary>
    private async Task TakeBackAsync(int depth)
    {
        if (depth > 1) await _anvil.MineAsync(depth - 1);
        await AssertRescannedAsync();
        await _anvil.ReorgAsync(depth);
        await AssertRescannedAsync();
    }

    /// <summary>As <see cref="TakeBackAsync"/>, and what is sent again waits in the pool.</summary>
    private async Task TakeBackAndHoldAsync(int depth)
    {
        await _anvil.RpcAsync<object?>("evm_setAutomine", false);
        await TakeBackAsync(depth);
    }

    private async Task MineOnAsync()
    {
        await _anvil.RpcAsync<object?>("evm_setAutomine", true);
        await _anvil.MineAsync();
    }

    /// <summary>Whether what was done in the oldest of the blocks taken back is done again by its job, unasked.</summary>
    private bool IsDoneAgain(int depth) => depth < _alice.Host.Node.Options.ConfirmationsLarger;

    /// <summary>Both nodes come to show what all events from the first block say.</summary>
    private async Task AssertRescannedAsync()
    {
        foreach (TestNode node in (TestNode[])[_alice, _bob])
        {
            string found = "";
            for (int look = 0; look < 200; look++)
            {
                (ChainBlock head, Dictionary<ChannelId, ChannelState> states) = await RescanAsync();
                found = Compare(node.Host.Node, head, states);
                if (found.Length == 0) break;
                await Task.Delay(50);
            }

            Assert.True(found.Length == 0, found);
        }
    }

    private static string Compare(Node node, ChainBlock head, Dictionary<ChannelId, ChannelState> states)
    {
        if (node.View.Cursor != head) return $"the view is at {node.View.Cursor}, the chain at {head}";
        foreach (StoredChannel stored in node.Book.Read(null, 1_000))
        {
            ChannelState expected = states.GetValueOrDefault(stored.Channel.Id);
            if ((stored.State.OnChain, stored.State.EverFunded) != (expected.OnChain, expected.EverFunded))
                return $"{stored.Channel.Id}: {stored.State.OnChain}, a rescan says {expected.OnChain}";
        }

        return "";
    }

    private async Task<(ChainBlock Head, Dictionary<ChannelId, ChannelState> States)> RescanAsync()
    {
        await using EthereumChain chain = await ChainBench.ConnectAsync(_anvil.HttpUrl, _chain.Contract, _anvil.Keys[3]);
        Dictionary<ChannelId, ChannelState> states = [];
        await foreach (ChainBatch batch in chain.FollowAsync([], TestChain.Limit))
        {
            foreach (ChainEvent seen in batch.Events)
                states[seen.Channel] = Lifecycle.Observe(Core.Sample.Channel(), states.GetValueOrDefault(seen.Channel), seen);
            if (batch.IsCaughtUp) return (batch.Cursor!, states);
        }

        throw new InvalidOperationException("the chain was not read");
    }

    private async Task<Channel> RunAsync<T>(string id, AsyncServerStreamingCall<T> call)
    {
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
        {
        }

        ChannelId.TryParse(id, out ChannelId channel);
        return _alice.Host.Node.Book.Get(channel).Channel;
    }

    private Task TopUpAsync(TestNode node, string id, string amount) =>
        RunAsync(id, node.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = id, Amount = amount }));

    private ChannelSlot SlotOf(TestNode node, string id)
    {
        ChannelId.TryParse(id, out ChannelId channel);
        return node.Host.Node.Book.Get(channel);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(10)]
    public async Task CreditOnAReorganisedDeposit_IsTakenBackAndReturnsWithIt(int depth)
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _anvil.MineAsync(12);
        await TopUpAsync(_alice, id, "500");
        await _bob.UntilAsync(id, channel => channel.TheirPot == "1500");
        await _alice.PayAsync(id, "1300");

        await TakeBackAndHoldAsync(depth);

        await _bob.UntilAsync(id, channel => channel is { TheirPot: "1000", Received: "1300" });
        Assert.Equal(
            Refusal.InsufficientBalance,
            Updates.Check(SlotOf(_bob, id).Channel, SlotOf(_bob, id).State, new BalanceUpdate(SlotOf(_bob, id).Channel.Id, 1_301, 0)));
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(id, "1"), StatusCode.FailedPrecondition, "INSUFFICIENT_BALANCE");

        await MineOnAsync();
        if (!IsDoneAgain(depth)) await TopUpAsync(_alice, id, "500");
        await _bob.UntilAsync(id, channel => channel.TheirPot == "1500");
        await _alice.PayAsync(id, "200");
        Assert.Equal("1500", (await _bob.ChannelAsync(id)).Received);
    }

    [Fact]
    public async Task FirstDepositThatIsReorganisedAway_LeavesTheChannelAsProposedAndOpensItAgain()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");

        await TakeBackAndHoldAsync(2);

        await _bob.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Proposed, Received: "300" });
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(id, "1"), StatusCode.FailedPrecondition, "DEPOSIT_UNCONFIRMED");
        await MineOnAsync();
        await _bob.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Open, Received: "300" });
        await _alice.PayAsync(id, "700");
    }

    [Fact]
    public async Task LargeDeposit_CountsInPartAtOnceAndWithItsConfirmationsMore()
    {
        await _anvil.RpcAsync<object?>("evm_setAutomine", true);
        string id = await _alice.OpenAsync(_bob, "500000000000000000");
        await _alice.PayAsync(id, "10000000000000000");
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(id, "1"), StatusCode.FailedPrecondition, "DEPOSIT_UNCREDITED");
        Channel channel = SlotOf(_bob, id).Channel;
        BalanceUpdate more = new(channel.Id, 10_000_000_000_000_001, 0);
        Assert.Equal(Refusal.DepositUncredited, Updates.Check(channel, SlotOf(_bob, id).State, more));

        await _anvil.MineAsync(5);
        await AssertRescannedAsync();

        Assert.Equal(Refusal.None, Updates.Check(channel, SlotOf(_bob, id).State, more));
        await _alice.PayAsync(id, "490000000000000000");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(10)]
    public async Task ClosingThatIsReorganisedAway_IsUndoneStepByStep(int depth)
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");
        await _anvil.MineAsync(12);

        // Alice starts with nothing, Bob's node disputes; then each is taken back and done again by its node.
        await RunAsync(id, _alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id }));
        await _bob.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Closing, TheirRecordedSent: "300" });
        await TakeBackAsync(depth);
        await _anvil.MineAsync();
        await AssertRescannedAsync();

        if ((await _alice.ChannelAsync(id)).Status != Wire.ChannelStatus.Closing)
            await RunAsync(id, _alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id }));
        await _bob.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Closing, TheirRecordedSent: "300" });
        await _anvil.PassTimeAsync(601);
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await TakeBackAsync(depth);
        await _anvil.PassTimeAsync(601);
        await _alice.UntilAsync(id, channel => channel.Status is Wire.ChannelStatus.Closed or Wire.ChannelStatus.Open);
        await AssertRescannedAsync();
        Assert.Equal("300", (await _bob.ChannelAsync(id)).Received);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task ClaimThatIsReorganisedAway_IsMadeAgain(int depth)
    {
        string id = await _alice.OpenAsync(_bob, "1000", oneWay: true);
        await _alice.PayAsync(id, "300");
        await _anvil.MineAsync(12);
        await RunAsync(id, _bob.Api.ClaimChannels(new Wire.ClaimChannelsRequest()));
        await _bob.UntilAsync(id, channel => channel.TheirRecordedSent == "300");

        await TakeBackAndHoldAsync(depth);

        await _bob.UntilAsync(id, channel => channel is { TheirRecordedSent: "0", TheirPot: "1000", Received: "300" });
        await MineOnAsync();
        if (!IsDoneAgain(depth)) await RunAsync(id, _bob.Api.ClaimChannels(new Wire.ClaimChannelsRequest()));
        await _bob.UntilAsync(id, channel => channel.TheirRecordedSent == "300");
        await AssertRescannedAsync();
        Assert.Equal("700", (await _bob.ChannelAsync(id)).TheirPot);
    }

    [Fact]
    public async Task CooperativeCloseThatIsReorganisedAway_LeavesThePeersUpdateAndTheAgreement()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");
        await _anvil.MineAsync(12);
        await RunAsync(id, _alice.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }));
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        Assert.False(SlotOf(_bob, id).State.HasTheirUpdate);

        await TakeBackAndHoldAsync(2);

        ChannelState state = SlotOf(_bob, id).State;
        Assert.Equal((ChannelStatus.CloseAgreed, true), (state.Status, state.HasTheirUpdate));
        Assert.Equal((300, 1_000), ((int)state.TheirSent, (int)state.OnChain.PotA));
        await MineOnAsync();
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
    }
}
