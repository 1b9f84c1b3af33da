using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>Subscribers' cursors where the database was restored from a backup.</summary>
internal static class RestoredCursors
{
    /// <summary>
    /// Refuses a cursor of what only the lost database knew. To pass it over in silence would hide that its payments come again,
    /// under new cursors, when the peers offer them again.
    /// </summary>
    public static void Check(CursorGap[] gaps, ulong afterCursor)
    {
        foreach (CursorGap gap in gaps)
        {
            if (!gap.Covers(afterCursor)) continue;
            throw new RefusalException(
                Refusal.CursorUnknown,
                $"after_cursor is {afterCursor}: this database was restored from a backup that ends with {gap.After}. Expected at most "
                + $"that, or {gap.UpTo} for all since the restoration")
            {
                Field = "after_cursor",
            };
        }
    }

    /// <summary>Whether nothing that the database knows lies between.</summary>
    public static bool Bridge(CursorGap[] gaps, ulong cursor, ulong next)
    {
        foreach (CursorGap gap in gaps)
            if (gap.Bridges(cursor, next)) return true;
        return false;
    }
}
