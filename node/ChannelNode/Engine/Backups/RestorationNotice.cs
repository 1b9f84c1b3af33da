namespace ChannelNode.Engine;

/// <summary>Tells operators, once, that the database is a restored backup.</summary>
internal static class RestorationNotice
{
    public static async Task TellAsync(IChannelStore store, RestoredHold hold, Ledger ledger)
    {
        if (hold.Newest is not { IsTold: false }) return;
        try
        {
            await ledger.RunAsync(
                turn =>
                {
                    turn.Tell(Event(hold, store.UnconfirmedCount));
                    hold.NoteTold(turn);
                    return true;
                },
                CancellationToken.None);
        }
        catch (RefusalException)
        {
            // The node is stopping: the next start tells it.
        }
    }

    private static OperatorEvent Event(RestoredHold hold, ulong unconfirmed) => new(
        EventKind.DatabaseRestored,
        EventSeverity.Warning,
        $"the database was restored at {Time(hold.Newest!.RestoredAtMs)} from a backup of {Time(hold.Newest.BackupAtMs)}: what was signed, "
        + $"accepted and asked for between the two is not in it; {Plural.Of(unconfirmed, "channel is", "channels are")} not paid in until "
        + $"{(unconfirmed == 1 ? "its peer has told where it stands" : "their peers have told where they stand")}; payments received in that time come again with other cursors, and are known by channel and total; payments made in that time, and their idempotency keys, are not known, and would be made again where they are asked for again; "
        + "before asking for a deposit of that time again, look whether it was made; "
        + "peers denied, limited or moved to another tier in that time are so no more"
        + (hold.UntilSeconds > 0
            ? $"; what peers pay in the channels of the backup is refused until the chain is past {RestoredHold.Words(hold.UntilSeconds)}"
            : ""));

    private static string Time(long unixMs) => RestoredHold.Words((ulong)unixMs / 1_000);
}
