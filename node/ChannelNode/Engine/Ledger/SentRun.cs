using System.Buffers;
using System.Text;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Payments of one channel that this node signed for together: they lead from <paramref name="TotalBefore"/> to
/// <paramref name="Total"/>. <paramref name="Payments"/> is a <see cref="PaymentList"/>. <paramref name="Keys"/> has for
/// each payment one byte with the length of its idempotency key, 0 for none, and the key in UTF-8; it is empty where no
/// payment has one.
/// </summary>
internal readonly record struct SentRun(
    ChannelId Channel, UInt128 TotalBefore, UInt128 Total, int Count, ReadOnlyMemory<byte> Payments, ReadOnlyMemory<byte> Keys)
{
    public IEnumerable<OutgoingPayment> Read()
    {
        ReadOnlyMemory<byte> payments = Payments, keys = Keys;
        for (UInt128 total = TotalBefore; !payments.IsEmpty;)
        {
            IncomingPayment payment = PaymentList.Take(ref payments);
            total += payment.Amount;
            ReadOnlyMemory<byte> key = TakeKey(ref keys);
            yield return new OutgoingPayment(
                Channel, total, payment.Amount, payment.ItemId, Encoding.UTF8.GetString(key.Span));
        }
    }

    /// <summary>The next payment's; empty where it has none, or no payment of the run has one.</summary>
    public static ReadOnlyMemory<byte> TakeKey(ref ReadOnlyMemory<byte> keys)
    {
        if (keys.IsEmpty) return default;
        int end = 1 + keys.Span[0];
        ReadOnlyMemory<byte> key = keys[1..end];
        keys = keys[end..];
        return key;
    }
}

/// <summary>
/// The payments of one channel that are made in the turn in progress: told, and stored, as one run. The ledger's writer
/// owns it.
/// </summary>
internal sealed class NewPayments
{
    private const int BufferBytesMax = 64 * 1024;

    private ArrayBufferWriter<byte> _payments = new();
    private ArrayBufferWriter<byte> _keys = new();
    private UInt128 _total;
    private UInt128 _totalBefore;

    public int Count { get; private set; }

    public UInt128 Sum => Count == 0 ? UInt128.Zero : _total - _totalBefore;

    public ReadOnlySpan<byte> Payments => _payments.WrittenSpan;

    /// <summary>Those that are traced; null normally.</summary>
    public List<PaymentTrace>? Traced { get; private set; }

    public void Trace(PaymentTrace payment)
    {
        payment.Decided();
        (Traced ??= []).Add(payment);
    }

    /// <summary>
    /// Its <paramref name="total"/> is higher by its amount than that of the one before. Where it is higher by more, the chain has shown
    /// meanwhile that more was signed than is known here: that is a payment without an item, or the run would not add up.
    /// </summary>
    /// <returns>How many bytes longer it makes what is told.</returns>
    public int Add(UInt128 total, UInt128 amount, ReadOnlySpan<byte> itemId, string idempotencyKey)
    {
        int before = _payments.WrittenCount;
        if (Count == 0) _totalBefore = total - amount;
        else if (total - amount > _total) Add(total - amount, total - amount - _total, [], string.Empty);
        PaymentList.Write(_payments, amount, itemId);
        if (idempotencyKey.Length > 0) AddKey(idempotencyKey);
        else if (_keys.WrittenCount > 0) _keys.Write<byte>([0]);
        _total = total;
        Count++;
        return _payments.WrittenCount - before;
    }

    private void AddKey(string key)
    {
        if (_keys.WrittenCount == 0)
        {
            _keys.GetSpan(Count + 1)[..Count].Clear(); // The ones before have none.
            _keys.Advance(Count);
        }

        Span<byte> target = _keys.GetSpan(1 + byte.MaxValue);
        int length = Encoding.UTF8.GetBytes(key, target.Slice(1, byte.MaxValue));
        target[0] = (byte)length;
        _keys.Advance(1 + length);
    }

    /// <summary>Good until <see cref="Clear"/>.</summary>
    public SentRun Run(ChannelId channel) =>
        new(channel, _totalBefore, _total, Count, _payments.WrittenMemory, _keys.WrittenMemory);

    public void Clear()
    {
        Count = 0;
        Traced = null;
        Clear(ref _payments);
        Clear(ref _keys);
    }

    private static void Clear(ref ArrayBufferWriter<byte> buffer)
    {
        if (buffer.Capacity > BufferBytesMax) buffer = new ArrayBufferWriter<byte>();
        else buffer.ResetWrittenCount();
    }
}
