using ChannelNode.Engine;

namespace ChannelNode.Backups;

/// <summary>
/// Backs up the database of a running node: a copy that its store makes beside its work, read whole before anybody trusts
/// it, packed and encrypted. Nothing but ciphertext leaves.
/// </summary>
/// <param name="dataDirectory">The database's folder; the copy lies in it for as long as it is read.</param>
/// <param name="checkpoint">Makes the copy in a new folder.</param>
/// <param name="inspect">Reads all of it.</param>
internal sealed class NodeBackup(string dataDirectory, Action<string> checkpoint, Func<string, StoreContents> inspect, TimeProvider time)
{
    private const string CopyName = "backup.tmp";

    /// <summary>For each chunk, and for headers: the file is so much larger than what it holds.</summary>
    private const long ChunkOverhead = AgeChunks.TagBytes;
    private const long FileOverhead = 1_024;

    private readonly string _copy = Path.Combine(Path.GetFullPath(dataDirectory), CopyName);

    /// <summary>One at a time.</summary>
    /// <param name="begins">Told about how many bytes will be written, before the first.</param>
    public async Task<BackupMade> WriteAsync(
        IReadOnlyList<string> recipients, Stream target, Action<ulong> begins, CancellationToken cancel)
    {
        AgeRecipient[] to = [.. recipients.Select(AgeRecipient.Parse)];
        Remove(); // Of a node that was killed.
        try
        {
            DateTimeOffset now = time.GetUtcNow();
            StoreContents contents = await Task.Run(
                () =>
                {
                    checkpoint(_copy);
                    return inspect(_copy);
                },
                cancel);
            begins((ulong)SizeOf(_copy));
            BackupManifest manifest = BackupManifest.Of(contents, now);
            await BackupArchive.WriteAsync(target, to, manifest, _copy, cancel);
            return new BackupMade(now.ToUnixTimeMilliseconds(), manifest.Channels, manifest.Block, manifest.ReceivedCursor);
        }
        finally
        {
            Remove();
        }
    }

    private void Remove()
    {
        if (Directory.Exists(_copy)) Directory.Delete(_copy, recursive: true);
    }

    private static long SizeOf(string folder)
    {
        long bytes = FileOverhead;
        foreach (string file in Directory.EnumerateFiles(folder)) bytes += new FileInfo(file).Length + FileOverhead;
        return bytes + bytes / AgeChunks.ChunkBytes * ChunkOverhead;
    }
}
