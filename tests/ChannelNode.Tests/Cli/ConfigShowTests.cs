using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>What 'config show' says of settings is what a node would have.</summary>
public sealed class ConfigShowTests
{
    /// <summary>What nobody has given does not listen.</summary>
    [Theory]
    [InlineData("run")]
    [InlineData("watchtower")]
    public async Task DoorThatIsShut_IsNotToldOf(string command)
    {
        JsonElement shown = await ShowAsync(command);

        List<(string Name, string Listen)> doors = [("metrics-listen", CommonFlags.Defaults.MetricsListen)];
        if (command == "run") doors.Add(("json-listen", CommonFlags.Defaults.Applications.JsonListen));
        foreach ((string name, string listen) in doors)
            Assert.Equal((listen, listen), (ValueOf(shown, name), Find(shown, name).GetProperty("default").GetString()));
    }

    /// <summary>For people with its unit, for programs in smallest units, whatever it was typed in; the same in the default's place.</summary>
    [Theory]
    [InlineData("gas-budget", "0.25 ETH", "250000000000000000", "wei", "0.25 ETH", "0.5 ETH")]
    [InlineData("gas-budget", "0", "0", "wei", "0 wei", "0.5 ETH")]
    [InlineData("dispute-reserve", "7", "7", "wei", "7 wei", "1 ETH")]
    [InlineData("fee-max", "1.5 gwei", "1500000000", "wei per gas", "1.5 gwei", "200 gwei")]
    [InlineData("fee-max", "9", "9", "wei per gas", "9 wei", "200 gwei")]
    [InlineData("dispute-fee-max", "0.00001 ETH", "10000000000000", "wei per gas", "10000 gwei", "5000 gwei")]
    [InlineData("credit-larger", "2 ether", "2000000000000000000", "wei", "2 ETH", "1 ETH")]
    [InlineData("token-credit-larger", "20000000 units", "20000000", "smallest units", "20000000 units", "1000000000 units")]
    [InlineData("claim-from", "5000", "5000", "smallest units", "5000 units", "0 units")]
    public async Task Amount_IsShownWithItsUnit(string name, string typed, string plain, string unit, string shown, string byDefault)
    {
        JsonElement setting = Find(await ShowAsync($"--{name}", typed), name);
        CliRun people = await CliRun.AsyncOf("config", "show", $"--{name}", typed);

        Assert.Equal((plain, unit), (setting.GetProperty("value")[0].GetString(), setting.GetProperty("unit").GetString()));
        string row = Assert.Single(people.OutputLines, line => line.Trim(' ', '\u2502', '|').StartsWith(name + " ", StringComparison.Ordinal));
        Assert.Contains($" {shown} ", row);
        Assert.Contains($" {byDefault} ", row);
        Assert.Matches("^[0-9]+$", setting.GetProperty("default").GetString());
    }

    /// <summary>Nothing is rounded, nothing is guessed.</summary>
    [Theory]
    [InlineData("--gas-budget", "0.5", "is not an amount from 0 wei to 18.446744073709551615 ETH, such as '0.5 ETH', '30 gwei', or wei as digits alone")]
    [InlineData("--gas-budget", "18446744073709551616", "is not an amount from 0 wei to 18.446744073709551615 ETH, such as '0.5 ETH', '30 gwei', or wei as digits alone")]
    [InlineData("--gas-budget", "19 ETH", "is not an amount from 0 wei to 18.446744073709551615 ETH, such as '0.5 ETH', '30 gwei', or wei as digits alone")]
    [InlineData("--gas-budget", "0.0000000000000000001 ETH", "has 19 digits behind the point, and ETH has 18; nothing is rounded")]
    [InlineData("--gas-budget", "5 USDC", "is in USDC, expected ETH, gwei or wei: this is in ether")]
    [InlineData("--fee-max", "0", "is not an amount from 1 wei to 1000000 gwei, such as '30 gwei', or wei as digits alone")]
    [InlineData("--fee-max", "0.001 wei", "has 3 digits behind the point, and wei has 0; nothing is rounded")]
    [InlineData(
        "--token-credit-small", "0.5 ETH",
        "is not an amount from 0 units to 5192296858534827628530496329220095 units, 'units' or digits alone: of any token, however that divides")]
    public async Task AmountThatIsNone_NamesFieldValueAndLimit(string flag, string value, string why)
    {
        CliRun run = await CliRun.AsyncOf("config", "show", flag, value);

        Assert.Equal((ExitCode.WrongUsage, $"error: INVALID_ARGUMENT: {flag}: '{value}' {why}\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task Help_ShowsAmountsWithTheirUnit()
    {
        CliRun run = await CliRun.AsyncOf("run", "--help");

        string words = string.Join(' ', run.Output.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("or wei as digits alone) [default: 0.5 ETH]", words);
        Assert.Contains("or wei as digits alone) [default: 200 gwei]", words);
    }

    private static async Task<JsonElement> ShowAsync(params string[] args)
    {
        CliRun run = await CliRun.AsyncOf(["config", "show", .. args, "--json"]);
        Assert.Equal("", run.Error);
        return JsonDocument.Parse(run.Output).RootElement;
    }

    private static JsonElement Find(JsonElement shown, string name) =>
        shown.GetProperty("settings").EnumerateArray().Single(setting => setting.GetProperty("name").GetString() == name);

    private static string ValueOf(JsonElement shown, string name) =>
        string.Concat(Find(shown, name).GetProperty("value").EnumerateArray().Select(value => value.GetString()));
}
