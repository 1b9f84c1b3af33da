using System.CommandLine;
using System.Security.Cryptography;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>pay</summary>
internal static class PayCommand
{
    private const int InFlightDefault = 4_096;
    private const int PatienceSecondsDefault = 60;

    public static CliCommand Create(CommandShell shell)
    {
        Argument<string> channel = Fields.Channel();
        Argument<AskedAmount> amount = Fields.AmountArgument("What to pay, each time");
        Option<string> item = Fields.Text(
            "--item", "What is paid for; with --count 'item' when not given", 0, PaymentPlan.NameBytesMax);
        Option<string> key = Fields.Text(
            "--key", "Idempotency key: the same one never pays twice; a random one when not given", 1, PaymentPlan.NameBytesMax);
        Option<int> count = Fields.Number(
            "--count", "Make so many payments, with -0, -1, ... behind item and key, try again what may pass by itself, and end at what would refuse all the rest (of which as many as --window may be sent before that is known)",
            1, PaymentPlan.CountMax, (int?)null);
        Option<int> window = Fields.Number(
            "--window", "With --count: payments that may wait for their acknowledgement", 1, 16_384, (int?)InFlightDefault);
        Option<int> timeout = Fields.Number(
            "--timeout", "Seconds without any payment going through until giving up; what is signed goes on", 1, 86_400,
            (int?)PatienceSecondsDefault);
        var command = new CliCommand(
            "pay", "Pays through a channel; done when the peer has it on disk.",
            "channelnode pay 0x1a2b3c '0.001 ETH' --item article-17\nchannelnode pay 0x1a2b3c 5 --count 20000 --item second")
        {
            channel, amount, item, key, count, window, timeout,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(count) is not null) return;
            if (result.GetResult(window) is { Implicit: false, Tokens: [var token] } given && !given.Errors.Any())
                result.AddError($"{window.Name}: '{token.Value}' is about many payments: give --count too");
        });
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            string id = await node.ResolveAsync(parsed.GetValue(channel)!, cancel);
            TokenUnits units = shell.UnitsOf(parsed, node);
            var plan = new PaymentPlan(
                id, await units.ReadAsync(parsed.GetValue(amount), id, "amount", cancel),
                parsed.GetValue(item) ?? "", parsed.GetValue(key) ?? RandomKey(), parsed.GetValue(count));
            var patience = TimeSpan.FromSeconds(parsed.GetValue(timeout));
            if (plan.Count == 0) return await PayOneAsync(shell, node, units, plan, patience, terminal, cancel);

            plan = plan with { Item = plan.Item.Length == 0 ? "item" : plan.Item };
            return await new PayManyJob(node, units, plan, parsed.GetValue(window), patience, terminal, shell.Time).RunAsync(cancel);
        });
    }

    private static async Task<int> PayOneAsync(
        CommandShell shell, NodeConnection node, TokenUnits units, PaymentPlan plan, TimeSpan patience, Terminal terminal,
        CancellationToken cancel)
    {
        var payment = new Payment
        {
            ChannelId = plan.ChannelId,
            Amount = plan.Amount.ToString(),
            ItemId = ByteString.CopyFromUtf8(plan.Item),
            IdempotencyKey = plan.Key,
        };
        using CancellationTokenSource late = new(patience, shell.Time);
        using var within = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        try
        {
            using AsyncUnaryCall<PayResponse> call = node.Client.PayAsync(new PayRequest { Payment = payment }, cancellationToken: within.Token);
            await new WhyItWaits(node, units, plan, terminal, shell.Time).SayAsync(call.ResponseAsync, within.Token);
            PayResponse paid = await call;
            TokenUnit unit = terminal.Json ? TokenUnit.Ether : await units.TryOfChannelAsync(plan.ChannelId, cancel);
            Show(paid, plan, unit, terminal);
            return ExitCode.Done;
        }
        catch (Exception stopped) when (
            late.IsCancellationRequested && !cancel.IsCancellationRequested
            && stopped is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            throw new CommandException(new(
                ExitCode.Refused, "TIMEOUT",
                $"the peer has not taken it for {patience.TotalSeconds:N0} s (--timeout), and may still: --key {plan.Key} asks for the same payment again"));
        }
        catch (Exception unclear)
            when (MayHavePaid(unclear) && node.FailureOf(unclear, cancel) is { ExitCode: not ExitCode.Refused } failure)
        {
            throw new CommandException(failure with
            {
                Message = $"{failure.Message}; it may have been paid: ask again with --key {plan.Key}",
            });
        }
        catch (RpcException refused) when (
            Failure.ErrorInfoOf(refused)?.Reason is "PEER_OFFLINE" or "CHAIN_UNAVAILABLE" or "SIGNER_UNAVAILABLE" or "NOT_READY" or "DRAINING")
        {
            Failure failure = node.FailureOf(refused, cancel)!;
            throw new CommandException(failure with
            {
                Message = $"{failure.Message}; this call has paid nothing, and --key {plan.Key} asks for the same payment again",
            });
        }
    }

    /// <summary>A node that refuses by name has paid nothing; any other end says nothing.</summary>
    private static bool MayHavePaid(Exception exception) =>
        exception is not RpcException rpc || (Failure.ErrorInfoOf(rpc) is null && !Failure.IsOfAnotherServer(rpc));

    private static void Show(PayResponse paid, PaymentPlan plan, TokenUnit unit, Terminal terminal)
    {
        if (terminal.Json)
        {
            terminal.Document(new { totalSent = paid.TotalSent, repeated = paid.Repeated, idempotencyKey = plan.Key });
            return;
        }
        string what = paid.Repeated ? "had been paid before under this key, nothing was paid now" : "paid";
        terminal.Line($"{unit.Show(plan.Amount.ToString())} {what}; total sent {unit.Show(paid.TotalSent)} (key {plan.Key})");
    }

    private static string RandomKey() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
}
