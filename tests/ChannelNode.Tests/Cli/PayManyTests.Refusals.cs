using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Xunit;
using Refusal = ChannelNode.Proto.V1.Refusal;

namespace ChannelNode.Tests.Cli;

/// <summary>Refusals that do not pass by themselves: of one payment, or of all the rest.</summary>
public sealed partial class PayManyTests
{
    [Fact]
    public async Task RefusalForGood_IsNotTriedAgain()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(_ => Refusal.ChannelClosing));

        CliRun run = await PayAsync(node, "3");

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Equal(3, _asked.Count);
        Assert.Equal("error: CHANNEL_CLOSING: 3 of 3 payments were refused: words for k-2\n", run.Error);
        Assert.Contains("refused 3: CHANNEL_CLOSING: words for k-2\n", run.Output);
    }

    /// <summary>What was sent with it is answered; of the rest nothing is sent, however much that is.</summary>
    [Theory]
    [InlineData(Refusal.ChannelClosed)]
    [InlineData(Refusal.ChannelClosing)]
    [InlineData(Refusal.CloseAgreed)]
    [InlineData(Refusal.InsufficientBalance)]
    [InlineData(Refusal.AccessTokenCapExceeded)]
    [InlineData(Refusal.AccessTokenRevoked)]
    [InlineData(Refusal.ChannelNotAllowed)]
    [InlineData(Refusal.StateLost)]
    public async Task RefusalThatMeetsAllTheRest_EndsIt(Refusal refusal)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(
            payment => payment.IdempotencyKey == "k-5" ? Refusal.PeerOffline : _asked.Count > 20 ? refusal : Refusal.Unspecified));

        CliRun run = await PayAsync(node, "1000000", "--window", "40");

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.InRange(_asked.Count, 40, 80);
        Assert.Matches(
            $"^error: {Failure.ReasonOf(refusal)}: [0-9]+ of 1,000,000 payments were refused: words for k-[0-9]+; the rest would be too, and was not sent\n$",
            run.Error);
        Assert.Contains(run.OutputLines, line => line.StartsWith("paid 19 of 1,000,000 in", StringComparison.Ordinal));
        Assert.Contains(run.OutputLines, line => line.StartsWith("not sent 999,9", StringComparison.Ordinal));
        Assert.DoesNotContain("unknown", run.Output);
        Assert.Equal("to go on without paying anything twice: the same call with --key k", run.OutputLines[^1]);
    }

    /// <summary>Of the others' keys and rules nobody knows.</summary>
    [Theory]
    [InlineData(Refusal.IdempotencyKeyReused)]
    [InlineData(Refusal.PolicyRefused)]
    public async Task RefusalOfOne_EndsNothing(Refusal refusal)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(
            payment => payment.IdempotencyKey == "k-5" ? refusal : Refusal.Unspecified));

        CliRun run = await PayAsync(node, "2000", "--window", "10", "--json");

        Assert.Equal((1_999, 2_000), (SummaryOf(run).GetProperty("paid").GetInt32(), _asked.Count));
        Assert.Equal("1 of 2,000 payments was refused: words for k-5", run.ErrorDocument.GetProperty("message").GetString());
    }

    /// <summary>A node of an older version gives no words.</summary>
    [Fact]
    public async Task RefusalWithoutWords_IsGivenByItsName()
    {
        _words = _ => "";
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(_ => Refusal.ChannelClosing));

        CliRun run = await PayAsync(node, "3");

        Assert.Equal("error: CHANNEL_CLOSING: 3 of 3 payments were refused\n", run.Error);
        Assert.Contains("refused 3: CHANNEL_CLOSING\n", run.Output);
    }

    /// <summary>The call as such was refused, so nothing of it may be paid; once something was answered, what else was sent may be.</summary>
    [Theory]
    [InlineData("ACCESS_TOKEN_MISSING", StatusCode.Unauthenticated, false)]
    [InlineData("SCOPE_MISSING", StatusCode.PermissionDenied, false)]
    [InlineData("SCOPE_MISSING", StatusCode.PermissionDenied, true)]
    [InlineData("ACCESS_TOKEN_REVOKED", StatusCode.Unauthenticated, true)]
    public async Task CallThatIsRefusedAtTheDoor_LeavesNothingUnknown(string reason, StatusCode code, bool answersOne)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = async (requests, responses, _) =>
        {
            await requests.MoveNext(CancellationToken.None);
            if (answersOne) await responses.WriteAsync(new StreamPaymentsResponse { Results = { new PaymentResult { TotalSent = "1" } } });
            throw FakeNode.Refuse(code, reason, "no");
        });

        CliRun run = await PayAsync(node, "5");

        Assert.StartsWith($"error: {reason}: ", run.Error, StringComparison.Ordinal);
        Assert.Equal(answersOne, run.Output.Contains("unknown 4: they may be paid", StringComparison.Ordinal));
        Assert.Equal(!answersOne, run.Output.Contains("not sent 5\n", StringComparison.Ordinal));
        Assert.Equal(answersOne, run.Output.Contains("to go on", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhereNothingWasPaid_ThereIsNothingToGoOnWith()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(_ => Refusal.UnknownChannel));

        CliRun run = await PayAsync(node, "1000", "--window", "10");

        Assert.DoesNotContain("to go on", run.Output, StringComparison.Ordinal);
    }
}
