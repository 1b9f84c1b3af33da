using ChannelNode.Storage;
using RocksDbSharp;

namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>
/// RocksDB writes of 256 bytes with their log synced. <paramref name="overZeros"/>: into a log that is kept longer than what is in it, as the
/// node's is; F's are not. For one thread at a time.
/// </summary>
internal sealed class SyncedWrites(string folder, bool overZeros) : IDisposable
{
    private const int ValueBytes = 256;

    private readonly RocksDb _database = RocksDb.Open(new DbOptions().SetCreateIfMissing(true), folder);
    private readonly LogAhead? _log = overZeros ? new LogAhead(folder) : null;
    private readonly WriteOptions _synced = new WriteOptions().SetSync(true);
    private readonly byte[] _key = new byte[8], _value = new byte[ValueBytes];
    private long _writes;

    public void Write()
    {
        BitConverter.TryWriteBytes(_key, ++_writes);
        _database.Put(_key, _value, writeOptions: _synced);
        _log?.Wrote(_key.Length + _value.Length);
    }

    public void Dispose() => _database.Dispose();
}
