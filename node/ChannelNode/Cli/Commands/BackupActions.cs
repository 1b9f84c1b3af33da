using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>What the backup commands do without a running node; what takes long tells how far it is. They fail as those of <see cref="CliActions"/> do.</summary>
/// <param name="CreateKey">Writes a fresh key to open backups with to a file that must not exist; answers its recipient.</param>
/// <param name="Verify">
/// Checks a file with the keys of another; with a JSON-RPC URL it compares the database in it with the chain too, read from a
/// block on.
/// </param>
/// <param name="Restore">Makes a file the database of a folder, with the keys of another file; its access tokens go on, or not.</param>
internal sealed record BackupActions(
    Func<string, string> CreateKey,
    Func<string, string, string?, ulong, Action<string>, CancellationToken, Task<(BackupFound Found, ChainAuditReport? Chain)>> Verify,
    Func<string, string, string, bool, Action<string>, CancellationToken, Task<BackupFound>> Restore);
