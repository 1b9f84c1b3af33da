using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// One SubscribePayments call. Everything told is read back from disk in the order of its cursor, so a subscriber sees
/// the same whether it was there or came later.
/// </summary>
internal sealed class PaymentSubscription(
    Node node, CallerChannels seen, ChannelId? only, bool asRuns, IServerStreamWriter<Wire.SubscribePaymentsResponse> responses)
{
    private const int PaymentsPerRead = 16_384;
    private const int PaymentsPerResponse = 1_024;
    private const int RunBytesPerResponse = 512 * 1024;

    private Wire.SubscribePaymentsResponse _response = new();
    private int _runBytes;

    // Neighbours in the journal are often of one channel, whose names need not be written again.
    private ChannelId _channel;
    private string _channelName = string.Empty;
    private string _tokenName = string.Empty;
    private string _payerName = string.Empty;

    /// <summary>Null for one that needs no sign of life.</summary>
    public Pulse? Pulse { get; init; }

    public async Task RunAsync(ulong afterCursor, bool keptOnly, CancellationToken cancel)
    {
        ulong newest = node.Ledger.ReceivedCursor;
        CursorGap[] gaps = [.. node.Store.Restorations.Select(restored => restored.Received)];
        RestoredCursors.Check(gaps, afterCursor);
        if (afterCursor > newest)
        {
            throw new RefusalException(
                Refusal.CursorUnknown,
                $"after_cursor is {afterCursor}, expected at most {newest}, the newest payment's")
            {
                Field = "after_cursor",
            };
        }

        while (!keptOnly || afterCursor < newest)
        {
            cancel.ThrowIfCancellationRequested();
            if (only is { } named) seen.Require(named); // Its token may have been changed.
            IReadOnlyList<JournalledRun> runs = node.Store.ReadReceived(afterCursor, PaymentsPerRead);
            foreach (JournalledRun run in runs)
            {
                if (keptOnly && run.Run.FirstCursor > newest) break;
                if (run.Run.FirstCursor > afterCursor + 1 && !RestoredCursors.Bridge(gaps, afterCursor, run.Run.FirstCursor))
                    throw Expired(afterCursor, run.Run.FirstCursor);
                if (only is null ? seen.Contains(run.Run.Channel) : run.Run.Channel == only) await AddAsync(run, afterCursor, cancel);
                afterCursor = run.Run.LastCursor;
            }

            await FlushAsync(cancel);
            if (runs.Count == 0 && keptOnly) return;
            if (Pulse is not null) await Pulse.SpeakAsync(afterCursor);
            if (runs.Count > 0) continue;
            if (Pulse is null) await node.Ledger.WhenReceivedAsync(afterCursor, cancel);
            else await Pulse.WaitAsync(until => node.Ledger.WhenReceivedAsync(afterCursor, until), cancel);
        }
    }

    /// <summary>What was let go of must not be passed over in silence.</summary>
    private static RefusalException Expired(ulong afterCursor, ulong oldestCursor) => new(
        Refusal.CursorExpired,
        $"after_cursor is {afterCursor}, expected at least {oldestCursor - 1}: {oldestCursor} is the oldest payment kept")
    {
        Field = "after_cursor",
    };

    private async ValueTask AddAsync(JournalledRun journalled, ulong afterCursor, CancellationToken cancel)
    {
        Name(journalled.Run.Channel);
        ulong cursor = journalled.Run.FirstCursor;
        UInt128 total = journalled.Run.TotalBefore;
        ReadOnlyMemory<byte> rest = journalled.Payments;
        for (; cursor <= afterCursor; cursor++) total += PaymentList.Take(ref rest).Amount; // Told already.
        if (asRuns)
        {
            Add(journalled.Run with { FirstCursor = cursor, TotalBefore = total }, (uint)(journalled.Run.LastCursor - cursor + 1), rest);
            if (_runBytes >= RunBytesPerResponse) await FlushAsync(cancel);
            return;
        }

        for (; !rest.IsEmpty; cursor++)
        {
            IncomingPayment payment = PaymentList.Take(ref rest);
            total += payment.Amount;
            Add(journalled.Run, cursor, payment, total);
            if (_response.Payments.Count == PaymentsPerResponse) await FlushAsync(cancel);
        }
    }

    private void Add(in ReceivedRun run, uint count, ReadOnlyMemory<byte> payments)
    {
        _runBytes += payments.Length;
        _response.Cursor = run.FirstCursor + count - 1;
        _response.Runs.Add(new Wire.ReceivedRun
        {
            FirstCursor = run.FirstCursor,
            Count = count,
            ChannelId = _channelName,
            Token = _tokenName,
            Payer = _payerName,
            TotalBefore = run.TotalBefore.ToString(),
            AcceptedAtMs = run.AcceptedAtMs,
            Payments = UnsafeByteOperations.UnsafeWrap(payments),
        });
    }

    private void Add(in ReceivedRun run, ulong cursor, IncomingPayment payment, UInt128 total)
    {
        _response.Cursor = cursor;
        _response.Payments.Add(new Wire.ReceivedPayment
        {
            Cursor = cursor,
            ChannelId = _channelName,
            Amount = payment.Amount.ToString(),
            ItemId = UnsafeByteOperations.UnsafeWrap(payment.ItemId),
            TotalReceived = total.ToString(),
            AcceptedAtMs = run.AcceptedAtMs,
            Token = _tokenName,
            Payer = _payerName,
        });
    }

    private void Name(ChannelId channel)
    {
        if (channel == _channel && _channelName.Length > 0) return;
        _channel = channel;
        _channelName = channel.ToString();
        Channel known = node.Book.Get(channel).Channel;
        (_tokenName, _payerName) = (known.Terms.Token.ToString(), known.Theirs.Signer.ToString());
    }

    private async ValueTask FlushAsync(CancellationToken cancel)
    {
        if (_response.Payments.Count + _response.Runs.Count == 0) return;
        await responses.WriteAsync(_response, cancel);
        Pulse?.Told();
        _response = new Wire.SubscribePaymentsResponse();
        _runBytes = 0;
    }
}
