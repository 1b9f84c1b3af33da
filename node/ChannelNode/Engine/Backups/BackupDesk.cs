using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What a finished backup holds.</summary>
/// <param name="AtMs">Unix time in milliseconds: everything acknowledged before is in it.</param>
/// <param name="Channels">Channels known then.</param>
/// <param name="Block">The newest block followed then.</param>
/// <param name="ReceivedCursor">The newest payment received then.</param>
internal readonly record struct BackupMade(long AtMs, ulong Channels, ulong Block, ulong ReceivedCursor);

/// <summary>What a backup says that it holds, after all of it was read and compared with that.</summary>
/// <param name="CreatedAt">Everything acknowledged before is in it, by the clock of the machine that made it.</param>
/// <param name="Schema">Of the database in it.</param>
/// <param name="Block">The newest block followed then.</param>
/// <param name="ReceivedCursor">The newest payment received then.</param>
/// <param name="Rows">Rows of each kind, by its name.</param>
internal sealed record BackupFound(
    DateTimeOffset CreatedAt, string Signer, ulong ChainId, string Contract, uint Schema, ulong Block, ulong ReceivedCursor,
    IReadOnlyDictionary<string, ulong> Rows);

/// <summary>
/// Writes a backup of the running node's database, encrypted to each of the recipients, to a stream; <paramref name="begins"/>
/// is told about how many bytes it will be.
/// </summary>
internal delegate Task<BackupMade> BackupWriter(
    IReadOnlyList<string> recipients, Stream target, Action<ulong> begins, CancellationToken cancel);

/// <summary>Backups of a running node, one at a time: each holds on to files that the database would let go of.</summary>
internal sealed class BackupDesk(BackupWriter write)
{
    private const int RecipientsMax = 16;

    private int _isBusy;

    public async Task<BackupMade> WriteAsync(
        IReadOnlyList<string> recipients, Stream target, Action<ulong> begins, CancellationToken cancel)
    {
        if (recipients.Count is 0 or > RecipientsMax)
        {
            throw new RefusalException(
                Refusal.InvalidArgument, $"recipients has {recipients.Count} keys, expected 1 to {RecipientsMax}")
            {
                Field = "recipients",
            };
        }

        if (Interlocked.Exchange(ref _isBusy, 1) != 0)
            throw new RefusalException(Refusal.NotReady, "another backup is being made; one at a time");
        try
        {
            return await write(recipients, target, begins, cancel);
        }
        finally
        {
            Volatile.Write(ref _isBusy, 0);
        }
    }
}
