using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class PayCommandTests
{
    [Fact]
    public async Task Pay_SendsItemAndKeyAsGiven()
    {
        Payment? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Pay = payment =>
        {
            asked = payment;
            return new PayResponse { TotalSent = "77" };
        });

        CliRun run = await CliRun.AskAsync(node, "pay", "aaaaaa1", "7", "--item", "article-17", "--key", "k1");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal("7 wei paid; total sent 77 wei (key k1)\n", run.Output);
        Assert.Equal((FakeNode.IdA, "7", "article-17", "k1"),
            (asked!.ChannelId, asked.Amount, asked.ItemId.ToStringUtf8(), asked.IdempotencyKey));
    }

    [Fact]
    public async Task PayUnderAKeyThatWasPaid_SaysSo()
    {
        await using FakeNode node = await FakeNode.StartAsync(
            answers => answers.Pay = _ => new PayResponse { TotalSent = "77", Repeated = true });

        CliRun people = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7", "--key", "k1");
        CliRun json = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7", "--key", "k1", "--json");

        Assert.Equal("7 wei had been paid before under this key, nothing was paid now; total sent 77 wei (key k1)\n", people.Output);
        Assert.Equal("""{"totalSent":"77","repeated":true,"idempotencyKey":"k1"}""" + "\n", json.Output);
    }

    /// <summary>What is signed is offered until it is taken, however long that is.</summary>
    [Fact]
    public async Task PayThatThePeerRefusesForNow_SaysWhyItWaits_AndWhatElseThereIs()
    {
        using ManualResetEventSlim taken = new();
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Get = id =>
            {
                Channel channel = FakeNode.Channel(id);
                channel.PeerRefusal = Refusal.PolicyRefused;
                taken.Set();
                return channel;
            };
            answers.Pay = _ =>
            {
                taken.Wait(TimeSpan.FromSeconds(30));
                return new PayResponse { TotalSent = "77" };
            };
        });

        CliRun run = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7", "--key", "k1");

        Assert.Equal(("7 wei paid; total sent 77 wei (key k1)\n", ExitCode.Done), (run.Output, run.ExitCode));
        Assert.Contains("POLICY_REFUSED", run.Error);
        Assert.Contains("channelnode channel start-close 0xaaaaaa1", run.Error);
        Assert.Contains("--key k1", run.Error);
    }

    /// <summary>Who may only pay cannot ask what a channel's token is.</summary>
    [Fact]
    public async Task AmountWithAUnit_WhereTheTokenMayOnlyPay_SaysWhatToGiveInstead()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Get = _ =>
            throw FakeNode.Refuse(StatusCode.PermissionDenied, "SCOPE_MISSING", "access token 3 has scope pay, GetChannel asks for read"));

        CliRun run = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "0.5 ETH");
        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Contains("SCOPE_MISSING: access token 3 has scope pay, GetChannel asks for read: an amount with a unit needs", run.Error);
        Assert.Contains("give smallest units (5 is 5 wei), or a token with --scope read too", run.Error);

        Assert.Contains("7 units paid", (await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7", "--key", "k1")).Output);
    }

    /// <summary>A script must not hang for ever on what a peer never takes.</summary>
    [Theory]
    [InlineData()]
    [InlineData("--json")]
    public async Task PayThatIsNotTaken_EndsAfterItsTime_AndSaysHowToAskAgain(params string[] more)
    {
        TaskCompletionSource end = new();
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Pay = _ =>
        {
            end.Task.Wait(TimeSpan.FromSeconds(60));
            return new PayResponse { TotalSent = "77" };
        });

        CliRun run = await CliRun.AskAsync(node, ["pay", FakeNode.IdA, "7", "--key", "k1", "--timeout", "1", .. more]);
        end.SetResult();

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Contains("TIMEOUT", run.Error);
        Assert.Contains("the peer has not taken it for 1 s (--timeout), and may still: --key k1 asks for the same payment again", run.Error);
    }

    [Theory]
    [InlineData("100", "waiting: the peer is not connected, and the node waits for it for a while; ")]
    [InlineData("107", "waiting: the peer is not connected, and what is under way is signed: it is offered when the peer is back; ")]
    public async Task PayToAPeerThatIsAway_SaysSo(string sent, string said)
    {
        int looks = 0;
        using ManualResetEventSlim looked = new();
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Get = id =>
            {
                if (++looks == 2) looked.Set(); // So the first was answered.
                Channel channel = FakeNode.AwayFromItsPeer(id);
                channel.Sent = sent;
                return channel;
            };
            answers.Pay = _ =>
            {
                looked.Wait(TimeSpan.FromSeconds(60));
                return new PayResponse { TotalSent = "77" };
            };
        });

        CliRun run = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7", "--key", "k1");

        Assert.Equal(("7 wei paid; total sent 77 wei (key k1)\n", ExitCode.Done), (run.Output, run.ExitCode));
        Assert.StartsWith($"{said}to stop waiting is safe, and --key k1 asks for the same payment again.", Assert.Single(run.ErrorLines));
        Assert.Equal(sent != "100", run.Error.Contains("channel start-close", StringComparison.Ordinal));
    }

    /// <summary>A token that may pay and not read: what it may not ask says nothing of the payment.</summary>
    [Fact]
    public async Task PayThatTakesLong_ByOneWhoMayNotRead_EndsAsThePaymentDoes()
    {
        using ManualResetEventSlim asked = new();
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Get = _ =>
            {
                asked.Set();
                throw FakeNode.Refuse(StatusCode.PermissionDenied, "SCOPE_MISSING", "scope read is missing");
            };
            answers.Pay = _ =>
            {
                asked.Wait(TimeSpan.FromSeconds(30));
                return new PayResponse { TotalSent = "77" };
            };
        });

        CliRun run = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7", "--key", "k1");

        Assert.Equal(("7 units paid; total sent 77 units (key k1)\n", ExitCode.Done), (run.Output, run.ExitCode));
    }

    [Theory]
    [InlineData("PEER_OFFLINE", StatusCode.Unavailable, ExitCode.Refused)]
    [InlineData("CHAIN_UNAVAILABLE", StatusCode.Unavailable, ExitCode.ChainTrouble)]
    public async Task PayThatTheNodeRefusesForNow_TellsThatItHasPaidNothing_AndTheKey(string reason, StatusCode status, int exit)
    {
        await using FakeNode node = await FakeNode.StartAsync(
            answers => answers.Pay = _ => throw FakeNode.Refuse(status, reason, "not now"));

        CliRun run = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7", "--key", "k1");

        Assert.Equal(exit, run.ExitCode);
        Assert.Contains("not now; this call has paid nothing, and --key k1 asks for the same payment again", run.Error);
    }

    [Theory]
    [InlineData(false, "amount is 0.000005 DUSD, expected at most 0.000003 DUSD, the balance")]
    [InlineData(true, "amount is 5 units of 0x00000000000000000000000000000000000000d6, expected at most 3 units of 0x00000000000000000000000000000000000000d6, the balance")]
    public async Task PayThatIsRefused_NamesAmountsOfATokenInItsUnit_AndInJsonAsTheNodeDoes(bool json, string expected)
    {
        const string token = "0x00000000000000000000000000000000000000d6";
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Pay = _ => throw FakeNode.Refuse(
            StatusCode.FailedPrecondition, "INSUFFICIENT_BALANCE",
            $"amount is 5 units of {token}, expected at most 3 units of {token}, the balance"));

        string[] call = ["pay", FakeNode.IdA, "5", "--token-info", $"{token}=DUSD:6"];
        CliRun run = await CliRun.AskAsync(node, json ? [.. call, "--json"] : call);

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Contains(expected, run.Error);
    }

    [Fact]
    public async Task PayWithoutAKey_TakesANewOneEachTime()
    {
        var keys = new List<string>();
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Pay = payment =>
        {
            keys.Add(payment.IdempotencyKey);
            return new PayResponse { TotalSent = "1" };
        });

        await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7");
        await CliRun.AskAsync(node, "pay", FakeNode.IdA, "7");

        Assert.Equal(2, keys.Distinct().Count());
        Assert.All(keys, key => Assert.Equal(16, key.Length));
    }
}
