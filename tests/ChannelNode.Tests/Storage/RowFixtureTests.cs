using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;

namespace ChannelNode.Tests.Storage;

/// <summary>Rows as they lie on disks: a change here needs a new version byte, not a new fixture.</summary>
public sealed class RowFixtureTests
{
    private static readonly string Max14 = "0e" + new string('f', 28);
    private static readonly Address OurSigner = StoreFolder.AddressOf(0x44);

    private static readonly Channel Counting = new(
        StoreFolder.IdOf(0xEE),
        new ChannelTerms(
            new Party(StoreFolder.AddressOf(0x11), StoreFolder.AddressOf(0x22)),
            new Party(StoreFolder.AddressOf(0x33), OurSigner),
            StoreFolder.AddressOf(0x55), 0x00015180, true, StoreFolder.Bytes32Of(0x66)),
        Side.B);

    private static readonly string CountingHex =
        "02" + "03" + "00015180" + Repeat("66", 32) + Repeat("22", 20) + Repeat("33", 20) + Repeat("11", 20) + Repeat("55", 20);

    /// <summary>Duplex, in ether, both owners their own signers, we are side A: the shortest.</summary>
    private static readonly Channel Plain = new(
        StoreFolder.IdOf(0xEE),
        new ChannelTerms(
            new Party(OurSigner, OurSigner),
            new Party(StoreFolder.AddressOf(0x22), StoreFolder.AddressOf(0x22)),
            Address.Zero, 10, false, StoreFolder.Bytes32Of(0x66)),
        Side.A);

    private static readonly string PlainHex = "02" + "1c" + "0000000a" + Repeat("66", 32) + Repeat("22", 20);

    private static readonly ChannelState Distinct = new()
    {
        OnChain = new Pots(0x1001, 0x1002, 0x1003, 0x1004, 0x6553F100),
        Sent = 0x1005,
        Acknowledged = 0x06,
        TheirSent = 0x100700,
        TheirReceived = 0x1008,
        TheirSignature = new Signature(StoreFolder.Bytes32Of(0xAA), StoreFolder.Bytes32Of(0xBB), 28),
        CloseSentA = 0x1009,
        CloseSentB = 0x100A,
        CloseDeadlineSeconds = 0x0000000102030405,
        EverFunded = true,
    };

    private static readonly string DistinctHex =
        "02" + "0f" + "021001" + "021002" + "021003" + "021004" + "021005" + "03100700" + "021008" + "0106"
        + "6553f100" + Repeat("aa", 32) + Repeat("bb", 32) + "1c" + "021009" + "02100a" + "0000000102030405";

    private static readonly ChannelState Largest = new()
    {
        OnChain = new Pots(Amounts.Max, Amounts.Max, Amounts.Max, Amounts.Max, uint.MaxValue),
        Sent = Amounts.Max,
        Acknowledged = Amounts.Max,
        TheirSent = Amounts.Max,
        TheirReceived = Amounts.Max,
        TheirSignature = new Signature(StoreFolder.Bytes32Of(0xFF), StoreFolder.Bytes32Of(0xFF), 255),
        CloseSentA = Amounts.Max,
        CloseSentB = Amounts.Max,
        CloseDeadlineSeconds = ulong.MaxValue,
        EverFunded = true,
        UncreditedA = Amounts.Max,
        UncreditedB = Amounts.Max,
        SaidReceived = Amounts.Max,
        SentUnrecorded = Amounts.Max,
    };

    private static readonly string LargestHex =
        "02" + "ff" + Repeat(Max14, 7) + "ffffffff" + Repeat("ff", 65) + Repeat(Max14, 2) + "ffffffffffffffff" + Repeat(Max14, 4);

    [Fact]
    public void Terms_LieAsDocumented()
    {
        Assert.Equal(CountingHex, TermsHex(Counting));
        Assert.Equal(Counting, TermsRow.Read(Counting.Id, Convert.FromHexString(CountingHex), OurSigner));
    }

    [Fact]
    public void TermsThatLeaveOutWhatIsTheRule_LieAsDocumented()
    {
        Assert.Equal(PlainHex, TermsHex(Plain));
        Assert.Equal(Plain, TermsRow.Read(Plain.Id, Convert.FromHexString(PlainHex), OurSigner));
    }

    [Fact]
    public void TermsOfAnotherSigner_AreNotWritten() =>
        Assert.Throws<ArgumentException>(() =>
        {
            var row = new RowWriter(new byte[TermsRow.SizeMax]);
            TermsRow.Write(ref row, Counting, StoreFolder.AddressOf(0x45));
        });

    [Fact]
    public void StateWithDistinctFields_LiesAsDocumented()
    {
        Assert.Equal(DistinctHex, StateHex(Distinct));
        Assert.Equal(Distinct, StateRow.Read(Convert.FromHexString(DistinctHex)));
    }

    [Fact]
    public void StateOfZeros_LiesAsDocumented()
    {
        string hex = "02" + "10" + Repeat("00", 7);
        Assert.Equal(hex, StateHex(default));
        Assert.Equal(default, StateRow.Read(Convert.FromHexString(hex)));
    }

    [Fact]
    public void StateOfExtremes_LiesAsDocumented()
    {
        Assert.Equal(LargestHex, StateHex(Largest));
        Assert.Equal(Largest, StateRow.Read(Convert.FromHexString(LargestHex)));
    }

    [Theory]
    [InlineData("10" + "ffffffffffffffffffffffffffffffff")]
    [InlineData("01" + "01")]
    [InlineData("00")]
    public void Amount_IsReadAsWritten(string hex)
    {
        UInt128 amount = new RowReader("test", Convert.FromHexString(hex)).Amount();
        var row = new RowWriter(new byte[RowWriter.AmountSizeMax]);
        row.Amount(amount);
        Assert.Equal(hex, Convert.ToHexStringLower(row.Row));
    }

    [Theory]
    [InlineData("0100")]
    [InlineData("020001")]
    [InlineData("11" + "0100000000000000000000000000000000")]
    [InlineData("0201")]
    public void AmountInAnotherForm_Throws(string hex) => Assert.Throws<StoreException>(
        () => new RowReader("test", Convert.FromHexString(hex)).Amount());

    [Fact]
    public void Pending_LiesAsDocumented()
    {
        Assert.Equal("0105", Convert.ToHexStringLower(PendingRow.Write(Pending.Deposit | Pending.Acknowledgement)));
        Assert.Equal(Pending.Close, PendingRow.Read([1, 2]));
        Assert.Throws<StoreException>(() => PendingRow.Read([1, 8]));
    }

    [Fact]
    public void SentRun_LiesAsDocumented()
    {
        NewPayments made = new();
        made.Add(0x1001, 0x05, [0xA1, 0xA2], "");
        made.Add(0x1101, 0x0100, [], "clé");
        SentRun run = made.Run(StoreFolder.IdOf(0xEE));
        string key = "70" + Repeat("ee", 32) + Low("1101");
        string hex = "03" + "020ffc" + "00000002" + "00000007" + "0502a1a2" + "800200" + "00" + "04636cc3a9";
        var row = new RowWriter(new byte[SentRow.SizeOf(run)]);
        SentRow.Write(ref row, run);
        Assert.Equal(hex, Convert.ToHexStringLower(row.Row));

        SentRun read = SentRow.Read(Convert.FromHexString(key), Convert.FromHexString(hex));
        Assert.Equal((run.Channel, run.TotalBefore, run.Total, run.Count), (read.Channel, read.TotalBefore, read.Total, read.Count));
        Assert.Equal(run.Payments.ToArray(), read.Payments.ToArray());
        Assert.Equal(run.Keys.ToArray(), read.Keys.ToArray());
    }

    [Fact]
    public void ReceivedRun_LiesAsDocumented()
    {
        var run = new ReceivedRun(0x0102, 2, StoreFolder.IdOf(0xEE), 0x1002, 0x0000018BCFE56800);
        string hex = "02" + "00000002" + Repeat("ee", 32) + Low("1002") + "0000018bcfe56800" + "0501b1" + "8002" + "00";
        var row = new RowWriter(new byte[100]);
        ReceivedRow.WriteHead(ref row, run);
        row.Bytes([5, 1, 0xB1, 0x80, 2, 0]);
        Assert.Equal(hex, Convert.ToHexStringLower(row.Row));

        JournalledRun read = ReceivedRow.Read(Convert.FromHexString("0000000000000102"), Convert.FromHexString(hex));
        Assert.Equal(run, read.Run);
        Assert.Equal([5, 1, 0xB1, 0x80, 2, 0], read.Payments.ToArray());
    }

    [Fact]
    public void IdentityAndBlock_LieAsDocumented()
    {
        var identity = new RowWriter(new byte[IdentityRow.SizeMax]);
        IdentityRow.Write(ref identity, new StoreIdentity(0x7A69, StoreFolder.AddressOf(0xC0), StoreFolder.AddressOf(0x51)));
        Assert.Equal(
            "0000000a" + "0000000000007a69" + Repeat("c0", 20) + Repeat("51", 20),
            Convert.ToHexStringLower(identity.Row));

        var key = new byte[BlockRow.KeySize];
        BlockRow.WriteKey(key, 0x0102);
        ChainBlock block = new(0x0102, StoreFolder.Bytes32Of(0xDD), StoreFolder.Bytes32Of(0xCC), 0x6553F100);
        var row = new RowWriter(new byte[BlockRow.Size]);
        BlockRow.Write(ref row, block);
        Assert.Equal("0000000000000102", Convert.ToHexStringLower(key));
        Assert.Equal("01" + Repeat("dd", 32) + Repeat("cc", 32) + "000000006553f100", Convert.ToHexStringLower(row.Row));
        Assert.Equal(block, BlockRow.Read(key, row.Row));
    }

    [Fact]
    public void UndoAndRecentDeposit_LieAsDocumented()
    {
        var undo = new byte[UndoKey.Size];
        UndoKey.Write(undo, 0x0102, StoreFolder.IdOf(0xEE));
        Assert.Equal("0000000000000102" + Repeat("ee", 32), Convert.ToHexStringLower(undo));
        Assert.Equal(StoreFolder.IdOf(0xEE), UndoKey.Read(undo));

        var key = new byte[RecentDepositRow.KeySize];
        RecentDeposit deposit = new(0x0102, Side.B, 0x1001);
        RecentDepositRow.WriteKey(key, StoreFolder.IdOf(0xEE), deposit);
        var row = new RowWriter(new byte[RecentDepositRow.SizeMax]);
        RecentDepositRow.Write(ref row, deposit);
        Assert.Equal("0000000000000102" + Repeat("ee", 32) + "01", Convert.ToHexStringLower(key));
        Assert.Equal("01" + "021001", Convert.ToHexStringLower(row.Row));
        Assert.Equal((StoreFolder.IdOf(0xEE), deposit), RecentDepositRow.Read(key, row.Row));
    }

    [Fact]
    public void IdempotencyKeyAndPeer_LieAsDocumented()
    {
        var place = new byte[SentRow.KeySize];
        SentRow.WriteKey(place, StoreFolder.IdOf(0xEE), 0x0102);
        var pointer = new RowWriter(new byte[IdempotencyRow.Size]);
        IdempotencyRow.Write(ref pointer, place);
        Assert.Equal("02" + "70" + Repeat("ee", 32) + Low("0102"), Convert.ToHexStringLower(pointer.Row));
        Assert.Equal(place, IdempotencyRow.Read(pointer.Row).ToArray());
        Assert.Equal("0168743a", Convert.ToHexStringLower(PeerRow.Write("ht:")));
        Assert.Equal("ht:", PeerRow.Read(PeerRow.Write("ht:")));
        var webhook = new RowWriter(stackalloc byte[WebhookRow.Size]);
        WebhookRow.Write(ref webhook, 0x0102);
        Assert.Equal("010000000000000102", Convert.ToHexStringLower(webhook.Row));
        Assert.Equal(0x0102UL, WebhookRow.Read(webhook.Row));
        Assert.Equal("776562686f6f6b0268743a", Convert.ToHexStringLower(WebhookRow.Key("ht:", WebhookTopic.Events)));
    }

    [Theory]
    [InlineData(1, "too short")]
    [InlineData(0, "too short")]
    [InlineData(-1, "too short")]
    [InlineData(+1, "too long")]
    public void StateOfWrongLength_Throws(int length, string complaint)
    {
        byte[] row = Convert.FromHexString(DistinctHex);
        Array.Resize(ref row, length is 0 or 1 && complaint == "too short" ? length : row.Length + length);
        Assert.Contains(complaint, Assert.Throws<StoreException>(() => StateRow.Read(row)).Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(255)]
    public void UnknownVersion_Throws(byte version)
    {
        foreach (Action<byte[]> read in Readers())
        {
            byte[] row = new byte[300];
            row[0] = version;
            Assert.Contains($"version {version}", Assert.Throws<StoreException>(() => read(row)).Message);
        }
    }

    [Fact]
    public void FlagThatIsNotKnown_Throws()
    {
        byte[] terms = Convert.FromHexString(CountingHex);
        terms[1] |= 128;
        Assert.Throws<StoreException>(() => TermsRow.Read(Counting.Id, terms, OurSigner));
    }

    [Fact]
    public void LengthsThatDoNotFitTheRow_Throw()
    {
        byte[] place = Place(SentRow.KeySize);
        place[^1] = 5;
        foreach (string bad in (string[])["05a1", "0600", "05010506", "050002"])
        {
            string row = "03" + "00" + "00000001" + $"{bad.Length / 2:x8}" + bad;
            Assert.Throws<StoreException>(() => SentRow.Read(place, Convert.FromHexString(row)));
        }

        string good = "03" + "00" + "00000001" + "00000002" + "0500";
        Assert.Equal(1, SentRow.Read(place, Convert.FromHexString(good)).Count);
        Assert.Throws<StoreException>(() => SentRow.Read(place[..^1], Convert.FromHexString(good)));
        Assert.Throws<StoreException>(() => SentRow.Read(place, Convert.FromHexString(good + "0161" + "00")));
        Assert.Throws<StoreException>(() => SentRow.Read(place, Convert.FromHexString(good + "0261")));
        Assert.Throws<StoreException>(() => IdempotencyRow.Read(Convert.FromHexString("02" + Repeat("ee", 48))).Length);
        Assert.Throws<StoreException>(() => BlockRow.Read(new byte[8], Convert.FromHexString("01" + Repeat("ee", 73))));
    }

    private static IEnumerable<Action<byte[]>> Readers() =>
    [
        row => TermsRow.Read(Counting.Id, row, OurSigner),
        row => StateRow.Read(row),
        row => PendingRow.Read(row),
        row => SentRow.Read(Place(SentRow.KeySize), row),
        row => ReceivedRow.Read(new byte[8], row),
        row => _ = IdempotencyRow.Read(row).Length,
        row => BlockRow.Read(new byte[8], row),
        row => RecentDepositRow.Read(new byte[RecentDepositRow.KeySize], row),
        row => PeerRow.Read(row),
        row => WebhookRow.Read(row),
        row => JobRow.Read(1, row),
        row => EventRow.Read(new byte[EventRow.KeySize], row),
        row => AuditRow.Read(new byte[8], row),
        row => PolicyRow.Read([1, (byte)'t'], row),
        row => PolicyRow.Read([3, .. new byte[20]], row),
        row => PolicyRow.Read([4, .. new byte[20]], row),
        row => PolicyRow.Read([8, .. new byte[49]], row),
    ];

    private static string TermsHex(Channel channel)
    {
        var row = new RowWriter(new byte[TermsRow.SizeMax]);
        TermsRow.Write(ref row, channel, OurSigner);
        return Convert.ToHexStringLower(row.Row);
    }

    private static string StateHex(in ChannelState state)
    {
        var row = new RowWriter(new byte[StateRow.SizeMax]);
        StateRow.Write(ref row, state);
        return Convert.ToHexStringLower(row.Row);
    }

    /// <summary>A key of a payment sent, of any length.</summary>
    private static byte[] Place(int size) => [(byte)'p', .. new byte[size - 1]];

    private static string Low(string digits) => digits.PadLeft(32, '0');

    private static string Repeat(string part, int times) => string.Concat(Enumerable.Repeat(part, times));
}
