using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>
/// What the command line does in its own process rather than by asking a running node. Program fills it in, so that
/// the commands need to know none of the parts behind it. What an operator can mend they throw as a RefusalException
/// or an IOException, with a sentence for people; anything else is shown as the bug that it is.
/// </summary>
/// <param name="RunNode">Runs a node until cancelled; answers the exit code.</param>
/// <param name="RunWatchtower">The same with a watchtower.</param>
/// <param name="Keys">What is done with key files.</param>
/// <param name="DeployContract">
/// Deploys PaymentChannels by the JSON-RPC at a URL from the account of a key; answers when it is mined.
/// </param>
/// <param name="VerifyChain">
/// Compares the database in a folder with the chain at a JSON-RPC URL, read from a block on, and tells how far it is.
/// </param>
/// <param name="RescanChain">The same, and puts the database right; the number is how deep blocks can be undone.</param>
internal sealed record CliActions(
    Func<NodeOptions, CancellationToken, Task<int>> RunNode,
    Func<WatchtowerOptions, CancellationToken, Task<int>> RunWatchtower,
    KeyActions Keys,
    Func<string, KeySource, CancellationToken, Task<(Address Contract, Bytes32 TransactionHash, ulong GasUsed)>>
        DeployContract,
    Func<string, string, ulong, Action<string>, CancellationToken, Task<ChainAuditReport>> VerifyChain,
    Func<string, string, ulong, uint, Action<string>, CancellationToken, Task<ChainAuditReport>> RescanChain)
{
    /// <summary>Null only where no such command is called.</summary>
    public BackupActions? Backups { get; init; }

    /// <summary>What is wrong with the files and folders that a node's settings name; makes nothing.</summary>
    public Func<NodeOptions, IEnumerable<SettingFault>> NodeFiles { get; init; } = _ => [];

    /// <summary>The same of a watchtower.</summary>
    public Func<WatchtowerOptions, IEnumerable<SettingFault>> WatchtowerFiles { get; init; } = _ => [];
}
