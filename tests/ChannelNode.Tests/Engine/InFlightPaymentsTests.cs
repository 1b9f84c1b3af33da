using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class InFlightPaymentsTests
{
    private static readonly ChannelSlot Slot = new(Sample.Channel(), default, new PeerLinks());

    private static AwaitedPayment Waiter(CancellationToken cancel = default) =>
        new(Slot, 1, ReadOnlyMemory<byte>.Empty, "key", wantsReceipt: false, cancel);

    [Fact]
    public async Task Acknowledge_AnswersEverythingUpToTheTotal_AndNothingAboveIt()
    {
        InFlightPayments payments = new();
        AwaitedPayment first = Waiter(), second = Waiter(), repeatOfFirst = Waiter(), repeatOfSecond = Waiter();
        payments.Add(10, first);
        payments.Add(20, second);
        payments.AddRepeat(10, repeatOfFirst);
        payments.AddRepeat(20, repeatOfSecond);

        long paid = 0;
        payments.Acknowledge(19, ref paid);

        Assert.Equal(PaymentOutcome.Paid(10, repeated: false), await first.Task);
        Assert.Equal(PaymentOutcome.Paid(10, repeated: true), await repeatOfFirst.Task);
        Assert.False(second.Task.IsCompleted);
        Assert.False(repeatOfSecond.Task.IsCompleted);
        Assert.Equal((1, 1), (payments.Count, paid));

        payments.Acknowledge(20, ref paid);
        Assert.Equal(PaymentOutcome.Paid(20, repeated: false), await second.Task);
        Assert.Equal(PaymentOutcome.Paid(20, repeated: true), await repeatOfSecond.Task);
        Assert.Equal((0, 2), (payments.Count, paid));
    }

    [Fact]
    public void Repeats_OfCallersThatGaveUp_AreForgotten_AndTheOthersAnswered()
    {
        InFlightPayments payments = new();
        AwaitedPayment patient = Waiter();
        List<AwaitedPayment> gone = [.. Enumerable.Range(0, 500).Select(_ => Waiter(new CancellationToken(canceled: true)))];
        payments.AddRepeat(10, patient);
        foreach (AwaitedPayment waiter in gone) payments.AddRepeat(10, waiter);

        long paid = 0;
        payments.Acknowledge(10, ref paid);

        Assert.True(patient.Task.IsCompleted);
        Assert.InRange(gone.Count(waiter => waiter.Task.IsCompleted), 0, 64);
    }
}
