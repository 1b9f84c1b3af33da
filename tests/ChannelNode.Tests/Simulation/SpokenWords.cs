using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// All that one node has ever said, over all its lives, and what its application has been told: what left the node
/// binds it, whatever happens to its disk.
/// </summary>
internal sealed partial class SpokenWords
{
    private readonly Dictionary<ChannelId, BalanceUpdate> _signed = [];
    private readonly Dictionary<ChannelId, UInt128> _acknowledged = [];
    private readonly Dictionary<(ChannelId, UInt128), (UInt128 Amount, string Item)> _payments = [];
    private readonly Dictionary<string, (ChannelId Channel, UInt128 Total)> _delivered = [];
    private readonly Dictionary<ChannelId, UInt128> _deliveredTotals = [];
    private readonly List<(BalanceUpdate Update, Signature Signature)> _updates = [];
    private ulong _cursor;

    /// <summary>Every update that left, oldest first: what the other side can present.</summary>
    public IReadOnlyList<(BalanceUpdate Update, Signature Signature)> Updates => _updates;

    /// <summary>What it has signed away in a channel.</summary>
    public UInt128 SignedOf(ChannelId channel) => UInt128.Max(
        _signed.TryGetValue(channel, out BalanceUpdate said) ? said.Sent : UInt128.Zero, _signedByLost.GetValueOrDefault(channel));

    /// <summary>What it has said to be durable here, and must know.</summary>
    public UInt128 AcknowledgedOf(ChannelId channel) => _acknowledged.GetValueOrDefault(channel);

    /// <summary>A frame leaves the node.</summary>
    public void Leaves(OutgoingFrame frame)
    {
        foreach (ref OutgoingAcknowledgement said in frame.Acknowledgements)
            _acknowledged[said.Channel] = UInt128.Max(_acknowledged.GetValueOrDefault(said.Channel), said.Received);
        foreach (ref OutgoingUpdate said in frame.Updates)
        {
            BalanceUpdate balance = said.Balance;
            CheckRestored(balance);
            if (_signed.TryGetValue(balance.Channel, out BalanceUpdate before))
            {
                Assert.True(
                    balance.Sent >= before.Sent && balance.Received >= before.Received, $"signed {balance} after {before}");
            }

            _signed[balance.Channel] = balance;
            _updates.Add((balance, said.Signature));
            RememberPayments(balance, said.Payments.WrittenMemory.ToArray());
        }
    }

    /// <summary>The place of a payment in its channel is its total: no other payment may ever take it.</summary>
    private void RememberPayments(BalanceUpdate balance, ReadOnlyMemory<byte> payments)
    {
        List<IncomingPayment> list = [];
        while (!payments.IsEmpty) list.Add(PaymentList.Take(ref payments));
        UInt128 total = balance.Sent;
        for (int index = list.Count - 1; index >= 0; index--)
        {
            (UInt128, string) payment = (list[index].Amount, Encoding.UTF8.GetString(list[index].ItemId.Span));
            if (!_payments.TryAdd((balance.Channel, total), payment) && !MayPeerHaveLied)
                Assert.Equal(_payments[(balance.Channel, total)], payment);
            total -= list[index].Amount;
        }
    }

    /// <summary>The node is back from its disk: all that it has said must be there.</summary>
    public void AssertKept(Func<ChannelId, ChannelState> stateOf, SimulatedStore store)
    {
        foreach ((ChannelId channel, BalanceUpdate said) in _signed)
        {
            ChannelState state = stateOf(channel);
            Assert.True(state.Sent >= said.Sent, $"signed {said.Sent}, remembers {state.Sent}");
            Assert.True(state.TheirTotal >= said.Received, $"signed {said.Received} as received, remembers {state.TheirTotal}");
        }

        foreach ((ChannelId channel, UInt128 acknowledged) in _acknowledged)
        {
            UInt128 remembered = stateOf(channel).TheirSent;
            Assert.True(remembered >= acknowledged, $"acknowledged {acknowledged}, remembers {remembered}");
        }

        Assert.True(store.ReadReceivedCursor() >= _cursor, "forgot payments that it has told its application");
    }

    /// <summary>Its application, which forgets nothing, asks for what is new.</summary>
    public void Subscribe(SimulatedStore store)
    {
        foreach (JournalledRun run in store.ReadReceived(_cursor, int.MaxValue))
        {
            ulong cursor = run.Run.FirstCursor;
            UInt128 total = run.Run.TotalBefore;
            ReadOnlyMemory<byte> rest = run.Payments;
            for (; !rest.IsEmpty; cursor++)
            {
                IncomingPayment payment = PaymentList.Take(ref rest);
                // A close, and the chain, raise totals beyond the payments.
                Assert.True(total >= _deliveredTotals.GetValueOrDefault(run.Run.Channel), $"a payment at {total} comes twice");
                total += payment.Amount;
                if (cursor > _cursor) Deliver(cursor, run.Run.Channel, payment, total);
            }
        }
    }

    private void Deliver(ulong cursor, ChannelId channel, IncomingPayment payment, UInt128 total)
    {
        string item = Encoding.UTF8.GetString(payment.ItemId.Span);
        Assert.Equal(++_cursor, cursor);
        // What only a close had counted is made up for by a payment of nothing in particular.
        bool isNew = item.Length == 0 || _delivered.TryAdd(item, (channel, total)) || IsToldAgain(item, channel, total);
        Assert.True(isNew, $"{item} was delivered twice");
        _deliveredTotals[channel] = total;
    }

    public (ChannelId Channel, UInt128 Total)? DeliveryOf(string item) =>
        _delivered.TryGetValue(item, out (ChannelId, UInt128) delivery) ? delivery : null;
}
