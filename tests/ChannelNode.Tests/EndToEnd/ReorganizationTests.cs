using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Whole nodes on a real chain that takes back what it said: the view is a rescan's, and no money is lost.</summary>
public sealed class ReorganizationTests : IAsyncLifetime
{
    private ReorgRig _rig = null!;
    private AnvilFixture _anvil = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;

    public async Task InitializeAsync()
    {
        _rig = await ReorgRig.StartAsync();
        (_anvil, _alice, _bob) = (_rig.Anvil, _rig.Alice, _rig.Bob);
    }

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(10)]
    public async Task CreditOnAReorganisedDeposit_IsTakenBackAndReturnsWithIt(int depth)
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _anvil.MineAsync(12);
        await ReorgRig.DepositAsync(_alice, id, "500");
        await _bob.UntilAsync(id, channel => channel.TheirPot == "1500");
        await _alice.PayAsync(id, "1300");

        await _rig.TakeBackAndHoldAsync(depth);

        await _bob.UntilAsync(id, channel => channel is { TheirPot: "1000", Received: "1300" });
        ChannelSlot slot = ReorgRig.SlotOf(_bob, id);
        Assert.Equal(
            Refusal.InsufficientBalance,
            Updates.Check(slot.Channel, slot.State, new BalanceUpdate(slot.Channel.Id, 1_301, 0)));
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(id, "1"), StatusCode.FailedPrecondition, "INSUFFICIENT_BALANCE");

        await _rig.MineOnAsync();
        if (!_rig.IsDoneAgain(depth)) await ReorgRig.DepositAsync(_alice, id, "500");
        await _bob.UntilAsync(id, channel => channel.TheirPot == "1500");
        await _alice.UntilAsync(id, channel => channel.OurPot == "1500");
        await _alice.PayAsync(id, "200");
        Assert.Equal("1500", (await _bob.ChannelAsync(id)).Received);
    }

    [Fact]
    public async Task FirstDepositThatIsReorganisedAway_LeavesTheChannelAsProposedAndOpensItAgain()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");

        await _rig.TakeBackAndHoldAsync(2);

        await _bob.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Proposed, Received: "300" });
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(id, "1"), StatusCode.FailedPrecondition, "DEPOSIT_UNCONFIRMED");
        await _rig.MineOnAsync();
        await _bob.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Open, Received: "300" });
        await _alice.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
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
        Channel channel = ReorgRig.SlotOf(_bob, id).Channel;
        BalanceUpdate more = new(channel.Id, 10_000_000_000_000_001, 0);
        Assert.Equal(Refusal.DepositUncredited, Updates.Check(channel, ReorgRig.SlotOf(_bob, id).State, more));

        await _anvil.MineAsync(5);
        await _rig.AssertRescannedAsync();

        Assert.Equal(Refusal.None, Updates.Check(channel, ReorgRig.SlotOf(_bob, id).State, more));
        await _alice.PayAsync(id, "490000000000000000");
    }

    /// <summary>Anvil calls final what is two epochs deep, and safe what is one.</summary>
    [Theory]
    [InlineData(true, 8)]
    [InlineData(false, 4)]
    public async Task LargeDeposit_CountsInFullOnlyWhenTheChainCallsItsBlockFinal(bool finalized, ulong lag)
    {
        const ulong Ether = 1_000_000_000_000_000_000;
        await using ReorgRig rig = await ReorgRig.StartAsync(
            options => options with { Finality = finalized ? FinalityTag.Finalized : FinalityTag.Safe, ConfirmationsLarger = 2 }, "--slots-in-an-epoch", "4");
        string id = await rig.Alice.OpenAsync(rig.Bob, $"{3 * (UInt128)Ether}");
        ulong block = await rig.Anvil.HeadAsync();
        await rig.Anvil.MineAsync();
        await rig.AssertRescannedAsync();
        await rig.Alice.PayAsync(id, $"{Ether}");

        Channel channel = ReorgRig.SlotOf(rig.Bob, id).Channel;
        BalanceUpdate more = new(channel.Id, (UInt128)Ether + 1, 0);
        while (await rig.Anvil.HeadAsync() < block + lag - 1)
        {
            await rig.Anvil.MineAsync();
            await rig.AssertRescannedAsync();
            Assert.Equal(Refusal.DepositUncredited, Updates.Check(channel, ReorgRig.SlotOf(rig.Bob, id).State, more));
        }

        await Refusals.AssertRefusedAsync(
            () => rig.Alice.PayAsync(id, "1"), StatusCode.FailedPrecondition, "DEPOSIT_UNCREDITED");
        await rig.Anvil.MineAsync();
        await rig.AssertRescannedAsync();
        await rig.Alice.PayAsync(id, $"{2 * (UInt128)Ether}");
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
        await ReorgRig.StartCloseAsync(_alice, id);
        await _bob.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Closing, TheirRecordedSent: "300" });
        await _rig.TakeBackAsync(depth);
        await _anvil.MineAsync();
        await _rig.AssertRescannedAsync();

        // Refused where her own job does it again meanwhile.
        if ((await _alice.ChannelAsync(id)).Status != Wire.ChannelStatus.Closing)
            await Record.ExceptionAsync(() => ReorgRig.StartCloseAsync(_alice, id));
        await _bob.UntilAsync(id, channel => channel is { Status: Wire.ChannelStatus.Closing, TheirRecordedSent: "300" });
        await _anvil.PassTimeAsync(601);
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await _rig.TakeBackAsync(depth);
        await _anvil.PassTimeAsync(601);
        await _alice.UntilAsync(id, channel => channel.Status is Wire.ChannelStatus.Closed or Wire.ChannelStatus.Open);
        await _rig.AssertRescannedAsync();
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
        await ReorgRig.ClaimAsync(_bob);
        await _bob.UntilAsync(id, channel => channel.TheirRecordedSent == "300");

        await _rig.TakeBackAndHoldAsync(depth);

        await _bob.UntilAsync(id, channel => channel is { TheirRecordedSent: "0", TheirPot: "1000", Received: "300" });
        await _rig.MineOnAsync();
        if (!_rig.IsDoneAgain(depth)) await ReorgRig.ClaimAsync(_bob);
        await _bob.UntilAsync(id, channel => channel.TheirRecordedSent == "300");
        await _rig.AssertRescannedAsync();
        Assert.Equal("700", (await _bob.ChannelAsync(id)).TheirPot);
    }

    [Fact]
    public async Task CooperativeCloseThatIsReorganisedAway_LeavesThePeersUpdateAndTheAgreement()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");
        await _anvil.MineAsync(12);
        await ReorgRig.RunAsync(_alice.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }));
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        Assert.False(ReorgRig.SlotOf(_bob, id).State.HasTheirUpdate);

        await _rig.TakeBackAndHoldAsync(2);

        ChannelState state = ReorgRig.SlotOf(_bob, id).State;
        Assert.Equal((ChannelStatus.CloseAgreed, true), (state.Status, state.HasTheirUpdate));
        Assert.Equal((300, 1_000), ((int)state.TheirSent, (int)state.OnChain.PotA));
        await _rig.MineOnAsync();
        await _bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
    }

    /// <summary>A unit on each side that only the close had counted: for who pays it is spent, for who is paid it never came.</summary>
    [Fact]
    public async Task CooperativeCloseThatTheChainTakesBackForGood_LeavesAChannelInWhichBothGoOnPaying_AndWhichClosesExactly()
    {
        string id = await CloseThatIsTakenBackForGoodAsync();

        await _alice.PayAsync(id, "10");
        await _bob.UntilAsync(id, channel => channel.Received == "311");
        await _bob.PayAsync(id, "5");
        await _alice.UntilAsync(id, channel => channel.Received == "6");

        await _alice.UntilAsync(id, channel => channel is { OurBalance: "695", TheirBalance: "305", PeerRefusal: Wire.Refusal.Unspecified });
        await ReorgRig.RunAsync(_alice.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }));
        Pots pots = await _rig.Chain.SidesAsync(ReorgRig.SlotOf(_alice, id).Channel.Id);
        Assert.Equal(new Pots(0, 312, 0, 7, 0), pots);
        using var received = _bob.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { KeptOnly = true });
        List<string> amounts = [];
        while (await received.ResponseStream.MoveNext(TestChain.Limit))
            amounts.AddRange(received.ResponseStream.Current.Payments.Select(payment => payment.Amount));
        Assert.Equal(["300", "1", "10"], amounts);
    }

    [Fact]
    public async Task CooperativeCloseThatTheChainTakesBackForGood_IsAgreedAgainWithoutAnyPayment()
    {
        string id = await CloseThatIsTakenBackForGoodAsync();

        // The first question may come before both have told each other the unit.
        for (int tries = 0; (await _alice.ChannelAsync(id)).Status == Wire.ChannelStatus.Open; tries++)
        {
            try
            {
                await ReorgRig.RunAsync(_alice.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }));
            }
            catch (RpcException early) when (tries < 10 && early.Status.Detail.Length > 0)
            {
                await Task.Delay(200);
            }
        }

        Assert.Equal(new Pots(0, 302, 0, 2, 0), await _rig.Chain.SidesAsync(ReorgRig.SlotOf(_alice, id).Channel.Id));
    }

    /// <summary>Mined, taken back, and mined again only when its deadline is past, so that it reverts.</summary>
    private async Task<string> CloseThatIsTakenBackForGoodAsync()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "300");
        await _anvil.MineAsync(12);
        await ReorgRig.RunAsync(_alice.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }));
        foreach (TestNode node in (TestNode[])[_alice, _bob])
            await node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await _rig.TakeBackAndHoldAsync(2);
        foreach (TestNode node in (TestNode[])[_alice, _bob])
            await node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.CloseAgreed);

        await _anvil.PassTimeAsync(_alice.Host.Node.Options.CloseDeadlineSeconds + 60);
        await _rig.MineOnAsync();
        await _anvil.MineAsync(_rig.Deep);
        foreach (TestNode node in (TestNode[])[_alice, _bob])
            await node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        Assert.Equal((301, 300), ((int)ReorgRig.SlotOf(_alice, id).State.Sent, (int)ReorgRig.SlotOf(_bob, id).State.TheirSent));
        return id;
    }
}
