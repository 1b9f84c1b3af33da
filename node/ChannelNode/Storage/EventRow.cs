using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// What operators are told, under its cursor (8 bytes, big-endian). Amounts have a byte of length.
/// <code>
/// size field                                       size field
///    1 version = 1                               1 - 17  amount
///    1 kind                                           8  job's number
///    1 severity                                       1  job's kind, 0 without a job
///    1 flags: 1 nonce                                32  transaction's hash
///    8 at, Unix milliseconds                          8  nonce, with flag 1
///    8 block                                     1 - 17  most fee, wei per gas
///    8 depth                                          1  refusal
///    8 window's end, Unix seconds                     4  number of channels, 32 each
///    8 seconds left of it                             s  sentence, UTF-8, to the row's end
/// </code>
/// </summary>
internal static class EventRow
{
    public const int KeySize = sizeof(ulong);

    private const byte Version = 1;
    private const byte HasNonce = 1;
    private const int FixedSizeMax = 256;

    public static int SizeMax(OperatorEvent what) =>
        FixedSizeMax + what.Channels.Count * Bytes32.Size + Encoding.UTF8.GetMaxByteCount(what.Sentence.Length);

    public static void Write(ref RowWriter row, OperatorEvent what)
    {
        row.Byte(Version);
        row.Byte((byte)what.Kind);
        row.Byte((byte)what.Severity);
        row.Byte(what.Nonce is null ? (byte)0 : HasNonce);
        row.Int64(what.TimeMs);
        row.UInt64(what.Block);
        row.UInt64(what.Depth);
        row.UInt64(what.ClosesAtSeconds);
        row.UInt64(what.SecondsLeft);
        row.Amount(what.Amount);
        row.UInt64(what.Job);
        row.Byte((byte)what.JobKind);
        row.Bytes32(what.Transaction);
        if (what.Nonce is { } nonce) row.UInt64(nonce);
        row.Amount(what.MaxFee);
        row.Byte((byte)what.Refusal);
        row.UInt32((uint)what.Channels.Count);
        foreach (ChannelId channel in what.Channels) row.Bytes32(channel.Value);
        row.Bytes(Encoding.UTF8.GetBytes(what.Sentence));
    }

    public static ulong ReadKey(ReadOnlySpan<byte> key)
    {
        var place = new RowReader("event key", key);
        ulong cursor = place.UInt64();
        place.End();
        return cursor;
    }

    public static OperatorEvent Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        var row = new RowReader("event", source, Version);
        var kind = (EventKind)row.Byte();
        var severity = (EventSeverity)row.Byte();
        if (!Enum.IsDefined(kind) || !Enum.IsDefined(severity))
            throw new StoreException($"An event row is corrupt: kind {(byte)kind}, severity {(byte)severity}.");

        byte flags = row.Flags(HasNonce);
        OperatorEvent what = new(kind, severity, string.Empty)
        {
            Cursor = ReadKey(key),
            TimeMs = row.Int64(),
            Block = row.UInt64(),
            Depth = row.UInt64(),
            ClosesAtSeconds = row.UInt64(),
            SecondsLeft = row.UInt64(),
            Amount = row.Amount(),
            Job = row.UInt64(),
            JobKind = (JobKind)row.Byte(),
            Transaction = row.Bytes32(),
            Nonce = (flags & HasNonce) != 0 ? row.UInt64() : null,
            MaxFee = row.Amount(),
            Refusal = (Refusal)row.Byte(),
        };
        List<ChannelId> channels = [];
        for (uint left = row.UInt32(); left > 0; left--) channels.Add(new ChannelId(row.Bytes32()));
        return what with { Channels = channels, Sentence = Encoding.UTF8.GetString(row.Rest()) };
    }
}
