using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>Who is answered finds what he was answered for, wherever he looks: nothing that tells of a commit does so later.</summary>
public sealed class AnswerOrderTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private async Task PayAsync(UInt128 amount, Action note)
    {
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, amount, "", _ => note()), CancellationToken.None);
        await _rig.SaidAsync();
    }

    [Fact]
    public async Task WhoIsPaid_FindsEveryCursorOfItsTurn_AndItsEventsCounted()
    {
        (ulong Received, ulong Events, ulong Audit, int Counted) seen = default;
        Ledger ledger = _rig.Ledger;
        await PayAsync(
            7, () => seen = (ledger.ReceivedCursor, ledger.EventCursor, ledger.AuditCursor, ledger.Counts.Events.List().Count()));

        Task? decided = null;
        await _rig.WhileHeldAsync(async () =>
        {
            decided = ledger.RunAsync(
                turn =>
                {
                    turn.Tell(new OperatorEvent(EventKind.KeyShared, EventSeverity.Alarm, ""));
                    turn.Audit(new PolicyAuditEntry(PolicyAuditKind.RulesChanged, ""));
                    return true;
                },
                CancellationToken.None);
            await _rig.Session.HearAsync(Frames.Of(Frames.Update(Side.B, 30, 0, 10, 20)), Frames.Acknowledged(7));
        });
        await decided!;
        await _rig.SaidAsync();

        Assert.Equal((2UL, 1UL, 1UL, 1), seen);
    }

    [Fact]
    public async Task WhoIsPaid_IsCountedByThen_AndSoIsWhatItsUpdateWasAcknowledgedBy()
    {
        LedgerCounts counts = _rig.Ledger.Counts;
        List<(long Paid, long Acknowledged)> seen = [];
        foreach (UInt128 amount in (UInt128[])[7, 8]) await PayAsync(amount, () => seen.Add((counts.PaymentsPaid, counts.UpdatesAcknowledged)));

        await _rig.AnswerAsync(Frames.Acknowledged(15));

        Assert.Equal([(1, 2), (2, 2)], seen);
    }
}
