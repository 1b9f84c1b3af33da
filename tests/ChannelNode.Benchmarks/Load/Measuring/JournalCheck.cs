using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Core;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>
/// Reads what one tape of each channel left in the node's journal, as a subscriber does, and holds every payment
/// against what was sent: cursors without a gap, in each channel item after item, amounts and totals.
/// </summary>
internal sealed class JournalCheck
{
    private readonly ItemPlan _items;
    private readonly Dictionary<string, Progress> _channels = [];
    private ulong _cursor;

    /// <summary><paramref name="afterCursor"/>: the newest cursor before the tapes were sent.</summary>
    public JournalCheck(ItemPlan items, IEnumerable<PaidChannel> channels, ulong afterCursor)
    {
        (_items, _cursor) = (items, afterCursor);
        foreach (PaidChannel channel in channels) _channels.Add(channel.Id.ToString(), new Progress(channel.Id));
    }

    /// <summary>Reads up to the newest cursor, <paramref name="last"/>. Answers the seconds that it took; throws at the first payment that is not as it should be.</summary>
    public async Task<double> ReadAsync(NodeUnderTest node, ulong last)
    {
        long start = Stopwatch.GetTimestamp();
        using CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));
        using var call = node.Api.SubscribePayments(
            new Wire.SubscribePaymentsRequest { AfterCursor = _cursor, Runs = true }, cancellationToken: limit.Token);
        while (_cursor < last && await call.ResponseStream.MoveNext(limit.Token))
        {
            foreach (Wire.ReceivedRun run in call.ResponseStream.Current.Runs) Take(run);
            foreach (Wire.ReceivedPayment one in call.ResponseStream.Current.Payments)
            {
                Require(one.Cursor == _cursor + 1, $"cursor {one.Cursor} follows {_cursor}");
                Take(_channels[one.ChannelId], ulong.Parse(one.Amount), one.ItemId.Span);
            }
        }

        Require(_cursor == last, $"the journal ends at {_cursor}, not at {last}");
        if (await node.ReceivedCursorAsync() != last) throw new InvalidDataException("the journal holds more than was sent");
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private void Take(Wire.ReceivedRun run)
    {
        Require(run.FirstCursor == _cursor + 1, $"a run from {run.FirstCursor} follows {_cursor}");
        Progress channel = _channels[run.ChannelId];
        ReadOnlySpan<byte> rest = run.Payments.Span;
        ulong before = _cursor;
        while (!rest.IsEmpty)
        {
            // Amounts of the plan are below 128: one byte.
            int idBytes = rest[1];
            Take(channel, rest[0], rest.Slice(2, idBytes));
            rest = rest[(2 + idBytes)..];
        }

        Require(_cursor - before == run.Count, $"a run of {run.Count} holds {_cursor - before}");
    }

    private void Take(Progress channel, ulong amount, ReadOnlySpan<byte> itemId)
    {
        Span<byte> expected = stackalloc byte[ItemPlan.ItemIdBytes];
        ItemPlan.WriteId(expected, channel.Id, channel.Next);
        Require(itemId.SequenceEqual(expected), $"not item {channel.Next} of {channel.Id}");
        Require(amount == ItemPlan.AmountOf(channel.Next % _items.Count), $"item {channel.Next} has the amount {amount}");
        channel.Next++;
        _cursor++;
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new InvalidDataException($"the journal is wrong: {otherwise}");
    }

    private sealed class Progress(ChannelId id)
    {
        public ChannelId Id => id;

        public long Next { get; set; }
    }
}
