namespace ChannelNode.Storage;

/// <summary>
/// What brings the rows of an older schema up to the next, step by step. New column families need no step: opening makes
/// them. Rows carry versions of their own and are read as they are.
/// </summary>
internal static class StoreMigrations
{
    /// <summary>The oldest schema that can be brought up to ours.</summary>
    public const uint Oldest = 5;

    private static readonly Dictionary<uint, Action<StoreBatch>> StepFrom = new()
    {
        // 6 remembers restorations, and channels that are unconfirmed since: a database of 5 has none. A program that knows
        // only 5 would pay in such channels, so it must not open one of 6.
        [5] = _ => { },

        // 7 knows who asked for what the audit log tells, in rows that a program of 6 cannot read.
        [6] = _ => { },

        // 8 knows which channels a waiting deposit may open again, in rows that a program of 7 cannot read.
        [7] = _ => { },

        // 9 knows what a lost database had signed after the backup, in rows that a program of 8 cannot read.
        [8] = _ => { },

        // 10 knows how large an access token's messages may be, and for which channels it is, in rows that a program of 9 cannot read.
        [9] = _ => { },
    };

    /// <summary>Adds all steps to one batch, which also writes the new schema's number.</summary>
    public static void Add(StoreBatch batch, uint from)
    {
        for (uint schema = from; schema < IdentityRow.Schema; schema++) StepFrom[schema](batch);
    }
}
