using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>Callers' payments on their way to the ledger.</summary>
public sealed class PaymentQueueTests
{
    private static List<PaymentRequest> Refused(LedgerRig rig, string caller, int count, List<string> answered) =>
        [.. Enumerable.Range(0, count).Select(_ => new NotedPayment(rig.Slot, 0, "", outcome =>
        {
            Assert.Equal(Refusal.ZeroAmount, outcome.Refusal);
            answered.Add(caller);
        }))];

    [Fact]
    public async Task CallerWithFewPayments_WaitsForAShareOfAnothersOnly()
    {
        await using LedgerRig rig = new();
        List<string> answered = [];
        PaymentQueue many = new(rig.Ledger), few = new(rig.Ledger);
        await rig.WhileHeldAsync(async () =>
        {
            await many.AddAsync(Refused(rig, "many", 10_000, answered), CancellationToken.None);
            await few.AddAsync(Refused(rig, "few", 1, answered), CancellationToken.None);
        });
        for (int look = 0; look < 100; look++) await rig.Ledger.RunAsync(_ => true, CancellationToken.None);

        Assert.Equal(10_001, answered.Count);
        Assert.Equal(1_024, answered.IndexOf("few"));
    }

    [Fact]
    public async Task PaymentsThatWaitTogether_AreOneRowAndOneUpdate()
    {
        await using LedgerRig rig = new();
        PaymentQueue queue = new(rig.Ledger);
        await rig.WhileHeldAsync(async () =>
        {
            for (int message = 0; message < 5; message++)
            {
                await queue.AddAsync(
                    [.. Enumerable.Range(0, 10).Select(_ => new NotedPayment(rig.Slot, 1, "", _ => { }))], CancellationToken.None);
            }
        });
        OutgoingFrame said = await rig.SaidAsync();

        Assert.Equal((UInt128)50, Assert.Single(said.Updates.ToArray()).Balance.Sent);
        Assert.Equal(Enumerable.Range(1, 50), rig.Store.ReadOutgoing(rig.Slot.Channel.Id, 0).Select(payment => (int)payment.Total));
    }

    [Fact]
    public async Task RefusedAmongGood_CostsNoneOfThem()
    {
        await using LedgerRig rig = new(); // 1,000 to spend.
        PaymentQueue queue = new(rig.Ledger);
        List<(int, Refusal)> answers = [];
        UInt128[] amounts = [300, 0, 300, 500, 300, (UInt128)1 << 120, 100, 1];
        await queue.AddAsync(
            [
                .. amounts.Select((amount, place) => new NotedPayment(
                    rig.Slot, amount, "", outcome => answers.Add((place, outcome.Refusal)))),
            ],
            CancellationToken.None);
        OutgoingFrame said = await rig.SaidAsync();

        Assert.Equal(
            [
                (1, Refusal.ZeroAmount), (3, Refusal.InsufficientBalance), (5, Refusal.AmountTooLarge),
                (7, Refusal.InsufficientBalance),
            ],
            answers);
        answers.Clear();
        Assert.Equal((UInt128)1_000, Assert.Single(said.Updates.ToArray()).Balance.Sent);
        await rig.AnswerAsync(Frames.Acknowledged(600));
        Assert.Equal([(0, Refusal.None), (2, Refusal.None)], answers); // A range that ends in the middle of the update.
        await rig.AnswerAsync(Frames.Acknowledged(1_000));
        Assert.Equal([(0, Refusal.None), (2, Refusal.None), (4, Refusal.None), (6, Refusal.None)], answers);
    }

    [Fact]
    public async Task SameKeyTwiceAmongThoseThatWait_PaysOnce()
    {
        await using LedgerRig rig = new();
        PaymentQueue queue = new(rig.Ledger);
        List<PaymentOutcome> answers = [];
        await queue.AddAsync(
            [
                new NotedPayment(rig.Slot, 7, "key", answers.Add), new NotedPayment(rig.Slot, 7, "key", answers.Add),
                new NotedPayment(rig.Slot, 8, "key", answers.Add), new NotedPayment(rig.Slot, 7, "", answers.Add),
            ],
            CancellationToken.None);
        await rig.SaidAsync();
        await rig.AnswerAsync(Frames.Acknowledged(14));

        Assert.Equal((UInt128)14, rig.Slot.State.Sent);
        Assert.Equal(
            [
                PaymentOutcome.Refused(Refusal.IdempotencyKeyReused), PaymentOutcome.Paid(7, repeated: false),
                PaymentOutcome.Paid(14, repeated: false), PaymentOutcome.Paid(7, repeated: true),
            ],
            answers);
    }
}
