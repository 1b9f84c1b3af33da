using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class WatchtowerCommandTests
{
    private const string Contract = "0x00000000000000000000000000000000000000cc";

    private static readonly string[] Required =
        ["--data-dir", "tower", "--rpc-url", "ws://127.0.0.1:8545", "--contract", Contract];

    [Fact]
    public async Task OnlyWhatIsRequired_TakesTheDefaults()
    {
        (CliRun run, WatchtowerOptions? options) = await CliRun.RunWatchtowerAsync(Required);

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Address.TryParse(Contract, out Address contract);
        NodeOptions node = new()
        {
            DataDirectory = "tower",
            KeyFile = "channelnode.key",
            RpcUrl = "ws://127.0.0.1:8545",
            Contract = contract,
        };
        Assert.Equal(new WatchtowerOptions { Node = node }, options);
    }

    [Theory]
    [InlineData("--listen", "0.0.0.0:9000", nameof(WatchtowerOptions.Listen))]
    [InlineData("--channels-per-signer-max", "7", nameof(WatchtowerOptions.ChannelsPerSignerMax))]
    [InlineData("--channels-max", "8", nameof(WatchtowerOptions.ChannelsMax))]
    [InlineData("--sessions-max", "9", nameof(WatchtowerOptions.SessionsMax))]
    [InlineData("--handshakes-max", "10", nameof(WatchtowerOptions.HandshakesMax))]
    [InlineData("--handshakes-per-second-max", "11", nameof(WatchtowerOptions.HandshakesPerSecondMax))]
    public async Task EachFlag_SetsItsOption(string flag, string value, string property)
    {
        (_, WatchtowerOptions? options) = await CliRun.RunWatchtowerAsync([.. Required, flag, value]);

        Assert.Equal(value, typeof(WatchtowerOptions).GetProperty(property)!.GetValue(options)!.ToString());
    }

    [Fact]
    public async Task OtherFlags_SetTheirOptions()
    {
        (_, WatchtowerOptions? options) = await CliRun.RunWatchtowerAsync(
            [.. Required, "--settle", "--empty-kept-hours", "5", "--gas-budget", "11", "--accept", Contract, "--accept", Contract]);

        Assert.Equal((true, TimeSpan.FromHours(5)), (options!.Settles, options.EmptyKeptFor));
        Assert.Equal(11ul, options.Node.GasBudgetWeiPerDay);
        Assert.Equal([options.Node.Contract, options.Node.Contract], options.AcceptedSigners);
    }

    [Theory]
    [InlineData("--channels-max", "0", "a whole number from 1 to 10000000")]
    [InlineData("--accept", "0x12", "an address of 40 hex digits, with or without 0x")]
    [InlineData("--empty-kept-hours", "0", "a whole number from 1 to 8760")]
    public async Task WrongValue_NamesFieldValueAndLimit(string flag, string value, string limit)
    {
        (CliRun run, WatchtowerOptions? options) = await CliRun.RunWatchtowerAsync([.. Required, flag, value]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Null(options);
        Assert.Equal($"error: INVALID_ARGUMENT: {flag}: '{value}' is not {limit}\n", run.Error);
    }
}
