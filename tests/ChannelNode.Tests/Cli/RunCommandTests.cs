using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class RunCommandTests
{
    private const string Contract = "0x00000000000000000000000000000000000000cc";

    private static readonly string[] Required =
        ["--data-dir", "alice", "--rpc-url", "ws://127.0.0.1:8545", "--contract", Contract];

    [Fact]
    public async Task OnlyWhatIsRequired_TakesTheDefaultsOfNodeOptions()
    {
        (CliRun run, NodeOptions? options) = await CliRun.RunNodeAsync(Required);

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Address.TryParse(Contract, out Address contract);
        Assert.Equal(
            new NodeOptions
            {
                DataDirectory = "alice",
                KeyFile = "channelnode.key",
                RpcUrl = "ws://127.0.0.1:8545",
                Contract = contract,
            },
            options);
    }

    [Theory]
    [InlineData("--chain-id", "31337", nameof(NodeOptions.ChainId))]
    [InlineData("--backup-every-hours", "5", nameof(NodeOptions.BackupEveryHours))]
    [InlineData("--backup-keep", "9", nameof(NodeOptions.BackupKeep))]
    [InlineData("--drain-seconds", "5", nameof(NodeOptions.DrainSeconds))]
    [InlineData("--restart-seconds", "6", nameof(NodeOptions.RestartSeconds))]
    [InlineData("--peer-restart-seconds", "7", nameof(NodeOptions.PeerRestartSeconds))]
    [InlineData("--api-listen", "[::1]:0", nameof(NodeOptions.ApiListen))]
    [InlineData("--peer-listen", "0.0.0.0:9000", nameof(NodeOptions.PeerListen))]
    [InlineData("--api-listen", "unix:/run/channelnode/api.sock", nameof(NodeOptions.ApiListen))]
    [InlineData("--api-requests-per-second-max", "11", nameof(NodeOptions.ApiRequestsPerSecondMax))]
    [InlineData("--api-streams-max", "12", nameof(NodeOptions.ApiStreamsMax))]
    [InlineData("--api-connections-max", "13", nameof(NodeOptions.ApiConnectionsMax))]
    [InlineData("--peer-connections-max", "14", nameof(NodeOptions.PeerConnectionsMax))]
    [InlineData("--peer-sessions-max", "15", nameof(NodeOptions.PeerSessionsMax))]
    [InlineData("--peer-handshakes-max", "16", nameof(NodeOptions.PeerHandshakesMax))]
    [InlineData("--peer-handshakes-per-second-max", "17", nameof(NodeOptions.PeerHandshakesPerSecondMax))]
    [InlineData("--channels-max", "18", nameof(NodeOptions.ChannelsMax))]
    [InlineData("--confirmations", "12", nameof(NodeOptions.Confirmations))]
    [InlineData("--reorg-depth", "500", nameof(NodeOptions.ReorgDepthMax))]
    [InlineData("--confirmations-larger", "20", nameof(NodeOptions.ConfirmationsLarger))]
    [InlineData("--credit-small", "0", nameof(NodeOptions.CreditSmallMax))]
    [InlineData("--credit-larger", "5", nameof(NodeOptions.CreditLargerMax))]
    [InlineData("--credit-small-total", "0", nameof(NodeOptions.CreditSmallTotalMax))]
    [InlineData("--credit-larger-total", "8", nameof(NodeOptions.CreditLargerTotalMax))]
    [InlineData("--token-credit-small-total", "9", nameof(NodeOptions.TokenCreditSmallTotalMax))]
    [InlineData("--token-credit-larger-total", "10", nameof(NodeOptions.TokenCreditLargerTotalMax))]
    [InlineData("--token-credit-small", "6", nameof(NodeOptions.TokenCreditSmallMax))]
    [InlineData("--token-credit-larger", "7", nameof(NodeOptions.TokenCreditLargerMax))]
    [InlineData("--from-block", "9", nameof(NodeOptions.FromBlock))]
    [InlineData("--poll-ms", "100", nameof(NodeOptions.PollMs))]
    [InlineData("--dispute-window", "4000", nameof(NodeOptions.DisputeWindowSeconds))]
    [InlineData("--dispute-window-min", "20", nameof(NodeOptions.DisputeWindowSecondsMin))]
    [InlineData("--relay-deposits", "25", nameof(NodeOptions.RelayDepositsPerHour))]
    [InlineData("--unfunded-per-peer-max", "7", nameof(NodeOptions.UnfundedChannelsPerPeerMax))]
    [InlineData("--unfunded-max", "8", nameof(NodeOptions.UnfundedChannelsMax))]
    [InlineData("--channels-per-peer-max", "9", nameof(NodeOptions.ChannelsPerPeerMax))]
    [InlineData("--chain-silence", "30", nameof(NodeOptions.ChainSilenceSecondsMax))]
    [InlineData("--close-deadline", "90", nameof(NodeOptions.CloseDeadlineSeconds))]
    public Task EachFlag_SetsItsOption(string flag, string value, string property) => AssertSetsAsync(flag, value, property);

    [Theory]
    [InlineData("--gas-budget", "1000", nameof(NodeOptions.GasBudgetWeiPerDay))]
    [InlineData("--dispute-reserve", "2000", nameof(NodeOptions.DisputeReserveWeiPerDay))]
    [InlineData("--fee-max", "3000", nameof(NodeOptions.FeeWeiMax))]
    [InlineData("--dispute-fee-max", "400000000000", nameof(NodeOptions.DisputeFeeWeiMax))]
    [InlineData("--replace-after", "5", nameof(NodeOptions.ReplaceAfterSeconds))]
    [InlineData("--jobs-kept-hours", "48", nameof(NodeOptions.JobsKeptHours))]
    [InlineData("--claim-look", "7", nameof(NodeOptions.ClaimLookSeconds))]
    [InlineData("--claim-from", "8000", nameof(NodeOptions.ClaimFrom))]
    [InlineData("--claim-from-gas-times", "9", nameof(NodeOptions.ClaimFromGasTimes))]
    [InlineData("--received-kept-hours", "48", nameof(NodeOptions.ReceivedKeptHours))]
    [InlineData("--received-bytes-max", "100000000", nameof(NodeOptions.ReceivedBytesMax))]
    [InlineData("--sent-kept-hours", "12", nameof(NodeOptions.SentKeptHours))]
    [InlineData("--events-kept-hours", "12", nameof(NodeOptions.EventsKeptHours))]
    [InlineData("--events-max", "1000", nameof(NodeOptions.EventsMax))]
    [InlineData("--channels-in-memory-max", "2000", nameof(NodeOptions.ChannelsInMemoryMax))]
    [InlineData("--in-flight-max", "100", nameof(NodeOptions.InFlightPaymentsPerChannelMax))]
    [InlineData("--updates-in-flight-max", "9", nameof(NodeOptions.UpdatesInFlightPerChannelMax))]
    [InlineData("--payments-per-stream-max", "2048", nameof(NodeOptions.PaymentsPerStreamMax))]
    [InlineData("--payments-per-update-max", "20000", nameof(NodeOptions.PaymentsPerUpdateMax))]
    [InlineData("--peer-batches-max", "9", nameof(NodeOptions.PeerBatchesMax))]
    [InlineData("--wrong-signatures-max", "50", nameof(NodeOptions.WrongSignaturesPerSecondMax))]
    [InlineData("--connections-per-address-max", "60", nameof(NodeOptions.ConnectionsPerAddressMax))]
    [InlineData("--commit-batch-max", "200", nameof(NodeOptions.CommitBatchMax))]
    [InlineData("--ledger-queue-max", "300", nameof(NodeOptions.LedgerQueueMax))]
    [InlineData("--peer-queue-max", "400", nameof(NodeOptions.PeerQueueMax))]
    [InlineData("--message-bytes-max", "3000000", nameof(NodeOptions.MessageBytesMax))]
    [InlineData("--message-memory-max", "200000000", nameof(NodeOptions.MessageMemoryMax))]
    [InlineData("--rpc-answer-bytes-max", "20000000", nameof(NodeOptions.RpcAnswerBytesMax))]
    [InlineData("--watchtower-every-ms", "250", nameof(NodeOptions.WatchtowerEveryMs))]
    [InlineData("--owner", "0x00000000000000000000000000000000000000aa", nameof(NodeOptions.Owner))]
    [InlineData("--key-file", "alice.key", nameof(NodeOptions.KeyFile))]
    [InlineData("--metrics-listen", "127.0.0.1:9805", nameof(NodeOptions.MetricsListen))]
    [InlineData("--otlp-endpoint", "http://127.0.0.1:4317", nameof(NodeOptions.OtlpEndpoint))]
    [InlineData("--traced-payments", "5", nameof(NodeOptions.TracedPaymentsPerMillion))]
    [InlineData("--password-file", "alice.password", nameof(NodeOptions.PasswordFile))]
    public Task EachLimit_SetsItsOption(string flag, string value, string property) => AssertSetsAsync(flag, value, property);

    private static async Task AssertSetsAsync(string flag, string value, string property)
    {
        (_, NodeOptions? options) = await CliRun.RunNodeAsync([.. Required, flag, value]);

        Assert.Equal(value, typeof(NodeOptions).GetProperty(property)!.GetValue(options)!.ToString());
    }

    [Fact]
    public async Task Certificate_IsGivenWithItsKey()
    {
        (_, NodeOptions? options) = await CliRun.RunNodeAsync([.. Required, "--tls-cert", "node.cert", "--tls-key", "node.key", "--peer-tls"]);

        Assert.Equal(("node.cert", "node.key", true), (options!.TlsCertificate, options.TlsKey, options.PeerTls));
    }

    [Fact]
    public async Task LogOptions_SetFormatAndLevel()
    {
        (_, NodeOptions? options) = await CliRun.RunNodeAsync([.. Required, "--log-format", "json", "--log-level", "warning"]);

        Assert.Equal((LogFormat.Json, Microsoft.Extensions.Logging.LogLevel.Warning), (options!.LogFormat, options.LogLevel));
    }

    [Fact]
    public async Task Help_ShowsWhatIsTakenWhereNothingIsGiven()
    {
        CliRun run = await CliRun.AsyncOf("run", "--help");

        string words = string.Join(' ', run.Output.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("--finality <word> What the chain must call a block before any sum in it counts (one of finalized, safe) [default: Finalized]", words);
        Assert.Contains("--owner <address> Who is paid out, maybe a cold address [default: the signer's own address]", words);
    }

    [Theory]
    [InlineData("0x00000000000000000000000000000000000000a1")]
    [InlineData("0x00000000000000000000000000000000000000a1=0")]
    [InlineData("0x00000000000000000000000000000000000000a1=5192296858534827628530496329220096")]
    [InlineData("0x00000000000000000000000000000000000000a1=1.5")]
    [InlineData("0x0000000000000000000000000000000000000000=1")]
    public async Task RateThatIsNone_IsRefused(string rate)
    {
        (CliRun run, _) = await CliRun.RunNodeAsync([.. Required, "--token-per-ether", rate]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
    }

    [Fact]
    public async Task TokenRates_AreNamedOneByOne_AndTheLastOfATokenCounts()
    {
        const string first = "0x00000000000000000000000000000000000000a1", second = "0x00000000000000000000000000000000000000a2";
        (_, NodeOptions? options) = await CliRun.RunNodeAsync(
        [
            .. Required, "--token-per-ether", $"{first}=7", "--token-per-ether", $"{second}=5192296858534827628530496329220095",
            "--token-per-ether", $"{first}=3000000000",
        ]);

        Assert.Equal(
            [new TokenRate(new Address(0, 0, 0xa1), 3_000_000_000), new TokenRate(new Address(0, 0, 0xa2), Amounts.Max)], options!.TokenRates);
    }

    [Fact]
    public async Task Watchtowers_AreNamedOneByOne()
    {
        (_, NodeOptions? options) = await CliRun.RunNodeAsync(
            [.. Required, "--watchtower", "http://127.0.0.1:9803", "--watchtower", "https://tower.example"]);

        Assert.Equal(["http://127.0.0.1:9803", "https://tower.example"], options!.Watchtowers);
    }

    [Fact]
    public async Task JsonPort_IsOffUnlessAsked_AndTakesHostsAndOrigins()
    {
        (_, NodeOptions? without) = await CliRun.RunNodeAsync(Required);
        (_, NodeOptions? options) = await CliRun.RunNodeAsync(
            [.. Required, "--json-listen", "127.0.0.1:0", "--json-host", "node.example", "--cors-origin", "https://shop.example",
                "--access-token-required"]);

        Assert.Equal("", without!.Applications.JsonListen);
        Assert.Equal("127.0.0.1:0", options!.Applications.JsonListen);
        Assert.Equal(["node.example"], options.Applications.JsonHosts);
        Assert.Equal(["https://shop.example"], options.Applications.CorsOrigins);
    }

    [Fact]
    public async Task Webhooks_HaveASecretFileEach()
    {
        (_, NodeOptions? options) = await CliRun.RunNodeAsync(
            [
                .. Required, "--webhook-url", "https://a.example/x", "--webhook-url", "https://b.example", "--webhook-secret-file", "a",
                "--webhook-secret-file", "b", "--webhook-alarm-after", "60",
            ]);
        (CliRun run, _) = await CliRun.RunNodeAsync([.. Required, "--webhook-url", "https://a.example"]);

        Assert.Equal([new WebhookOptions("https://a.example/x", "a"), new WebhookOptions("https://b.example", "b")], options!.Applications.Webhooks);
        Assert.Equal(60u, options.Applications.WebhookAlarmSeconds);
        Assert.Equal(
            "error: INVALID_ARGUMENT: --webhook-secret-file: 0 were given for 1 --webhook-url, expected one for each\n",
            run.Error);
        (run, _) = await CliRun.RunNodeAsync(
            [.. Required, "--webhook-url", "https://me:secret@a.example", "--webhook-secret-file", "a"]);
        Assert.StartsWith("error: INVALID_ARGUMENT: --webhook-url: one names a user or password, which are not sent", run.Error);
        Assert.DoesNotContain("secret@", run.Error);
    }

    [Theory]
    [InlineData("--json-host", "node.example:80", "a host name without a port")]
    [InlineData("--cors-origin", "https://shop.example/", "an origin such as https://shop.example")]
    [InlineData("--cors-origin", "https://Shop.example", "an origin such as https://shop.example")]
    [InlineData("--cors-origin", "null", "an origin such as https://shop.example")]
    [InlineData("--cors-origin", "*", "an origin such as https://shop.example")]
    public async Task WrongHostOrOrigin_NamesFieldValueAndLimit(string flag, string value, string limit)
    {
        (CliRun run, _) = await CliRun.RunNodeAsync([.. Required, flag, value]);

        Assert.Equal($"error: INVALID_ARGUMENT: {flag}: '{value}' is not {limit}\n", run.Error);
    }

    [Fact]
    public async Task NineWatchtowers_AreTooMany()
    {
        IEnumerable<string> nine = Enumerable.Range(0, 9).SelectMany(index => (string[])["--watchtower", $"http://tower{index}"]);
        (CliRun run, NodeOptions? options) = await CliRun.RunNodeAsync([.. Required, .. nine]);

        Assert.Null(options);
        Assert.Equal("error: INVALID_ARGUMENT: --watchtower: 9 were given, at most 8 can be\n", run.Error);
    }

    [Theory]
    [InlineData("--watchtower", "tower:9803", "a URL that begins with http:// or https://")]
    [InlineData("--confirmations", "0", "a whole number from 1 to 128")]
    [InlineData("--confirmations", "129", "a whole number from 1 to 128")]
    [InlineData("--reorg-depth", "127", "a whole number from 128 to 8192")]
    [InlineData("--confirmations-larger", "129", "a whole number from 1 to 128")]
    [InlineData("--finality", "latest", "one of finalized, safe")]
    [InlineData("--poll-ms", "49", "a whole number from 50 to 60000")]
    [InlineData("--dispute-window", "9", "a whole number from 10 to 2592000")]
    [InlineData("--dispute-window-min", "2592001", "a whole number from 10 to 2592000")]
    [InlineData("--relay-deposits", "10001", "a whole number from 0 to 10000")]
    [InlineData("--unfunded-max", "0", "a whole number from 1 to 1000000")]
    [InlineData("--close-deadline", "9", "a whole number from 10 to 3600")]
    [InlineData("--received-kept-hours", "0", "a whole number from 1 to 87600")]
    [InlineData("--received-bytes-max", "67108863", "a whole number from 67108864 to 17592186044416")]
    [InlineData("--sent-kept-hours", "8761", "a whole number from 1 to 8760")]
    [InlineData("--events-max", "999", "a whole number from 1000 to 100000000")]
    [InlineData("--channels-in-memory-max", "1023", "a whole number from 1024 to 10000000")]
    [InlineData("--in-flight-max", "16385", "a whole number from 1 to 16384")]
    [InlineData("--updates-in-flight-max", "0", "a whole number from 1 to 1024")]
    [InlineData("--payments-per-stream-max", "1023", "a whole number from 1024 to 1048576")]
    [InlineData("--payments-per-update-max", "16383", "a whole number from 16384 to 1048576")]
    [InlineData("--peer-batches-max", "65", "a whole number from 1 to 64")]
    [InlineData("--wrong-signatures-max", "0", "a whole number from 1 to 1000000")]
    [InlineData("--connections-per-address-max", "0", "a whole number from 1 to 1000000")]
    [InlineData("--channels-per-peer-max", "0", "a whole number from 1 to 1000000000")]
    [InlineData("--commit-batch-max", "65537", "a whole number from 1 to 65536")]
    [InlineData("--ledger-queue-max", "0", "a whole number from 1 to 1048576")]
    [InlineData("--peer-queue-max", "15", "a whole number from 16 to 1048576")]
    [InlineData("--message-bytes-max", "65535", "a whole number from 2097152 to 67108864")]
    [InlineData("--message-memory-max", "16777215", "a whole number from 16777216 to 68719476736")]
    [InlineData("--rpc-answer-bytes-max", "16777215", "a whole number from 16777216 to 1073741824")]
    [InlineData("--chain-id", "-1", "a whole number from 0 to 18446744073709551615")]
    [InlineData("--owner", "0x12", "an address of 40 hex digits, with or without 0x")]
    [InlineData("--metrics-listen", "9805", "host:port with a port from 0 to 65535, such as 127.0.0.1:9805")]
    [InlineData("--otlp-endpoint", "collector:4317", "a URL that begins with http:// or https://")]
    [InlineData("--log-format", "xml", "one of text, json")]
    [InlineData("--log-level", "loud", "one of debug, information, warning, error, critical, none")]
    [InlineData("--api-listen", "9801", "host:port with a port from 0 to 65535, such as 127.0.0.1:9801, or unix:/path of at most 107 bytes")]
    [InlineData("--peer-listen", "127.0.0.1:65536", "host:port with a port from 0 to 65535, such as 127.0.0.1:9802")]
    public async Task WrongValue_NamesFieldValueAndLimit(string flag, string value, string limit)
    {
        (CliRun run, NodeOptions? options) = await CliRun.RunNodeAsync([.. Required, flag, value]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Null(options);
        Assert.Equal($"error: INVALID_ARGUMENT: {flag}: '{value}' is not {limit}\n", run.Error);
    }

    [Theory]
    [InlineData("safe", (int)FinalityTag.Safe)]
    [InlineData("finalized", (int)FinalityTag.Finalized)]
    public async Task Finality_TakesTheChainsOwnWord(string word, int tag)
    {
        (_, NodeOptions? options) = await CliRun.RunNodeAsync([.. Required, "--finality", word]);

        Assert.Equal((FinalityTag)tag, options!.Finality);
    }

    [Fact]
    public async Task SeveralWrongValues_AreAllNamedAtOnce()
    {
        (CliRun run, _) = await CliRun.RunNodeAsync(
            "--data-dir", "alice", "--rpc-url", "localhost", "--contract", "0x1", "--confirmations", "0");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal(3, run.ErrorLines.Length);
    }

    [Theory]
    [InlineData("--dispute-window", "20", "--dispute-window-min", "30")]
    [InlineData("--dispute-window", "3599")]
    [InlineData("--dispute-window-min", "86401")]
    public async Task WindowThatTheNodeWouldRefuseItself_IsNotOffered(params string[] flags)
    {
        (CliRun run, NodeOptions? options) = await CliRun.RunNodeAsync([.. Required, .. flags]);

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Null(options);
        Assert.StartsWith("error: INVALID_ARGUMENT: --dispute-window: ", run.Error);
        Assert.Contains("less than --dispute-window-min", run.Error);
    }

    [Fact]
    public async Task MissingOption_IsTheErrorsField()
    {
        (CliRun run, _) = await CliRun.RunNodeAsync("--rpc-url", "ws://127.0.0.1:8545", "--contract", Contract, "--json");

        Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
        Assert.Equal("--data-dir", run.ErrorDocument.GetProperty("field").GetString());
    }

    [Fact]
    public async Task TheNodesExitCode_IsTheCommands()
    {
        var actions = CliRun.NoActions with { RunNode = (_, _) => Task.FromResult(7) };

        CliRun run = await CliRun.WithActionsAsync(actions, ["run", .. Required]);

        Assert.Equal(7, run.ExitCode);
    }

    [Fact]
    public async Task SwitchesOfTheDoors_AreRead()
    {
        (_, NodeOptions? options) = await CliRun.RunNodeAsync(
            [.. Required, "--api-tls", "--peer-tls", "--access-token-required", "--tls-domain", "a.example", "--tls-domain", "b.example"]);

        Assert.True(options is { ApiTls: true, PeerTls: true, AccessTokenRequired: true });
        Assert.Equal(["a.example", "b.example"], options.TlsDomains);
        (CliRun wrong, _) = await CliRun.RunNodeAsync([.. Required, "--tls-domain", "a b"]);
        Assert.Contains("--tls-domain: 'a b' is not a host name or an address", wrong.Error);
    }
}
