using System.CommandLine;

namespace ChannelNode.Cli;

/// <summary>contract deploy</summary>
internal static class ContractCommand
{
    public static CliCommand Create(CommandShell shell) =>
        new("contract", "The contract that holds the channels.", "channelnode contract deploy --rpc-url ws://127.0.0.1:8545")
        {
            Deploy(shell),
        };

    private static CliCommand Deploy(CommandShell shell)
    {
        Option<string> rpcUrl = RunCommand.RpcUrl();
        KeyFlags key = new();
        var command = new CliCommand(
            "deploy", "Deploys PaymentChannels and waits until it is mined.",
            "channelnode contract deploy --rpc-url ws://127.0.0.1:8545 --key-file alice.key") { rpcUrl };
        foreach (Option flag in key.All()) command.Options.Add(flag);
        return shell.Does(command.MayExitWith(ExitCode.ChainTrouble), async (parsed, terminal, cancel) =>
        {
            if (key.Wrong(parsed).FirstOrDefault() is { } fault) throw new CommandException(Failure.Of(fault));
            var (contract, transactionHash, gasUsed) =
                await SlowWork.RunAsync(
                    terminal, shell.Time, "waiting until the contract is mined",
                    _ => shell.Actions.DeployContract(parsed.GetValue(rpcUrl)!, key.Read(parsed), cancel));
            if (terminal.Json)
            {
                terminal.Document(new
                {
                    contract = contract.ToString(),
                    transactionHash = transactionHash.ToString(),
                    gasUsed = gasUsed.ToString(),
                });
            }
            else terminal.Line($"{contract}  deployed by {transactionHash}, gas {gasUsed}");
            return ExitCode.Done;
        });
    }
}
