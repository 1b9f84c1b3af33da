using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

internal sealed partial class RocksChannelStore
{
    /// <summary>Of the log, before it is worth the files that shortening it makes. Bytes.</summary>
    private const ulong LogBytesKept = 32 << 20;

    public ulong ReadFreeBytes()
    {
        try
        {
            return DiskSpace.Around(_database.Path).Free;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return ulong.MaxValue; // What cannot be asked limits nothing; a disk that fails is found by writing.
        }
    }

    public DiskUse ReadDiskUse()
    {
        using StoreGate.Pass pass = _gate.Enter();
        (ulong free, ulong total) = DiskSpace.Around(_database.Path);
        return new DiskUse(DiskSpace.UsedBy(_database.Path), _received.Bytes, free, total);
    }

    /// <summary>
    /// What the log holds is written where it belongs, and the log goes. Else one row that nobody writes again keeps all of it, up to its limit:
    /// so what is written over and over would take disk after all.
    /// </summary>
    public void ShortenLog(ulong freeBytes)
    {
        using StoreGate.Pass pass = _gate.Enter();
        ulong log = DiskSpace.UsedBy(_database.Path, "*.log");
        if (log < LogBytesKept || freeBytes < log) return; // What it is written to takes as much, before it goes.
        FlushOptions options = new FlushOptions().SetWaitForFlush(true);
        nint[] families = [.. _families.Data.Select(family => family.Handle)];
        try
        {
            Native.Instance.rocksdb_flush_cfs(_database.Handle, options.Handle, families, families.Length);
        }
        catch (RocksDbSharpException e)
        {
            throw new StoreException($"The log of the database in {_database.Path} cannot be written to its files: {e.Message}", e);
        }

        GC.KeepAlive(options);
    }
}
