using System.Collections.Concurrent;
using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Xunit;
using Refusal = ChannelNode.Proto.V1.Refusal;

namespace ChannelNode.Tests.Cli;

public sealed partial class PayManyTests
{
    /// <summary>Every payment as it was asked for, in order: a key may come several times.</summary>
    private readonly ConcurrentQueue<Payment> _asked = new();
    private readonly ConcurrentDictionary<string, bool> _paid = new();
    private int _messages;

    /// <summary>What the node says of one that it refuses.</summary>
    private Func<Payment, string> _words = payment => $"words for {payment.IdempotencyKey}";

    [Fact]
    public async Task AllPaid_SumsUp()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(_ => Refusal.Unspecified));

        CliRun run = await PayAsync(node, "2500", "--json", "--window", "2000");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(2501, run.OutputLines.Length);
        JsonElement summary = SummaryOf(run);
        Assert.Equal(2500, summary.GetProperty("paid").GetInt32());
        Assert.Equal(0, summary.GetProperty("repeated").GetInt32());
        Assert.Equal("2500", summary.GetProperty("totalSent").GetString());
        Assert.Equal(Enumerable.Range(0, 2500).Select(i => $"k-{i}"), _asked.Select(payment => payment.IdempotencyKey));
        Assert.Equal(Enumerable.Range(0, 2500).Select(i => $"page-{i}"), _asked.Select(payment => payment.ItemId.ToStringUtf8()));
    }

    [Theory]
    [InlineData("0x0000000000000000000000000000000000000000", "total sent 2 wei")]
    [InlineData("0x00000000000000000000000000000000000000d6", "total sent 0.000002 DUSD")]
    public async Task Summary_IsInTheTokensUnit(string token, string expected)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Stream = Answering(_ => Refusal.Unspecified);
            answers.Get = id =>
            {
                Channel channel = FakeNode.Channel(id);
                channel.Token = token;
                return channel;
            };
        });

        CliRun run = await PayAsync(node, "2", "--token-info", "0x00000000000000000000000000000000000000d6=DUSD:6");

        Assert.Contains(run.OutputLines, line => line.StartsWith("paid 2 of 2", StringComparison.Ordinal) && line.EndsWith(expected, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Results_InJson_AreALineEach()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(
            payment => payment.IdempotencyKey == "k-1" ? Refusal.InsufficientBalance : Refusal.Unspecified));

        CliRun run = await PayAsync(node, "2", "--json");

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Equal(
            """{"index":0,"itemId":"cGFnZS0w","idempotencyKey":"k-0","refusal":"REFUSAL_UNSPECIFIED","totalSent":"1","repeated":false,"message":""}""",
            run.OutputLines[0]);
        Assert.Equal(
            """{"index":1,"itemId":"cGFnZS0x","idempotencyKey":"k-1","refusal":"REFUSAL_INSUFFICIENT_BALANCE","totalSent":"","repeated":false,"message":"words for k-1"}""",
            run.OutputLines[1]);
        Assert.Equal("""{"INSUFFICIENT_BALANCE":1}""", SummaryOf(run).GetProperty("refused").GetRawText());
        Assert.Equal("""{"INSUFFICIENT_BALANCE":"words for k-1"}""", SummaryOf(run).GetProperty("messages").GetRawText());
        Assert.Equal("INSUFFICIENT_BALANCE", run.ErrorDocument.GetProperty("reason").GetString());
        Assert.Equal("1 of 2 payments was refused: words for k-1", run.ErrorDocument.GetProperty("message").GetString());
    }

    [Fact]
    public async Task NoMessage_HoldsMoreThan1024_AndNoMoreFlyThanTheWindow()
    {
        var largest = 0;
        var flyingMost = 0;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = async (requests, responses, context) =>
        {
            ulong index = 0;
            ulong answered = 0;
            while (await requests.MoveNext(context.CancellationToken))
            {
                largest = Math.Max(largest, requests.Current.Payments.Count);
                index += (ulong)requests.Current.Payments.Count;
                flyingMost = Math.Max(flyingMost, (int)(index - answered));
                var response = new StreamPaymentsResponse();
                for (; answered < index; answered++) response.Results.Add(new PaymentResult { Index = answered, TotalSent = "1" });
                await responses.WriteAsync(response);
            }
        });

        await PayAsync(node, "5000", "--window", "1500");

        Assert.Equal(1024, largest);
        Assert.InRange(flyingMost, 1, 1500);
    }

    [Theory]
    [InlineData(Refusal.PeerOffline)]
    [InlineData(Refusal.PeerRefusing)]
    [InlineData(Refusal.DepositUnconfirmed)]
    [InlineData(Refusal.DepositUncredited)]
    [InlineData(Refusal.SignerUnavailable)]
    [InlineData(Refusal.TooManyInFlight)]
    [InlineData(Refusal.NotReady)]
    public async Task RefusalThatMayPass_IsTriedAgainWithTheSameKeys(Refusal refusal)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(
            _ => _asked.Count <= 203 ? refusal : Refusal.Unspecified));

        CliRun run = await PayAsync(node, "200", "--json");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        Assert.Equal(200, SummaryOf(run).GetProperty("paid").GetInt32());
        Assert.Equal(203, SummaryOf(run).GetProperty("retries").GetInt32());
        Assert.Equal(200, _asked.Select(payment => payment.IdempotencyKey).Distinct().Count());
        Assert.Equal(200, run.OutputLines.Count(line => line.Contains("\"refusal\":\"REFUSAL_UNSPECIFIED\"")));
    }

    [Theory]
    [InlineData(Refusal.PeerRefusing, "the peer's reason")]
    [InlineData(Refusal.DepositUncredited, "")]
    public async Task ChannelThatIsStuck_IsAskedSeldom_AndTheCauseIsSaidOnce(Refusal refusal, string words)
    {
        _words = _ => words.Length > 0 ? words : $"words that change: {_asked.Count}";
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(_ => refusal));

        CliRun run = await PayAsync(node, "2000", "--timeout", "5");

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.InRange(_asked.Count, 1_025, 2_020); // A window at once; then one, after 20 ms, 40, ... and so on up to a second.
        string said = Assert.Single(run.ErrorLines, line => line.StartsWith("waiting: ", StringComparison.Ordinal));
        Assert.StartsWith($"waiting: {Failure.ReasonOf(refusal)}: {(words.Length > 0 ? words : "words that change: ")}", said);
        Assert.Contains("--key k asks for the same payments again", said);
        Assert.EndsWith(_words(new Payment()), run.ErrorLines[^1]);
    }

    [Fact]
    public async Task PeerThatRefusesWhatIsSigned_IsTold_WhileNothingIsAnswered()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Stream = async (requests, _, context) =>
            {
                while (await requests.MoveNext(context.CancellationToken)) { }
            };
            answers.Get = id =>
            {
                Channel channel = FakeNode.Channel(id);
                channel.PeerRefusal = Refusal.DepositUncredited;
                return channel;
            };
        });

        CliRun run = await PayAsync(node, "20", "--timeout", "6"); // It looks twice.

        Assert.Single(run.ErrorLines, line => line.StartsWith(
            "waiting: what is under way is signed, and the peer refuses it for now: DEPOSIT_UNCREDITED.", StringComparison.Ordinal));
        Assert.Equal(
            "error: TIMEOUT: no payment went through for 6 s (--timeout): the peer refuses what is under way: DEPOSIT_UNCREDITED",
            run.ErrorLines[^1]);
    }

    [Fact]
    public async Task PeerThatIsWaitedFor_IsToldOnce()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Stream = async (requests, _, context) =>
            {
                while (await requests.MoveNext(context.CancellationToken)) { }
            };
            answers.Get = FakeNode.AwayFromItsPeer;
        });

        CliRun run = await PayAsync(node, "20", "--timeout", "8"); // It looks twice, or three times.

        Assert.Single(run.ErrorLines, line => line.StartsWith("waiting: the peer is not connected", StringComparison.Ordinal));
        Assert.Equal("error: TIMEOUT: no payment went through for 8 s (--timeout): the peer is not connected", run.ErrorLines[^1]);
    }

    /// <summary>When what was in the way has passed, nobody waits for the rest of a pause, and all go at once.</summary>
    [Fact]
    public async Task ChannelThatIsStuckNoMore_IsPaidAllTheRest()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(
            _ => _asked.Count <= 1_003 ? Refusal.PeerRefusing : Refusal.Unspecified));

        CliRun run = await PayAsync(node, "1000", "--json");

        Assert.Equal((ExitCode.Done, 1_000), (run.ExitCode, SummaryOf(run).GetProperty("paid").GetInt32()));
        Assert.Equal(1_003, SummaryOf(run).GetProperty("retries").GetInt32());
        Assert.InRange(_messages, 5, 20); // All, four times one, all but one.
        Assert.Empty(run.Error);
    }

    [Fact]
    public async Task StreamThatBreaks_GoesOnWithTheSameKeys()
    {
        var streams = 0;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = async (requests, responses, context) =>
        {
            if (Interlocked.Increment(ref streams) > 1)
            {
                await Answering(_ => Refusal.Unspecified)(requests, responses, context);
                return;
            }
            // The first stream takes payments in, answers half of them, and is gone.
            await requests.MoveNext(context.CancellationToken);
            var response = new StreamPaymentsResponse();
            foreach (Payment payment in requests.Current.Payments)
            {
                _asked.Enqueue(payment);
                _paid[payment.IdempotencyKey] = true;
                if (_asked.Count <= 50) response.Results.Add(new PaymentResult { Index = (ulong)_asked.Count - 1, TotalSent = "1" });
            }
            await responses.WriteAsync(response);
            context.GetHttpContext().Abort();
        });

        CliRun run = await PayAsync(node, "100", "--json");

        Assert.Equal(ExitCode.Done, run.ExitCode);
        JsonElement summary = SummaryOf(run);
        Assert.Equal(100, summary.GetProperty("paid").GetInt32());
        int repeated = summary.GetProperty("repeated").GetInt32();
        Assert.InRange(repeated, 50, 100);
        Assert.Equal(100 + repeated, _asked.Count);
        Assert.Equal(100, _asked.Select(payment => payment.IdempotencyKey).Distinct().Count());
    }

    /// <summary>Which of the many ways in which a cut connection shows itself it is depends on what is being written.</summary>
    [Fact]
    public async Task ConnectionThatIsCutWhileMuchIsWritten_GoesOnWithTheSameKeys()
    {
        var streams = 0;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = async (requests, responses, context) =>
        {
            if (Interlocked.Increment(ref streams) > 5)
            {
                await Answering(_ => Refusal.Unspecified)(requests, responses, context);
                return;
            }
            await requests.MoveNext(context.CancellationToken);
            context.GetHttpContext().Abort();
        });

        CliRun run = await PayAsync(node, "20000", "--window", "16384", "--json");

        Assert.True(run.ExitCode == ExitCode.Done, run.Error);
        Assert.Equal(20_000, SummaryOf(run).GetProperty("paid").GetInt32());
    }

    [Fact]
    public async Task NodeThatComesBack_IsPaidTheRest()
    {
        int port = Ports.Free();
        FakeNode first = await FakeNode.StartAsync(answers => answers.Stream = Answering(_ => Refusal.PeerOffline), port);
        Task<CliRun> paying = PayAsync(first, "100", "--json");
        while (_asked.IsEmpty) await Task.Delay(10);
        await first.DisposeAsync();
        await Task.Delay(200);
        await using FakeNode second = await FakeNode.StartAsync(
            answers => answers.Stream = Answering(_ => Refusal.Unspecified), port);

        CliRun run = await paying;

        Assert.True(run.ExitCode == ExitCode.Done, run.Error + run.Output);
        Assert.Equal(100, _paid.Count);
    }

    [Theory]
    [InlineData(Refusal.PeerOffline, ExitCode.Refused)]
    [InlineData(Refusal.ChainUnavailable, ExitCode.ChainTrouble)]
    public async Task NothingGoingThrough_GivesUpAndSaysHowToGoOn(Refusal refusal, int exitCode)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(_ => refusal));

        CliRun run = await PayAsync(node, "10", "--timeout", "4");

        Assert.Equal(exitCode, run.ExitCode);
        Assert.StartsWith(
            $"error: {Failure.ReasonOf(refusal)}: no payment went through for 4 s (--timeout): 10 of 10 payments were refused: ", run.ErrorLines[^1]);
        Assert.DoesNotContain("total sent", run.Output); // Nobody has said how much that is.
        Assert.Contains("to go on without paying anything twice: the same call with --key k\n", run.Output);
    }

    [Fact]
    public async Task NodeThatStaysAway_IsUnreachable()
    {
        CliRun run = await CliRun.AsyncOf(
            "pay", FakeNode.IdA, "1", "--count", "10", "--timeout", "1", "--node", $"http://127.0.0.1:{Ports.Free()}", "--json");

        Assert.Equal(ExitCode.NodeUnreachable, run.ExitCode);
        Assert.Equal("NODE_UNREACHABLE", run.ErrorDocument.GetProperty("reason").GetString());
        Assert.Equal(0, SummaryOf(run).GetProperty("paid").GetInt32());
    }

    [Fact]
    public async Task RefusalOfTheWholeStream_EndsItWithItsReason()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = (_, _, _) =>
            throw FakeNode.Refuse(StatusCode.InvalidArgument, "INVALID_ARGUMENT", "too many payments"));

        CliRun run = await PayAsync(node, "10");

        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Equal("error: INVALID_ARGUMENT: too many payments\n", run.Error);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Interrupted_SumsUpAndEndsWith130(bool json)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Stream = Answering(
            payment => payment.IdempotencyKey == "k-0" ? Refusal.Unspecified : Refusal.PeerOffline));
        using var stop = new CancellationTokenSource();
        string[] call = ["pay", FakeNode.IdA, "1", "--count", "10", "--key", "k", "--node", node.Url];

        Task<CliRun> paying = CliRun.WithActionsAsync(CliRun.NoActions, json ? [.. call, "--json"] : call, stop.Token);
        while (_asked.Count <= 10 && !paying.IsCompleted) await Task.Delay(10); // Asked again: the first answers were read.
        await stop.CancelAsync();
        CliRun run = await paying;

        Assert.Equal(ExitCode.Interrupted, run.ExitCode);
        if (json) Assert.Equal(1, SummaryOf(run).GetProperty("paid").GetInt32());
        else Assert.Contains("; total sent 1 wei\n", run.Output); // The unit is asked for all the same.
    }

    private static Task<CliRun> PayAsync(FakeNode node, string count, params string[] more) =>
        CliRun.AskAsync(node, ["pay", FakeNode.IdA, "1", "--item", "page", "--key", "k", "--count", count, .. more]);

    private static JsonElement SummaryOf(CliRun run) =>
        JsonDocument.Parse(run.OutputLines[^1]).RootElement.GetProperty("summary");

    /// <summary>A node that keeps idempotency keys: paid again is answered as repeated.</summary>
    private Answers.StreamHandler Answering(Func<Payment, Refusal> refusalOf) => async (requests, responses, context) =>
    {
        ulong index = 0;
        while (await requests.MoveNext(context.CancellationToken))
        {
            _messages++;
            var response = new StreamPaymentsResponse();
            foreach (Payment payment in requests.Current.Payments)
            {
                _asked.Enqueue(payment);
                Refusal refusal = refusalOf(payment);
                bool repeated = refusal == Refusal.Unspecified && !_paid.TryAdd(payment.IdempotencyKey, true);
                response.Results.Add(new PaymentResult
                {
                    Index = index++,
                    Refusal = refusal,
                    TotalSent = refusal == Refusal.Unspecified ? _paid.Count.ToString() : "",
                    Repeated = repeated,
                    Message = refusal == Refusal.Unspecified ? "" : _words(payment),
                });
            }
            await responses.WriteAsync(response);
        }
    };
}
