using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>
/// What is behind the echo's door: nothing, or parts of what an update takes: one verification for each update that would fit into a
/// message, and one synced write for each message. They are done where the message is read, and shared with no other.
/// </summary>
/// <param name="SyncsIn">A folder for the database that is written to; null for none.</param>
internal sealed record EchoWork(bool Verifies = false, string? SyncsIn = null)
{
    private const string VerifyFlag = "--verify", SyncFlag = "--sync";

    [ThreadStatic]
    private static VerifyLoop? _signatures;

    private readonly Lock _writing = new();
    private SyncedWrites? _writes;

    public string Title => (Verifies, SyncsIn) switch
    {
        (false, null) => "the wire alone",
        (true, null) => "the wire and a verification each",
        (false, _) => "the wire and a sync each",
        _ => "the wire, a verification and a sync each",
    };

    public IEnumerable<string> Arguments
    {
        get
        {
            if (Verifies) yield return VerifyFlag;
            if (SyncsIn is null) yield break;
            yield return SyncFlag;
            yield return SyncsIn;
        }
    }

    public long DiskBytes => SyncsIn is null ? 0 : Folders.BytesOf(SyncsIn);

    public static EchoWork Of(IReadOnlyList<string> arguments) =>
        new(arguments.Contains(VerifyFlag), arguments.SkipWhile(it => it != SyncFlag).Skip(1).FirstOrDefault());

    /// <summary>In the process that does it.</summary>
    public void Begin() => _writes = SyncsIn is null ? null : new SyncedWrites(SyncsIn, overZeros: true);

    public void Do(int messageBytes)
    {
        if (Verifies) (_signatures ??= new VerifyLoop()).Count(messageBytes / EchoStream.UpdateBytes);
        if (_writes is null) return;
        lock (_writing) _writes.Write();
    }
}
