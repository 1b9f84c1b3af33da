using System.Globalization;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Tells operators, once, that the database is a restored backup.</summary>
internal static class RestorationNotice
{
    public static async Task TellAsync(IChannelStore store, Ledger ledger)
    {
        int newest = store.Restorations.Count - 1;
        if (newest < 0 || store.Restorations[newest] is not { IsTold: false } restored) return;
        try
        {
            await ledger.RunAsync(
                turn =>
                {
                    turn.Tell(Event(restored, store.UnconfirmedCount));
                    turn.Batch.PutRestoration(newest, restored with { IsTold = true });
                    return true;
                },
                CancellationToken.None);
        }
        catch (RefusalException)
        {
            // The node is stopping: the next start tells it.
        }
    }

    private static OperatorEvent Event(Restoration restored, ulong unconfirmed) => new(
        EventKind.DatabaseRestored,
        EventSeverity.Warning,
        $"the database was restored at {Time(restored.RestoredAtMs)} from a backup of {Time(restored.BackupAtMs)}: what was signed, "
        + $"accepted and asked for between the two is not in it; {unconfirmed} channels are not paid in until their peers have told "
        + "where they stand; before asking for a deposit of that time again, look whether it was made");

    private static string Time(long unixMs) =>
        DateTimeOffset.FromUnixTimeMilliseconds(unixMs).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
