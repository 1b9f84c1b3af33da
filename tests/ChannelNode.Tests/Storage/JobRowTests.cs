using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;

namespace ChannelNode.Tests.Storage;

/// <summary>Jobs as they lie on disks: a change here needs a new version byte, not a new fixture.</summary>
public sealed class JobRowTests
{
    [Fact]
    public void Job_LiesAsDocumented()
    {
        Job job = new()
        {
            Number = 9,
            Kind = JobKind.Dispute,
            Purpose = "d/1",
            Channels = [StoreFolder.IdOf(0xEE)],
            Call = new ChainCall("op", StoreFolder.AddressOf(0xC0), 0x0102, new byte[] { 0xDA, 0x7A }, StoreFolder.AddressOf(0x70), 7),
            CreatedAtSeconds = 1,
            EndedAtSeconds = 2,
            DeadlineSeconds = 3,
            Status = JobStatus.Mined,
            Nonce = 4,
            Attempts = [new JobAttempt(AttemptKind.Completing, 4, StoreFolder.Bytes32Of(0xAA), new TransactionFees(0x200, 1), 5, 6)],
            Raw = new byte[] { 0x02 },
            Receipt = new TransactionReceipt(StoreFolder.Bytes32Of(0xAA), 8, 10),
            SpentWei = 11,
            ReceiptWei = 9,
            Refusal = Refusal.WindowClosed,
            Message = "é",
            Stake = new Stake(StoreFolder.AddressOf(0x71), 0x0203, 0x0102),
            Reopens = [StoreFolder.IdOf(0xDD)],
        };
        string hex = "03" + "04" + "03" + "0f" + "0000000000000001" + "0000000000000002" + "0000000000000003"
            + "03642f31" + "00000001" + Repeat("ee", 32) + "026f70" + Repeat("c0", 20) + "020102" + "00000002da7a"
            + Repeat("70", 20) + "0107" + "0000000000000004"
            + "00000001" + "01" + "0000000000000004" + Repeat("aa", 32) + "020200" + "0101" + "0000000000000005" + "0000000000000006"
            + "0000000102" + Repeat("aa", 32) + "0000000000000008" + "000000000000000a" + "010b" + "0109" + "24" + "00000002c3a9"
            + Repeat("71", 20) + "020203" + "020102" + "00000001" + Repeat("dd", 32);
        var row = new RowWriter(new byte[JobRow.SizeMax(job)]);
        JobRow.Write(ref row, job);
        Assert.Equal(hex, Convert.ToHexStringLower(row.Row));

        Job read = JobRow.Read(9, Convert.FromHexString(hex));
        Assert.Equal(
            job with { Channels = read.Channels, Call = read.Call, Attempts = read.Attempts, Raw = read.Raw, Reopens = read.Reopens }, read);
        Assert.Equal((job.Channels[0], job.Attempts[0], job.Reopens[0]), (read.Channels[0], read.Attempts[0], read.Reopens[0]));
        Assert.Equal(job.Call with { Data = read.Call.Data }, read.Call);
        Assert.Equal(job.Call.Data.ToArray(), read.Call.Data.ToArray());

        // As programs wrote it that knew nothing of reopened channels, and before that nothing of stakes.
        string before = hex.Replace("010b" + "0109", "010b")[..^72];
        Job old = JobRow.Read(9, Convert.FromHexString("02" + before[2..6] + "07" + before[8..]));
        read = read with { ReceiptWei = 0, Channels = old.Channels, Call = old.Call, Attempts = old.Attempts, Raw = old.Raw, Reopens = old.Reopens };
        Assert.Equal(read, old);
        Assert.Empty(old.Reopens);
        Job oldest = JobRow.Read(9, Convert.FromHexString("01" + before[2..6] + "03" + before[8..^52]));
        Assert.Equal(
            read with
            {
                Stake = null,
                Channels = oldest.Channels,
                Call = oldest.Call,
                Attempts = oldest.Attempts,
                Raw = oldest.Raw,
                Reopens = oldest.Reopens,
            },
            oldest);
        foreach (string version in (string[])["00", "01", "02", "04"])
            Assert.Throws<StoreException>(() => JobRow.Read(9, Convert.FromHexString(version + hex[2..])));
    }

    [Fact]
    public void JobThatWaits_LiesAsDocumented()
    {
        Job job = new()
        {
            Number = 1,
            Kind = JobKind.Settle,
            Purpose = "",
            Channels = [],
            Call = new ChainCall("", Address.Zero, 0, default),
            CreatedAtSeconds = 0,
        };
        string hex = "03" + "05" + "01" + "00" + Repeat("00", 24) + "00" + "00000000" + "00" + Repeat("00", 20) + "00" + "00000000"
            + Repeat("00", 20) + "00" + "00000000" + "00000000" + "00" + "00" + "00" + "00000000";
        var row = new RowWriter(new byte[JobRow.SizeMax(job)]);
        JobRow.Write(ref row, job);
        Assert.Equal(hex, Convert.ToHexStringLower(row.Row));
        Assert.Equal(JobStatus.Waiting, JobRow.Read(1, Convert.FromHexString(hex)).Status);
        Assert.Throws<StoreException>(() => JobRow.Read(1, Convert.FromHexString("03" + "63" + hex[4..])));
        Assert.Throws<StoreException>(() => JobRow.Read(1, Convert.FromHexString(hex[..^8] + "ffffffff")));
    }

    private static string Repeat(string part, int times) => string.Concat(Enumerable.Repeat(part, times));
}
