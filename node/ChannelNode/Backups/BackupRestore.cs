using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Backups;

/// <summary>Backups on a machine without their node: checked, or made a node's database again.</summary>
/// <param name="inspect">Reads a whole database in a folder.</param>
/// <param name="mark">Marks a database as restored: its folder, whose it is, the times (Unix ms) of now and of the backup, and whether its access tokens go on.</param>
internal sealed class BackupRestore(Func<string, StoreContents> inspect, Action<string, StoreIdentity, long, long, bool> mark, TimeProvider time)
{
    /// <summary>Hears, in a sentence for people, how far it is.</summary>
    public Action<string> Tell { get; init; } = _ => { };

    /// <summary>
    /// Decrypts the whole file, reads the whole database in it, and compares it with what the backup says; then
    /// <paramref name="also"/> may look at the unpacked folder, which is removed afterwards.
    /// </summary>
    public async Task<BackupFound> VerifyAsync(
        string file, string identityFile, Func<string, Task>? also, CancellationToken cancel)
    {
        string folder = Directory.CreateTempSubdirectory("channelnode-backup-").FullName;
        try
        {
            (BackupManifest manifest, _) = await UnpackAsync(file, identityFile, folder, cancel);
            if (also is not null) await also(folder);
            return manifest.Found();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// Makes the backup the database of a folder that does not exist or is empty: whole and marked as restored, or not at all.
    /// </summary>
    /// <param name="keepsTokens">Those that were revoked after the backup are good again then.</param>
    public async Task<BackupFound> RestoreAsync(
        string file, string identityFile, string dataDirectory, bool keepsTokens, CancellationToken cancel)
    {
        string target = Path.GetFullPath(dataDirectory);
        if (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any()))
        {
            throw new RefusalException(
                Refusal.FolderNotEmpty,
                $"--data-dir: {target} is not empty; what is there may be newer than the backup: move it away first")
            {
                Field = "--data-dir",
            };
        }

        string parent = Path.GetDirectoryName(target)
            ?? throw new RefusalException(Refusal.InvalidArgument, $"--data-dir: {target} is no folder for a database");
        Directory.CreateDirectory(parent);
        string unfinished = $"{target}.{Guid.NewGuid():N}";
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(unfinished);
        else Directory.CreateDirectory(unfinished, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            (BackupManifest manifest, StoreContents contents) = await UnpackAsync(file, identityFile, unfinished, cancel);
            AtomicFile.SyncFolder(unfinished);
            mark(unfinished, contents.Identity, time.GetUtcNow().ToUnixTimeMilliseconds(), manifest.CreatedAt.ToUnixTimeMilliseconds(), keepsTokens);
            if (Directory.Exists(target)) Directory.Delete(target); // Empty, as was seen; it is not deleted otherwise.
            Directory.Move(unfinished, target);
            AtomicFile.SyncFolder(parent);
            return manifest.Found();
        }
        finally
        {
            if (Directory.Exists(unfinished)) Directory.Delete(unfinished, recursive: true);
        }
    }

    private async Task<(BackupManifest Manifest, StoreContents Contents)> UnpackAsync(
        string file, string identityFile, string folder, CancellationToken cancel)
    {
        IReadOnlyList<AgeIdentity> identities = AgeIdentity.ReadFile(identityFile);
        try
        {
            await using FileStream source = File.OpenRead(file);
            BackupManifest manifest = await BackupArchive.ReadAsync(
                source, identities, folder, () => Tell($"unpacking: {source.Position:N0} of {source.Length:N0} bytes"), cancel);
            Tell("reading every row of the database in it");
            StoreContents contents = inspect(folder);
            manifest.Check(contents);
            return (manifest, contents);
        }
        finally
        {
            foreach (AgeIdentity identity in identities) identity.Dispose();
        }
    }
}
