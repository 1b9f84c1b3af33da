using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Lets go of what need not be kept: payments received by age and size, events and the audit log by age and number, payments sent and their
/// idempotency keys by age, but never while they are under way. Runs beside the ledger; a disk that fails here stops the node too.
/// </summary>
internal sealed class Retention(
    ChannelBook book, Ledger ledger, IChannelStore store, NodeClock clock, NodeOptions options, ILogger<Retention> log)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);

    private readonly TimeSpan _receivedKeptFor = TimeSpan.FromHours(options.ReceivedKeptHours);
    private readonly TimeSpan _sentKeptFor = TimeSpan.FromHours(options.SentKeptHours);
    private readonly TimeSpan _eventsKeptFor = TimeSpan.FromHours(options.EventsKeptHours);
    private readonly TimeSpan _auditKeptFor = TimeSpan.FromHours(options.AuditKeptHours);

    public async Task RunAsync(CancellationToken stopping)
    {
        using PeriodicTimer timer = new(LookEvery, clock.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping)) await LookAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
        catch (Exception error)
        {
            log.RetentionFailed(error);
            throw;
        }
    }

    /// <summary>One look at what can go.</summary>
    public async Task LookAsync(CancellationToken cancel)
    {
        store.TrimReceived(_receivedKeptFor, options.ReceivedBytesMax, clock.NowMs);
        store.TrimEvents(_eventsKeptFor, options.EventsMax, clock.NowMs);
        store.TrimAudit(_auditKeptFor, options.AuditMax, clock.NowMs);
        ulong free = store.ReadFreeBytes();
        await ledger.RunAsync(turn => Look(turn, free), cancel);
        if (ledger.Disk.IsLow) store.ShortenLog(free);
        while (store.TrimSent(_sentKeptFor, clock.NowMs))
        {
            // On disk in the next part before the oldest goes. What is signed later is in a newer one anyway.
            await ledger.RunAsync(CarryOver, cancel);
            store.DropOldestSent();
        }
    }

    private bool Look(LedgerTurn turn, ulong freeBytes)
    {
        ledger.Disk.Take(freeBytes, turn);
        turn.Policies?.Look(turn);
        return true;
    }

    private bool CarryOver(LedgerTurn turn)
    {
        foreach (ChannelSlot slot in book.Unacknowledged)
            store.CarryOverSent(turn.Batch, slot.Channel.Id, slot.Working.Acknowledged);
        turn.RequireDurable();
        return true;
    }
}
