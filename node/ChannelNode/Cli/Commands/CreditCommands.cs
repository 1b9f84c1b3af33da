using System.CommandLine;
using ChannelNode.Proto.V1;
using Address = ChannelNode.Core.Address;

namespace ChannelNode.Cli;

/// <summary>channel credits, channel withdraw-credit</summary>
internal static class CreditCommands
{
    public static CliCommand List(CommandShell shell) =>
        shell.Asks(
            new CliCommand(
                "credits", "Lists payouts that could not be pushed to the owner and wait in the contract.",
                "channelnode channel credits"),
            async (parsed, node, terminal, cancel) =>
            {
                ListCreditsResponse answer = await node.Client.ListCreditsAsync(
                    new ListCreditsRequest(), cancellationToken: cancel);
                if (terminal.Json) terminal.Document(answer);
                else await ShowAsync(answer, shell.UnitsOf(parsed, node), terminal, cancel);
                return ExitCode.Done;
            });

    private static async Task ShowAsync(
        ListCreditsResponse answer, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        if (answer.Credits.Count == 0)
        {
            terminal.Line("no credits");
            return;
        }

        var rows = new List<string[]>();
        foreach (Credit credit in answer.Credits)
            rows.Add([credit.Token, (await units.OfAsync(credit.Token, cancel)).Show(credit.Amount)]);
        terminal.Show(Views.Fitting(terminal.Width, ["token", "#amount"], rows).Table);
    }

    public static CliCommand Withdraw(CommandShell shell)
    {
        Option<Address> token = Fields.Address("--token", "ERC-20 contract; ether when not given");
        var command = new CliCommand(
            "withdraw-credit", "Takes a payout that waits in the contract, in one token.",
            "channelnode channel withdraw-credit --yes") { token };
        Confirmation confirmation = Confirmation.On(command);
        Waiting waiting = Waiting.On(command);
        return shell.Asks(command, (parsed, node, terminal, cancel) =>
        {
            confirmation.Require(parsed, terminal, "Withdraw the credit");
            Address given = parsed.GetValue(token);
            var request = new WithdrawCreditRequest { Token = given.IsZero ? "" : given.ToString() };
            return terminal.FollowAsync(
                node.Client.WithdrawCredit(request, cancellationToken: cancel), step => step.Progress, shell.UnitsOf(parsed, node), cancel,
                waiting.UntilConfirmed(parsed));
        });
    }
}
