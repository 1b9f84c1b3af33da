using System.Globalization;

namespace ChannelNode.Engine;

/// <summary>
/// A restored database has forgotten the cooperative closes that its lost self signed after the backup. Whoever holds one can have
/// it mined until its deadline, and so takes back what it has paid since. Until no such close can be mined any more, nothing that a
/// peer pays in a channel of the backup is accepted. What this node pays is not held: what such a close takes back of that, the peer
/// loses. Stored, so a restart changes nothing. The ledger's writer changes it; any thread may look.
/// </summary>
internal sealed class RestoredHold
{
    /// <summary>
    /// Between the clocks of the machine that was lost, of this one and of the chain: so much later than the deadline of the last close
    /// that the lost self can have signed must a block be.
    /// </summary>
    public const ulong SkewSecondsMax = 300;

    /// <summary>What a block says of its time is believed up to the year 2106: an RPC may say anything.</summary>
    private const ulong ChainSecondsMax = uint.MaxValue;

    private readonly int _number;
    private volatile Restoration? _newest;
    private volatile bool _isOn;

    public RestoredHold(IChannelStore store)
    {
        _number = store.Restorations.Count - 1;
        _newest = _number < 0 ? null : store.Restorations[_number];
        _isOn = _newest is { IsReleased: false };
    }

    /// <summary>The newest restoration as it is stored; null for a database that never was.</summary>
    public Restoration? Newest => _newest;

    public bool IsOn => _isOn;

    /// <summary>
    /// Unix time that a block deep enough to stay must be later than. 0 when nothing is held, or the chain was not seen since the restoring.
    /// </summary>
    public ulong UntilSeconds => _isOn ? _newest!.HeldUntilSeconds : 0;

    /// <summary>The chain must be seen first: its time may be ahead of the machine's, and the lost self went by the later of both.</summary>
    public bool WaitsForTheChain => _isOn && _newest!.HeldUntilSeconds == 0;

    /// <summary>
    /// All that the chain said while the node was away is known: of <paramref name="chainSeconds"/>, the time of the newest block. No
    /// signature of the lost self is younger than that or the restoring.
    /// </summary>
    public void Begin(LedgerTurn turn, ulong chainSeconds)
    {
        if (!WaitsForTheChain) return;
        ulong restored = (ulong)_newest!.RestoredAtMs / 1_000;
        ulong until = Math.Max(restored, Math.Min(chainSeconds, ChainSecondsMax)) + ChannelAgreements.CloseDeadlineSecondsMax + SkewSecondsMax;
        Put(turn, _newest with { HeldUntilSeconds = until });
    }

    /// <summary>Ends it once no block can hold such a close: <paramref name="staying"/> is one that is deep enough to stay.</summary>
    public void Look(LedgerTurn turn, ChainBlock staying)
    {
        if (!_isOn || WaitsForTheChain || staying.TimestampSeconds <= UntilSeconds) return;
        Put(turn, _newest! with { IsReleased = true });
        _isOn = false;
        turn.Tell(new OperatorEvent(
            EventKind.DatabaseRestored,
            EventSeverity.Info,
            "no close that the lost database signed can be mined any more: what peers pay in the channels of the backup is accepted again")
        { Block = staying.Number });
    }

    /// <summary>Operators have been told of the restoring.</summary>
    public void NoteTold(LedgerTurn turn) => Put(turn, _newest! with { IsTold = true });

    private void Put(LedgerTurn turn, Restoration restoration)
    {
        _newest = restoration;
        turn.Batch.PutRestoration(_number, restoration);
        turn.RequireDurable();
    }

    /// <summary>Unix time in words.</summary>
    public static string Words(ulong seconds) =>
        DateTimeOffset.FromUnixTimeSeconds((long)seconds).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
