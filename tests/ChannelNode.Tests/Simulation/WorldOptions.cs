using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Simulation;

/// <summary>What the simulated nodes are set to.</summary>
internal static class WorldOptions
{
    /// <summary>Of the large channels, where there are small ones too.</summary>
    private static readonly Address Token = new(0, 0, 0x70);

    public static NodeOptions Of(Random random, bool hasTower)
    {
        NodeOptions options = OfOneChannel(random, hasTower);
        // Less than two channels could have counted together, so that it holds something back.
        return options with { CreditSmallTotalMax = options.CreditSmallMax * 3 / 2, CreditLargerTotalMax = options.CreditLargerMax * 3 / 2 };
    }

    private static NodeOptions OfOneChannel(Random random, bool hasTower) => new()
    {
        DataDirectory = "",
        KeyFile = "",
        DisputeWindowSecondsMin = 1,
        RpcUrl = "",
        Contract = new Address(0xc0, 0xff, 0xee),
        ReorgDepthMax = 32,
        ConfirmationsLarger = (uint)random.Next(3, 7),
        CreditSmallMax = (UInt128)random.Next(50, 400),
        CreditLargerMax = (UInt128)random.Next(500, 1_500),
        PollMs = 2_000,
        ChainSilenceSecondsMax = 40,
        ReplaceAfterSeconds = 15,
        CloseDeadlineSeconds = 60,
        ClaimLookSeconds = 20,
        Watchtowers = hasTower ? ["http://tower"] : [],
        WatchtowerEveryMs = !hasTower ? 60_000u : random.Next(2) == 0 ? 1_000u : 15_000u,
        ClaimFromGasTimes = 0,
        ClaimFrom = (UInt128)random.Next(0, 300),
        ChannelsInMemoryMax = random.Next(2) == 0 ? 1 : 1_024,
    };

    /// <summary>
    /// A unit in the large channels is worth an ether; of the day's gas a node may use what one or two disputes cost, and nothing for anything else.
    /// </summary>
    public static NodeOptions AmidDust(NodeOptions options) => options with
    {
        AcceptedTokens = [Token],
        TokenRates = [new TokenRate(Token, 1)],
        TokenCreditSmallMax = options.CreditSmallMax,
        TokenCreditLargerMax = options.CreditLargerMax,
        TokenCreditSmallTotalMax = options.CreditSmallTotalMax,
        TokenCreditLargerTotalMax = options.CreditLargerTotalMax,
        GasBudgetWeiPerDay = 0,
        DisputeReserveWeiPerDay = 500_000 * SimulatedNetwork.Gwei,
    };
}
