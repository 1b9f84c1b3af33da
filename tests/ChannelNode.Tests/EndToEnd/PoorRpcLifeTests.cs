using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.Settlement;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// The whole life of two channels of a node that sees its chain only through a poor RPC: deposits, payments, a dispute, a
/// settlement and a claim. Its owner has in the end what it is owed, and its view is that of a rescan.
/// </summary>
public sealed class PoorRpcLifeTests : IAsyncLifetime
{
    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestNode _payer = null!;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _payer = await TestNode.StartAsync(_chain, options => options with { ReplaceAfterSeconds = 1 });
    }

    public async Task DisposeAsync()
    {
        await _payer.DisposeAsync();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    public static TheoryData<string> Faults { get; } =
        ["delays", "errors", "old heads", "spoilt logs", "disconnects", "all of them"];

    [Theory, MemberData(nameof(Faults))]
    public async Task ChannelsLifeThroughAPoorRpc_EndsAsOwed(string fault)
    {
        bool all = fault == "all of them";
        using PoorRpc rpc = new(_anvil.HttpUrl)
        {
            Delay = TimeSpan.FromMilliseconds(fault == "delays" ? 40 : 1),
            ErrorsPerHundred = fault == "errors" ? 5 : all ? 2 : 0,
            LagBlocks = fault == "old heads" || all ? 3UL : 0,
            DropsLogs = fault == "spoilt logs" || all,
            RepeatsLogs = fault == "spoilt logs" || all,
            ReordersLogs = fault == "spoilt logs" || all,
            DisconnectsPerHundred = fault == "disconnects" ? 5 : all ? 2 : 0,
        };

        await LiveAsync(rpc.Url, () => { });

        if (fault != "delays") Assert.True(rpc.FaultCount > 0);
    }

    [Fact]
    public async Task ChannelsLifeThroughAWebSocketThatIsCutAgainAndAgain_EndsAsOwed()
    {
        using TcpRelay relay = new(new Uri(_anvil.HttpUrl).Port);

        await LiveAsync($"ws://127.0.0.1:{relay.Port}", relay.CutAll);

        Assert.True(relay.ConnectionCount > 5);
    }

    /// <param name="between">What happens to the connection before each step and in its middle.</param>
    private async Task LiveAsync(string rpcUrl, Action between)
    {
        Address owner = RawChannel.FreshAddress();
        await using TestNode payee = await StartPatientlyAsync(rpcUrl, owner);
        between();
        string id = await _payer.OpenAsync(payee, "1000"), oneWay = await _payer.OpenAsync(payee, "500", oneWay: true);
        await _payer.PayAsync(id, "300");
        await _payer.PayAsync(oneWay, "200");
        between();
        Task depositing = ReorgRig.DepositAsync(payee, id, "70");
        between();
        await depositing;
        await _payer.UntilAsync(id, channel => channel.TheirPot == "70");
        await payee.PayAsync(id, "20");

        between();
        Task starting = ReorgRig.StartCloseAsync(_payer, id);
        between();
        await starting;
        await payee.UntilAsync(id, channel => channel.TheirRecordedSent == "300");
        between();
        Task claiming = ReorgRig.ClaimAsync(payee);
        between();
        await claiming;
        await _anvil.PassTimeAsync(601);
        between();
        await payee.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await _anvil.MineUntilAsync(() => Task.FromResult(payee.Host.Node.Jobs.Shallow.Count == 0));

        // 70 and 300 of the one channel, less the 20 that it paid; 200 of the other.
        Assert.Equal((UInt128)550, await _chain.EtherOfAsync(owner));
        foreach ((string channel, UInt128 potA) in new[] { (id, (UInt128)0), (oneWay, (UInt128)300) })
        {
            ChannelId.TryParse(channel, out ChannelId its);
            Pots pots = await _chain.SidesAsync(its);
            Assert.Equal((potA, UInt128.Zero), (pots.PotA, pots.PotB));
            Assert.Equal(pots, ReorgRig.SlotOf(payee, channel).State.OnChain);
        }
    }

    /// <summary>One that is not answered when it starts says so and ends: its supervisor starts it again.</summary>
    private async Task<TestNode> StartPatientlyAsync(string rpcUrl, Address owner)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await TestNode.StartAsync(_chain, options => options with
                {
                    RpcUrl = rpcUrl,
                    Owner = owner,
                    ReplaceAfterSeconds = 1,
                    ClaimLookSeconds = 3_600,
                });
            }
            catch (RefusalException refusal) when (refusal.Refusal == Refusal.ChainUnavailable && attempt < 20)
            {
                await Task.Delay(50);
            }
        }
    }
}
