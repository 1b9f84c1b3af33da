namespace ChannelNode.Cli;

/// <summary>channel</summary>
internal static class ChannelCommand
{
    public static CliCommand Create(CommandShell shell) =>
        new("channel", "Opens, watches, tops up and closes channels.", "channelnode channel list --status open")
        {
            ChannelFundingCommands.Open(shell),
            ChannelViewCommands.List(shell),
            ChannelViewCommands.Show(shell),
            ChannelFundingCommands.Deposit(shell),
            ChannelClosingCommands.Close(shell),
            ChannelClosingCommands.StartClose(shell),
            ChannelClosingCommands.Settle(shell),
            ChannelClosingCommands.Claim(shell),
            ChannelResumeCommand.Create(shell),
            CreditCommands.List(shell),
            CreditCommands.Withdraw(shell),
        };
}
