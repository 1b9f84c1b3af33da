using System.Buffers.Text;
using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Measuring;
using Google.Protobuf;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>
/// An application that streams payments to a node, with so many under way at most. Its messages are copies of one made
/// beforehand, with new item ids and keys; of the answers it reads index and refusal: what it costs itself is small.
/// </summary>
internal sealed class PaymentClient
{
    private const int ItemIdBytes = 16;
    private const int NumberDigits = 12; // Hex, the end of an item id or key.

    private static readonly byte[] ItemMark = "item"u8.ToArray(), KeyMark = "key:"u8.ToArray();

    private static readonly Marshaller<byte[]> Bytes = new(
        (message, context) => context.Complete(message), context => context.PayloadAsNewBuffer());

    private static readonly Method<byte[], byte[]> Method = new(
        MethodType.DuplexStreaming, Wire.NodeService.Descriptor.FullName, "StreamPayments", Bytes, Bytes);

    private readonly CallInvoker _node;
    private readonly int _paymentsPerMessage;
    private readonly int _windowMessages;
    private readonly byte[] _message;
    private readonly List<int> _numbers = [];
    private readonly long[] _sentAt;
    private readonly SemaphoreSlim _room;
    private long _made;

    /// <summary>Payment after payment goes to channel after channel.</summary>
    public PaymentClient(
        CallInvoker node, IReadOnlyList<string> channels, int paymentsPerMessage, int window, bool keyed)
    {
        (_node, _paymentsPerMessage, _windowMessages) = (node, paymentsPerMessage, window / paymentsPerMessage);
        _room = new SemaphoreSlim(_windowMessages);
        _sentAt = new long[_windowMessages + 1];
        Wire.StreamPaymentsRequest request = new();
        for (int index = 0; index < paymentsPerMessage; index++)
        {
            ulong amount = 1 + ((ulong)index % 5);
            AmountPerMessage += amount;
            request.Payments.Add(new Wire.Payment
            {
                ChannelId = channels[index % channels.Count],
                Amount = amount.ToString(),
                ItemId = ByteString.CopyFrom([.. ItemMark, .. new byte[ItemIdBytes - ItemMark.Length]]),
                IdempotencyKey = keyed ? $"key:{new string('0', NumberDigits)}" : "",
            });
        }

        _message = request.ToByteArray();
        foreach (byte[] mark in (byte[][])[ItemMark, KeyMark])
        {
            for (int at = 0; _message.AsSpan(at).IndexOf(mark) is var found and >= 0; at = _numbers[^1])
                _numbers.Add(at + found + mark.Length);
        }

        _numbers.Sort();
    }

    public ulong AmountPerMessage { get; }

    /// <summary>Of the last run: from a payment's message to its answer.</summary>
    public Latencies Latencies { get; private set; } = new();

    /// <summary>Sends messages over one stream for a while; answers their number when all their payments are acknowledged.</summary>
    public async Task<long> RunAsync(TimeSpan time)
    {
        Latencies = new Latencies();
        using var call = _node.AsyncDuplexStreamingCall(Method, null, default);
        Task<long> reading = Task.Run(() => ReadAsync(call.ResponseStream));
        long messages = 0;
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < time; messages++)
        {
            Task room = _room.WaitAsync();
            if (await Task.WhenAny(room, reading) == reading) break;
            Number();
            Volatile.Write(ref _sentAt[messages % _sentAt.Length], Stopwatch.GetTimestamp());
            await call.RequestStream.WriteAsync(_message);
        }

        await call.RequestStream.CompleteAsync();
        long answered = await reading;
        if (answered != messages * _paymentsPerMessage)
            throw new InvalidDataException($"{messages * _paymentsPerMessage} payments were asked for, {answered} answered");
        return messages;
    }

    /// <summary>The next item ids and keys; a payment's key has the number of its item.</summary>
    private void Number()
    {
        int keys = _numbers.Count / _paymentsPerMessage;
        for (int index = 0; index < _numbers.Count; index++)
        {
            Utf8Formatter.TryFormat(
                _made + (index / keys), _message.AsSpan(_numbers[index], NumberDigits), out _, new('x', NumberDigits));
        }

        _made += _paymentsPerMessage;
    }

    private async Task<long> ReadAsync(IAsyncStreamReader<byte[]> answers)
    {
        long answered = 0;
        int[] left = [.. Enumerable.Repeat(_paymentsPerMessage, _sentAt.Length)];
        while (await answers.MoveNext(CancellationToken.None))
        {
            long now = Stopwatch.GetTimestamp();
            answered += Read(answers.Current, now, left);
        }

        return answered;
    }

    private int Read(ReadOnlySpan<byte> message, long now, int[] left)
    {
        const byte resultTag = (Wire.StreamPaymentsResponse.ResultsFieldNumber << 3) | 2;
        const byte indexTag = Wire.PaymentResult.IndexFieldNumber << 3;
        const byte refusalTag = Wire.PaymentResult.RefusalFieldNumber << 3;
        int count = 0;
        while (!message.IsEmpty)
        {
            if (message[0] != resultTag) throw new InvalidDataException("an answer holds something else than results");
            message = message[1..];
            int length = (int)Varint(ref message);
            ReadOnlySpan<byte> result = message[..length];
            message = message[length..];
            ulong index = 0;
            if (result is [indexTag, ..])
            {
                result = result[1..];
                index = Varint(ref result);
            }

            if (result is [refusalTag, var refusal, ..])
                throw new InvalidDataException($"payment {index} was refused: {(Wire.Refusal)refusal}");
            Answer((long)index, now, left);
            count++;
        }

        return count;
    }

    private void Answer(long index, long now, int[] left)
    {
        int place = (int)(index / _paymentsPerMessage % _sentAt.Length);
        long ticks = now - Volatile.Read(ref _sentAt[place]);
        Latencies.Add((uint)(ticks * 1_000_000 / Stopwatch.Frequency));
        if (--left[place] > 0) return;
        left[place] = _paymentsPerMessage;
        _room.Release();
    }

    private static ulong Varint(ref ReadOnlySpan<byte> source)
    {
        ulong value = 0;
        for (int index = 0; ; index++)
        {
            value |= (ulong)(source[index] & 0x7F) << (7 * index);
            if (source[index] >= 0x80) continue;
            source = source[(index + 1)..];
            return value;
        }
    }
}
