using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// A job, under its number (8 bytes). Amounts have a byte of length; "short" is one byte of length, then the bytes; "long"
/// is four.
/// <code>
/// size field                                       size field
///    1 version = 3                                 long  the call's data
///    1 kind                                          20  token that the call spends
///    1 status                                    1 - 17  how much of it
///    1 flags: 1 nonce, 2 receipt, 4 stake, 8 reopens  8  nonce, with flag 1
///    8 created at, Unix seconds                       4  number of attempts
///    8 ended at                                          each: kind (1), nonce (8), hash (32), most fee and tip
///    8 deadline                                          (amounts), gas (8), sent at (8)
/// short purpose                                    long  the newest attempt, signed
///    4 number of channels, 32 each                       with flag 2: hash (32), block (8), gas used (8)
/// short the call's operation                     1 - 17  gas paid, wei, then what of it is for the receipt (1 - 17)
///   20 to                                             1  refusal
/// 1-17 value, wei                                  long  message
///                                                        with flag 4: token of the stake (20), its amount, what is won
///                                                        with flag 8: number of channels reopened (4), 32 each
/// </code>
/// Version 1 is the same without a stake, and 1 and 2 are without what is for the receipt and is reopened.
/// </summary>
internal static class JobRow
{
    private const byte Version = 3;
    private const byte HasNonce = 1;
    private const byte HasReceipt = 2;
    private const byte HasStake = 4;
    private const byte HasReopens = 8;

    private const int FixedSizeMax = 512;
    private const int AttemptSizeMax = 128;

    public static int SizeMax(Job job) =>
        FixedSizeMax + 2 * byte.MaxValue + (job.Channels.Count + job.Reopens.Count) * Bytes32.Size + job.Call.Data.Length
        + job.Attempts.Count * AttemptSizeMax + job.Raw.Length + Encoding.UTF8.GetMaxByteCount(job.Message.Length);

    public static void Write(ref RowWriter row, Job job)
    {
        row.Byte(Version);
        row.Byte((byte)job.Kind);
        row.Byte((byte)job.Status);
        row.Byte((byte)(
            (job.Nonce is null ? 0 : HasNonce) | (job.Receipt is null ? 0 : HasReceipt) | (job.Stake is null ? 0 : HasStake)
            | (job.Reopens.Count == 0 ? 0 : HasReopens)));
        row.UInt64(job.CreatedAtSeconds);
        row.UInt64(job.EndedAtSeconds);
        row.UInt64(job.DeadlineSeconds);
        row.ShortBytes(Encoding.UTF8.GetBytes(job.Purpose));
        Write(ref row, job.Channels);
        row.ShortBytes(Encoding.UTF8.GetBytes(job.Call.Operation));
        row.Address(job.Call.To);
        row.Amount(job.Call.Value);
        row.LongBytes(job.Call.Data.Span);
        row.Address(job.Call.Token);
        row.Amount(job.Call.Spends);
        if (job.Nonce is { } nonce) row.UInt64(nonce);
        row.UInt32((uint)job.Attempts.Count);
        foreach (JobAttempt attempt in job.Attempts) Write(ref row, attempt);
        row.LongBytes(job.Raw.Span);
        if (job.Receipt is { } receipt)
        {
            row.Bytes32(receipt.Hash);
            row.UInt64(receipt.BlockNumber);
            row.UInt64(receipt.GasUsed);
        }

        row.Amount(job.SpentWei);
        row.Amount(job.ReceiptWei);
        row.Byte((byte)job.Refusal);
        row.LongBytes(Encoding.UTF8.GetBytes(job.Message));
        if (job.Stake is { } stake)
        {
            row.Address(stake.Token);
            row.Amount(stake.Amount);
            row.Amount(stake.Won);
        }

        if (job.Reopens.Count > 0) Write(ref row, job.Reopens);
    }

    private static void Write(ref RowWriter row, IReadOnlyList<ChannelId> channels)
    {
        row.UInt32((uint)channels.Count);
        foreach (ChannelId channel in channels) row.Bytes32(channel.Value);
    }

    private static void Write(ref RowWriter row, JobAttempt attempt)
    {
        row.Byte((byte)attempt.Kind);
        row.UInt64(attempt.Nonce);
        row.Bytes32(attempt.Hash);
        row.Amount(attempt.Fees.MaxFee);
        row.Amount(attempt.Fees.Tip);
        row.UInt64(attempt.Gas);
        row.UInt64(attempt.SentAtSeconds);
    }

    public static Job Read(ulong number, ReadOnlySpan<byte> source)
    {
        var row = new RowReader("job", source);
        byte version = row.Byte();
        if (version is 0 or > Version)
            throw new StoreException($"A job row has version {version}; this program knows versions 1 to {Version}.");
        var kind = (JobKind)row.Byte();
        var status = (JobStatus)row.Byte();
        byte flags = row.Flags((byte)(HasNonce | HasReceipt | (version == 1 ? 0 : HasStake) | (version < 3 ? 0 : HasReopens)));
        if (!Enum.IsDefined(kind) || !Enum.IsDefined(status))
            throw new StoreException($"A job row is corrupt: kind {(byte)kind}, status {(byte)status}.");

        ulong createdAt = row.UInt64(), endedAt = row.UInt64(), deadline = row.UInt64();
        string purpose = Encoding.UTF8.GetString(row.ShortBytes());
        List<ChannelId> channels = ReadChannels(ref row);
        ChainCall call = new(
            Encoding.UTF8.GetString(row.ShortBytes()), row.Address(), row.Amount(), row.LongBytes().ToArray(),
            row.Address(), row.Amount());
        ulong? nonce = (flags & HasNonce) != 0 ? row.UInt64() : null;
        List<JobAttempt> attempts = [];
        for (uint left = row.UInt32(); left > 0; left--) attempts.Add(ReadAttempt(ref row));
        byte[] raw = row.LongBytes().ToArray();
        TransactionReceipt? receipt = (flags & HasReceipt) != 0
            ? new TransactionReceipt(row.Bytes32(), row.UInt64(), row.UInt64())
            : null;
        Job job = new()
        {
            Number = number,
            Kind = kind,
            Status = status,
            Purpose = purpose,
            Channels = channels,
            Call = call,
            CreatedAtSeconds = createdAt,
            EndedAtSeconds = endedAt,
            DeadlineSeconds = deadline,
            Nonce = nonce,
            Attempts = attempts,
            Raw = raw,
            Receipt = receipt,
            SpentWei = row.Amount(),
            ReceiptWei = version < 3 ? UInt128.Zero : row.Amount(),
            Refusal = (Refusal)row.Byte(),
            Message = Encoding.UTF8.GetString(row.LongBytes()),
            Stake = (flags & HasStake) != 0 ? new Stake(row.Address(), row.Amount(), row.Amount()) : null,
            Reopens = (flags & HasReopens) != 0 ? ReadChannels(ref row) : [],
        };
        row.End();
        return job;
    }

    private static List<ChannelId> ReadChannels(ref RowReader row)
    {
        List<ChannelId> channels = [];
        for (uint left = row.UInt32(); left > 0; left--) channels.Add(new ChannelId(row.Bytes32()));
        return channels;
    }

    private static JobAttempt ReadAttempt(ref RowReader row) => new(
        (AttemptKind)row.Byte(), row.UInt64(), row.Bytes32(), new TransactionFees(row.Amount(), row.Amount()),
        row.UInt64(), row.UInt64());
}
