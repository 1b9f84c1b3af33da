using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>An open database, how it is laid out, and the names of all its column families.</summary>
internal sealed record OpenedDatabase(RocksDb Database, StoreSchema Schema, IReadOnlyList<string> Families);

/// <summary>Makes the folder and opens the database in it, turning RocksDB's words into the operator's.</summary>
internal static class StoreOpening
{
    public static OpenedDatabase Open(string directory, DbOptions options)
    {
        MakeFolder(directory);
        try
        {
            // RocksDB insists on all families that there are; those of another schema are refused later, by its name.
            if (!RocksDb.TryListColumnFamilies(options, directory, out string[] there)) there = [];
            var schema = new StoreSchema();
            return new OpenedDatabase(RocksDb.Open(options, directory, schema.Families(there)), schema, there);
        }
        catch (RocksDbSharpException e) when (IsLocked(e))
        {
            throw new StoreException(
                $"The database in {directory} is in use by another process. One node at a time may use a folder: name another by --data-dir.", e);
        }
        catch (RocksDbSharpException e)
        {
            throw new StoreException($"The database in {directory} cannot be opened: {e.Message}", e);
        }
    }

    public static bool IsDatabase(string directory) => File.Exists(Path.Combine(directory, "CURRENT"));

    /// <summary>Nobody else on the machine may read who pays whom.</summary>
    public static void MakeFolder(string directory)
    {
        try
        {
            const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            if (OperatingSystem.IsWindows()) Directory.CreateDirectory(directory);
            else Directory.CreateDirectory(directory, ownerOnly);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"The folder {directory} {FileTrouble.WhyUnusable(directory) ?? $"cannot be made: {e.Message}"}", e);
        }
    }

    /// <summary>RocksDB tells it only in words: "While lock file: .../LOCK: ..." or "lock hold by current process".</summary>
    private static bool IsLocked(RocksDbSharpException e) =>
        e.Message.Contains("lock file", StringComparison.OrdinalIgnoreCase)
        || e.Message.Contains("lock hold", StringComparison.OrdinalIgnoreCase);
}
