using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What the database's disk must have left for what protects money to be written. With less nothing new is paid, accepted, opened or
/// guarded, however much others have to pay; disputes, claims and closes go on, and so does what is newer in a channel that a watchtower
/// guards. Changed on the ledger's thread; <see cref="IsLow"/> for any.
/// </summary>
internal sealed class DiskRoom(ulong reserveBytes)
{
    /// <summary>A warning comes before it matters.</summary>
    private const ulong WarnAtReserves = 2;

    /// <summary>As large a part of what there is must be above a limit, before it counts as passed: else it would be told with every file.</summary>
    private const ulong MarginPart = 9;

    private Level _told;
    private volatile bool _isLow;

    private enum Level : byte
    {
        Enough = 0,
        Short = 1,
        Low = 2,
    }

    public bool IsLow => _isLow;

    /// <summary>What is free now.</summary>
    public void Take(ulong freeBytes, LedgerTurn turn)
    {
        Level level = LevelOf(freeBytes);
        if (level < _told) level = LevelOf(freeBytes - (freeBytes / MarginPart));
        if (level == _told) return;
        turn.Tell(level == Level.Low ? Low(freeBytes) : level == Level.Enough ? Enough(freeBytes) : Short(freeBytes));
        _told = level;
        _isLow = level == Level.Low;
    }

    private Level LevelOf(ulong freeBytes) =>
        freeBytes < reserveBytes ? Level.Low : freeBytes / WarnAtReserves < reserveBytes ? Level.Short : Level.Enough;

    private OperatorEvent Low(ulong freeBytes) => new(
        EventKind.DiskLow, EventSeverity.Alarm,
        $"{Mebibytes(freeBytes)} are left on the database's disk, less than --disk-reserve, {Mebibytes(reserveBytes)}: nothing is paid, accepted, opened or newly "
        + "guarded until there is more; disputes, claims and closes go on")
    {
        Refusal = Refusal.DiskLow,
    };

    private OperatorEvent Short(ulong freeBytes) => new(
        EventKind.DiskLow, EventSeverity.Warning,
        $"{Mebibytes(freeBytes)} are left on the database's disk: below --disk-reserve, {Mebibytes(reserveBytes)}, nothing is paid, accepted, opened or newly guarded");

    private static OperatorEvent Enough(ulong freeBytes) =>
        new(EventKind.DiskBack, EventSeverity.Info, $"there is room on the database's disk again: {Mebibytes(freeBytes)}");

    private static string Mebibytes(ulong bytes) => $"{bytes >> 20} MiB";
}
