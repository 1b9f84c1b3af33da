using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Cursors that a restored database never gives: those between the newest that its backup knew and the next that it gives.
/// A lost database gave some of them, to things that this one does not know, and no cursor may stand for two things.
/// </summary>
internal readonly record struct CursorGap(ulong After, ulong UpTo)
{
    /// <summary>More than any node gives between a backup and its loss: 14 years of 38,000 a second.</summary>
    public const ulong Width = 1UL << 44;

    public static CursorGap Behind(ulong newest) => new(newest, checked(newest + Width));

    /// <summary>Whether whoever has handled everything up to a cursor may have seen what this database does not know.</summary>
    public bool Covers(ulong cursor) => cursor > After && cursor < UpTo;

    /// <summary>How many cursors that stand for something lie above <paramref name="after"/>, up to <paramref name="upTo"/>.</summary>
    public static ulong CountBetween(IEnumerable<CursorGap> gaps, ulong after, ulong upTo)
    {
        ulong count = upTo - after;
        foreach (CursorGap gap in gaps)
        {
            ulong from = Math.Max(after, gap.After), to = Math.Min(upTo, gap.UpTo);
            if (to > from) count -= to - from;
        }

        return count;
    }

    /// <summary>Whether nothing that this database knows lies between two cursors.</summary>
    public bool Bridges(ulong cursor, ulong next) => cursor == After && next == UpTo + 1;
}

/// <summary>
/// The database was restored from a backup. What was signed, accepted and asked for between the two times is not in it. Stored
/// with it, for its whole life: a database may have been restored more than once.
/// </summary>
/// <param name="RestoredAtMs">Unix time in milliseconds, by the clock of the machine on which it was restored.</param>
/// <param name="BackupAtMs">When the backup was made, likewise.</param>
/// <param name="Received">The gap in the cursors of payments received.</param>
/// <param name="Events">The gap in those of events.</param>
/// <param name="IsTold">Whether operators have been told.</param>
internal sealed record Restoration(long RestoredAtMs, long BackupAtMs, CursorGap Received, CursorGap Events, bool IsTold = false)
{
    /// <summary>
    /// Of the chain, Unix time: until it is past that, a close that the lost database knew may be mined (<see cref="RestoredHold"/>).
    /// 0 before the chain was seen.
    /// </summary>
    public ulong HeldUntilSeconds { get; init; }

    /// <summary>None can be mined any more.</summary>
    public bool IsReleased { get; init; }
}
