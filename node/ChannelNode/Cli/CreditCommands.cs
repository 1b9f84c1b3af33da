using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>channel credits, channel withdraw-credit</summary>
internal static class CreditCommands
{
    public static CliCommand List(CommandShell shell) =>
        shell.Asks(
            new CliCommand(
                "credits", "Lists payouts that could not be pushed to the owner and wait in the contract.",
                "channelnode channel credits"),
            async (_, node, terminal, cancel) =>
            {
                ListCreditsResponse answer = await node.Client.ListCreditsAsync(
                    new ListCreditsRequest(), cancellationToken: cancel);
                if (terminal.Json) terminal.Document(answer);
                else Show(answer, terminal);
                return ExitCode.Done;
            });

    private static void Show(ListCreditsResponse answer, Terminal terminal)
    {
        if (answer.Credits.Count == 0)
        {
            terminal.Line("no credits");
            return;
        }

        var rows = answer.Credits.Select(credit => new[] { credit.Token, credit.Amount }).ToList();
        terminal.Show(Views.Fitting(terminal.Width, ["token", "#amount"], rows).Table);
    }

    public static CliCommand Withdraw(CommandShell shell)
    {
        Option<Address> token = Fields.Address("--token", "ERC-20 contract; ether when not given");
        var command = new CliCommand(
            "withdraw-credit", "Takes a payout that waits in the contract, in one token.",
            "channelnode channel withdraw-credit") { token };
        return shell.Asks(command, (parsed, node, terminal, cancel) =>
        {
            Address given = parsed.GetValue(token);
            var request = new WithdrawCreditRequest { Token = given.IsZero ? "" : given.ToString() };
            return terminal.FollowAsync(
                node.Client.WithdrawCredit(request, cancellationToken: cancel), step => step.Progress, cancel);
        });
    }
}
