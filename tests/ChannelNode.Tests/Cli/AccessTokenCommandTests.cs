using ChannelNode.Cli;
using ChannelNode.Tests.EndToEnd;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>Tokens by the command line, against a real node.</summary>
[Collection(DoorsCollection.Name)]
public sealed class AccessTokenCommandTests(AnvilFixture anvil) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task MethodThatIsNone_IsWrongUsageThatNamesTheNearestAndAll()
    {
        CliRun run = await CliRun.AsyncOf("token", "create", "--name", "x", "--method", "GetInfos", "--node", "http://127.0.0.1:1");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.StartsWith("error: INVALID_ARGUMENT: --method: 'GetInfos' is no method; the nearest is GetInfo; there are AttestPeer, ", run.Error);
        Assert.Contains(", StreamPayments, ", run.Error);
    }

    [Fact]
    public async Task TokensLife_FromItsMakingToItsEnd_AndItsSecretIsNowhereElse()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        TestNode node = await TestNode.StartAsync(chain);
        string data = node.DataDirectory, url = node.Host.ApiUrl, file = Path.Combine(_folder, "shop.token");
        CliRun shown = await CliRun.AsyncOf("token", "create", "--node", url, "--name", "reader", "--scope", "read");
        Assert.StartsWith("cn_1_", shown.Output);
        Assert.EndsWith("  access token 1; it is shown here and never again\n", shown.Output);
        string[] order =
        [
            "token", "create", "--node", url, "--name", "shop", "--scope", "pay", "--scope", "read", "--message-bytes-max", "64KiB", "--cap",
            "ether:per-payment=0.001 ETH,per-day=1000000000000000000", "--valid-hours", "720", "--from-ip", "127.0.0.1",
            "--to", file,
        ];
        CliRun written = await CliRun.AsyncOf(order);
        Assert.Equal($"access token 2 written to {file}; keep it secret\n", written.Output);
        string secret = (await File.ReadAllTextAsync(file)).Trim();
        Assert.StartsWith("cn_2_", secret);
        Assert.Contains("exists", (await CliRun.AsyncOf(order)).Error);
        string nowhere = Path.Combine(_folder, "no", "such", "folder");
        CliRun lost = await CliRun.AsyncOf([.. order[..^1], nowhere]);
        Assert.Equal(ExitCode.WrongUsage, lost.ExitCode);
        Assert.StartsWith($"error: INVALID_ARGUMENT: --to: {nowhere} cannot be written: ", lost.Error);
        string never = Path.Combine(_folder, "never.token");
        Assert.Contains("from_ips", (await CliRun.AsyncOf([.. order[..^3], "--from-ip", "nowhere", "--to", never])).Error);
        Assert.False(File.Exists(never));

        CliRun pays = await CliRun.AsyncOf("info", "--json", "--node", url, "--access-token-file", file);
        Assert.Equal((0, ""), (pays.ExitCode, pays.Error));
        CliRun asks = await CliRun.AsyncOf("token", "list", "--node", url, "--access-token-file", file);
        Assert.StartsWith("error: SCOPE_MISSING: token 2 has read, pay, expected admin", asks.Error);

        CliRun list = await CliRun.AsyncOf("token", "list", "--node", url);
        Assert.Contains(list.OutputLines, line => line.Contains(" reader ", StringComparison.Ordinal) && line.Contains(" anywhere ", StringComparison.Ordinal));
        Assert.Contains(list.OutputLines, line => line.Contains(" shop ", StringComparison.Ordinal) && line.Contains(" 127.0.0.1/32 ", StringComparison.Ordinal));
        Assert.Contains("ether:per-payment=0.001 ETH,per-day=1 ETH; messages of 64 KiB", list.Output);
        Assert.Equal("access token 2 \"shop\" is good for nothing any more\n", (await CliRun.AsyncOf("token", "revoke", "2", "--node", url)).Output);
        CliRun late = await CliRun.AsyncOf("info", "--node", url, "--access-token-file", file);
        Assert.StartsWith("error: ACCESS_TOKEN_REVOKED: access token 2 was revoked", late.Error);
        CliRun all = await CliRun.AsyncOf("token", "list", "--all", "--json", "--node", url);
        Assert.Equal(3, (await CliRun.AsyncOf("token", "create", "--node", url, "--name", "x", "--scope", "read")).Output[3] - '0');

        await node.DisposeAsync();
        string[] secrets = [secret, shown.Output.Split(' ')[0]];
        string said = string.Concat(written.Output, list.Output, all.Output, asks.Error, late.Error, pays.Output);
        foreach (string random in secrets.Select(text => text[(text.LastIndexOf('_', 6) + 1)..]))
        {
            Assert.DoesNotContain(random, said);
            foreach (string stored in Directory.EnumerateFiles(data, "*", SearchOption.AllDirectories))
                Assert.DoesNotContain(random, System.Text.Encoding.Latin1.GetString(await File.ReadAllBytesAsync(stored)));
        }
    }

    [Theory]
    [InlineData("http://192.0.2.1:9801")]
    [InlineData("http://node.example:9801")]
    public async Task Token_IsNotSentInTheClearToOtherMachines(string url)
    {
        string file = Path.Combine(_folder, "token");
        await File.WriteAllTextAsync(file, "cn_1_secret\n");

        CliRun run = await CliRun.AsyncOf("info", "--node", url, "--access-token-file", file);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains("use https://", run.Error);
        Assert.DoesNotContain("secret", run.Error);
    }

    [Fact]
    public async Task FileThatHoldsNoToken_IsNamed_AndNotShown()
    {
        string file = Path.Combine(_folder, "token");
        await File.WriteAllTextAsync(file, "hunter2\nsecond line");

        CliRun run = await CliRun.AsyncOf("info", "--access-token-file", file);

        Assert.Equal((ExitCode.WrongUsage, $"error: INVALID_ARGUMENT: {file} holds no access token: expected one line, cn_...\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task TokenThatMayPay_SaysHowMuch()
    {
        CliRun neither = await CliRun.AsyncOf("token", "create", "--name", "shop", "--scope", "pay");
        CliRun both = await CliRun.AsyncOf("token", "create", "--name", "shop", "--scope", "pay", "--cap", "ether:per-day=1", "--uncapped");

        Assert.Equal(
            "error: INVALID_ARGUMENT: --cap: needed with --scope pay: how much may it spend? For example --cap 'ether:per-day=1 ETH' "
            + "(one ether a day); --uncapped makes one that may spend all that there is\n",
            neither.Error);
        Assert.Equal("error: INVALID_ARGUMENT: --uncapped: goes without --cap: it has caps, or none\n", both.Error);
        Assert.Equal((ExitCode.WrongUsage, ExitCode.WrongUsage), (neither.ExitCode, both.ExitCode));
    }

    [Theory]
    [InlineData("1023")]
    [InlineData("65MiB")]
    [InlineData("64kb")]
    [InlineData("-1")]
    public async Task SizeThatNoMessageMayHave_IsNamedWithItsRange(string bytes)
    {
        CliRun run = await CliRun.AsyncOf("token", "create", "--name", "shop", "--scope", "read", "--message-bytes-max", bytes);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains($"--message-bytes-max: '{bytes}' is not a number of bytes from 1 KiB to 64 MiB, such as 65536 or 64KiB, or 0", run.Error);
    }

    [Theory]
    [InlineData("0", 0u, "0")]
    [InlineData("65536", 65_536u, "64 KiB")]
    [InlineData("64KiB", 65_536u, "64 KiB")]
    [InlineData("2 MiB", 2_097_152u, "2 MiB")]
    [InlineData("1500", 1_500u, "1500 bytes")]
    [InlineData("4095MiB", 4_293_918_720u, "4095 MiB")]
    public void NumberOfBytes_IsReadAndShownExactly(string text, uint bytes, string shown)
    {
        Assert.True(ByteSize.TryParse(text, out uint read));
        Assert.Equal((bytes, shown), (read, ByteSize.Show(read)));
        Assert.True(ByteSize.TryParse(shown.Replace(" bytes", "", StringComparison.Ordinal), out uint again));
        Assert.Equal(bytes, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("KiB")]
    [InlineData("64 ")]
    [InlineData("+64")]
    [InlineData("1.5KiB")]
    [InlineData("4096MiB")]
    [InlineData("18446744073709551616")]
    public void WhatIsNoNumberOfBytes_IsNotRead(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData("ether")]
    [InlineData("ether:")]
    [InlineData("ether:per-day")]
    [InlineData("ether:per-week=1")]
    [InlineData("dollar:per-day=1")]
    public async Task WrongCap_IsShownWithItsForm(string cap)
    {
        CliRun run = await CliRun.AsyncOf("token", "create", "--name", "shop", "--scope", "pay", "--cap", cap);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Contains($"--cap: '{cap}' is not ether or 0x-address", run.Error);
    }

    [Theory]
    [InlineData("has per-day, and '' is not an amount such as", "ether:per-day=")]
    [InlineData("has per-day, and '-1' is not an amount such as", "ether:per-day=-1")]
    [InlineData("has per-day, and 'abc' is not an amount such as", "ether:per-day=abc")]
    [InlineData("has per-day, and '0' is nothing", "ether:total=5,per-day=0")]
    [InlineData("has per-day twice", "ether:per-day=1,per-day=2")]
    [InlineData("'1 USDC' is in USDC, expected ETH, gwei or wei", "ether:per-day=1 USDC")]
    [InlineData("ether is named twice; give all its limits in one", "ether:per-day=1", "ether:total=2")]
    [InlineData("ether is named twice", "ether:per-day=1", "0x0000000000000000000000000000000000000000:total=2")]
    public async Task CapThatCannotBe_IsNamed_BeforeANodeIsAsked(string why, params string[] caps)
    {
        CliRun run = await CliRun.AsyncOf(["token", "create", "--name", "shop", "--scope", "pay", .. caps.SelectMany(cap => new[] { "--cap", cap })]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.StartsWith("error: INVALID_ARGUMENT: --cap: ", run.Error);
        Assert.Contains(why, run.Error);
    }
}
