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

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Whether other users of the machine can read what is in the folder.</summary>
    public static bool IsOpenToOthers(string directory) =>
        !OperatingSystem.IsWindows() && (File.GetUnixFileMode(directory) & ~OwnerOnly) != UnixFileMode.None;

    public static bool IsDatabase(string directory) => File.Exists(Path.Combine(directory, "CURRENT"));

    /// <summary>
    /// Nobody else on the machine may read who pays whom. A folder that was made for the database, as volumes are, is closed to others
    /// before anything is in it; one with a database is left as it is (<see cref="IsOpenToOthers"/>).
    /// </summary>
    public static void MakeFolder(string directory)
    {
        try
        {
            if (OperatingSystem.IsWindows()) Directory.CreateDirectory(directory);
            else if (!Directory.Exists(directory)) Directory.CreateDirectory(directory, OwnerOnly);
            else if (!IsDatabase(directory) && IsOpenToOthers(directory)) File.SetUnixFileMode(directory, OwnerOnly);
        }
        catch (UnauthorizedAccessException) when (Directory.Exists(directory))
        {
            // Somebody else's folder, in which this user may write: it is said when the node starts.
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
