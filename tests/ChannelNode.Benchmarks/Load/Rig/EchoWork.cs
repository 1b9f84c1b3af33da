using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Storage;
using RocksDbSharp;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>
/// What is behind the echo's door: nothing, or the least that an acknowledgement of an update takes, and nothing of what makes a node.
/// </summary>
/// <param name="Verifies">A signature for each update that is as long as a message's.</param>
/// <param name="SyncsIn">A folder, for a database into which each message writes what F's writes write, synced, over zeros as the node's.</param>
internal sealed record EchoWork(bool Verifies = false, string? SyncsIn = null)
{
    private const string VerifyFlag = "--verify", SyncFlag = "--sync";

    [ThreadStatic]
    private static VerifyLoop? _signatures;

    private readonly WriteOptions _synced = new WriteOptions().SetSync(true);
    private readonly byte[] _key = new byte[8], _value = new byte[Yardsticks.WriteBytes];
    private RocksDb? _database;
    private LogAhead? _log;

    public string Title => (Verifies, SyncsIn) switch
    {
        (false, null) => "the wire alone",
        (true, null) => "the wire and a verification each",
        (false, _) => "the wire and a sync each",
        _ => "the wire, a verification and a sync each",
    };

    public IEnumerable<string> Arguments => [.. Verifies ? [VerifyFlag] : Array.Empty<string>(), .. SyncsIn is null ? Array.Empty<string>() : [SyncFlag, SyncsIn]];

    public static EchoWork Of(IReadOnlyList<string> arguments) =>
        new(arguments.Contains(VerifyFlag), arguments.SkipWhile(it => it != SyncFlag).Skip(1).FirstOrDefault());

    public void Open()
    {
        if (SyncsIn is null) return;
        _database = RocksDb.Open(new DbOptions().SetCreateIfMissing(true), SyncsIn);
        _log = new LogAhead(SyncsIn);
    }

    public void Do(int messageBytes)
    {
        if (Verifies) (_signatures ??= new VerifyLoop()).Count(messageBytes / EchoStream.UpdateBytes);
        if (_database is null) return;
        lock (_key)
        {
            BitConverter.TryWriteBytes(_key, BitConverter.ToInt64(_key) + 1);
            _database.Put(_key, _value, writeOptions: _synced);
            _log!.Wrote(_key.Length + _value.Length);
        }
    }
}
