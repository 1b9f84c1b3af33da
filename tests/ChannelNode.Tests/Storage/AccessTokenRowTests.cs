using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;

namespace ChannelNode.Tests.Storage;

/// <summary>Tokens as they lie on disks: a change here needs a new version byte, not a new fixture.</summary>
public sealed class AccessTokenRowTests
{
    private static readonly AccessToken Full = new()
    {
        Number = 0x0102,
        Name = "shop",
        Hash = StoreFolder.Bytes32Of(0xAB),
        Scopes = Scopes.Read | Scopes.Pay,
        Methods = ["Pay", "GetInfo"],
        Networks = [IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("::1/128")],
        Caps = [new SpendingCap(StoreFolder.AddressOf(0x55), 1, 0x0102, 0, Amounts.Max) { DepositPerDay = 3, DepositTotal = 0x0405 }],
        RequestsPerSecondMax = 5,
        StreamsMax = 6,
        ChannelsPerDayMax = 7,
        MessageBytesMax = 0x0800,
        Parent = 0x0101,
        CreatedAtMs = 0x0123,
        ExpiresAtSeconds = 0x0456,
        RevokedAtMs = 0x0789,
    };

    private static readonly string FullHex =
        "04" + string.Concat(Enumerable.Repeat("ab", 32)) + "03" + "0000000000000123" + "0000000000000456" + "0000000000000789"
        + "00000005" + "00000006" + "00000007" + "00000800" + "0000000000000101" + "0473686f70" + "02" + "03506179" + "07476574496e666f"
        + "02" + "0a31302e302e302e302f38" + "073a3a312f313238"
        + "01" + string.Concat(Enumerable.Repeat("55", 20)) + "0101" + "020102" + "00" + "0e" + new string('f', 28) + "0103" + "020405";

    private static readonly string OlderHex =
        "01" + string.Concat(Enumerable.Repeat("ab", 32)) + "03" + "0000000000000123" + "0000000000000456" + "0000000000000789"
        + "00000005" + "00000006" + "0473686f70" + "00" + "00" + "01" + string.Concat(Enumerable.Repeat("55", 20)) + "0101" + "020102" + "00" + "00";

    private static readonly Spending Spent =
        new(0x0102, StoreFolder.AddressOf(0x55), StoreFolder.AddressOf(0x66), 0x4E20, 0x0A, 0x0B0C);

    private const string SpentHex = "01" + "00004e20" + "010a" + "020b0c";

    [Fact]
    public void Token_LiesAsDocumented()
    {
        var row = new RowWriter(new byte[AccessTokenRow.SizeMax(Full)]);
        AccessTokenRow.Write(ref row, Full);

        Assert.Equal(FullHex, Convert.ToHexStringLower(row.Row));
        AccessToken read = AccessTokenRow.Read(Full.Number, Convert.FromHexString(FullHex));
        Assert.Equal(Full.Methods, read.Methods);
        Assert.Equal(Full.Networks, read.Networks);
        Assert.Equal(Full.Caps, read.Caps);
        Assert.Equal(Full, read with { Methods = Full.Methods, Networks = Full.Networks, Caps = Full.Caps, Channels = Full.Channels });
    }

    [Fact]
    public void TokenOfTheFirstVersion_LimitsNoDeposits()
    {
        AccessToken read = AccessTokenRow.Read(1, Convert.FromHexString(OlderHex));

        Assert.Equal(new SpendingCap(StoreFolder.AddressOf(0x55), 1, 0x0102, 0, 0), Assert.Single(read.Caps));
        Assert.Equal((0u, "shop"), (read.ChannelsPerDayMax, read.Name));
        Assert.Throws<StoreException>(() => AccessTokenRow.Read(1, Convert.FromHexString("05" + OlderHex[2..])));
    }

    [Fact]
    public void TokenForSomeChannels_HasThemAtItsEnd_AndOneForNoneIsNoTokenForAll()
    {
        AccessToken confined = Full with { Channels = [StoreFolder.IdOf(0xC1), StoreFolder.IdOf(0xC2)] };
        string hex = FullHex + "02" + string.Concat(Enumerable.Repeat("c1", 32)) + string.Concat(Enumerable.Repeat("c2", 32));
        var row = new RowWriter(new byte[AccessTokenRow.SizeMax(confined)]);
        AccessTokenRow.Write(ref row, confined);

        Assert.Equal(hex, Convert.ToHexStringLower(row.Row));
        Assert.Equal(confined.Channels, AccessTokenRow.Read(Full.Number, Convert.FromHexString(hex)).Channels);
        Assert.Empty(AccessTokenRow.Read(Full.Number, Convert.FromHexString(FullHex)).Channels);
        Assert.Throws<StoreException>(() => AccessTokenRow.Read(Full.Number, Convert.FromHexString(FullHex + "00")));
        Assert.Throws<StoreException>(() => AccessTokenRow.Read(Full.Number, Convert.FromHexString(hex[..^2])));
        Assert.Throws<StoreException>(() => AccessTokenRow.Read(Full.Number, Convert.FromHexString(hex + "00")));
    }

    [Fact]
    public void TokenOfTheThirdVersion_WasNarrowedFromNone()
    {
        string hex = "03" + FullHex[2..].Replace("0000000000000101", "", StringComparison.Ordinal);

        AccessToken read = AccessTokenRow.Read(Full.Number, Convert.FromHexString(hex + "01" + string.Concat(Enumerable.Repeat("c1", 32))));

        Assert.Equal((0UL, 0x0800u, "shop"), (read.Parent, read.MessageBytesMax, read.Name));
        Assert.Equal([StoreFolder.IdOf(0xC1)], read.Channels);
        Assert.Equal(Full.Caps, read.Caps);
    }

    [Fact]
    public void TokenOfTheSecondVersion_LimitsNoMessages()
    {
        string hex = "02" + FullHex[2..].Replace("000008000000000000000101", "", StringComparison.Ordinal);

        AccessToken read = AccessTokenRow.Read(Full.Number, Convert.FromHexString(hex));

        Assert.Equal((0u, 0UL, 7u, "shop"), (read.MessageBytesMax, read.Parent, read.ChannelsPerDayMax, read.Name));
        Assert.Equal(Full.Caps, read.Caps);
    }

    [Fact]
    public void TokenNarrowedFromALaterOne_IsRefused() =>
        Assert.Throws<StoreException>(() => AccessTokenRow.Read(0x0101, Convert.FromHexString(FullHex)));

    [Theory]
    [InlineData("00")]
    [InlineData("10")]
    public void TokenOfUnknownScopes_IsRefused(string scopes) => Assert.Throws<StoreException>(
        () => AccessTokenRow.Read(1, Convert.FromHexString(FullHex.Remove(66, 2).Insert(66, scopes))));

    [Fact]
    public void Spending_LiesAsDocumented()
    {
        var row = new RowWriter(stackalloc byte[SpendingRow.SizeMax]);
        SpendingRow.Write(ref row, Spent);

        Assert.Equal(SpentHex, Convert.ToHexStringLower(row.Row));
        byte[] key = SpendingRow.Key(Spent);
        Assert.Equal(
            "73" + "0000000000000102" + string.Concat(Enumerable.Repeat("55", 20)) + string.Concat(Enumerable.Repeat("66", 20)),
            Convert.ToHexStringLower(key));
        Assert.Equal(Spent, SpendingRow.Read(SpendingKind.Payment, key, Convert.FromHexString(SpentHex)));
        Assert.Equal("64", Convert.ToHexStringLower(SpendingRow.Key(Spent with { Kind = SpendingKind.Deposit }))[..2]);
        Assert.Equal("6f", Convert.ToHexStringLower(SpendingRow.Key(Spent with { Kind = SpendingKind.Opening }))[..2]);
    }

    [Fact]
    public void DroppedToken_TakesItsSpendingAlong_AndNoOther()
    {
        using StoreFolder folder = new();
        using RocksChannelStore store = folder.Open();
        IStoreBatch batch = store.NewBatch();
        foreach (ulong number in (ulong[])[1, 2, 3])
        {
            batch.PutAccessToken(Full with { Number = number, Parent = 0 });
            batch.PutSpending(Spent with { Token = number });
            batch.PutSpending(Spent with { Token = number, Kind = SpendingKind.Deposit });
        }

        store.Commit(batch, durable: true);
        batch = store.NewBatch();
        batch.DropAccessToken(2);
        store.Commit(batch, durable: true);

        Assert.Equal([1UL, 3UL], store.ReadAccessTokens().Select(token => token.Number));
        Assert.Equal([1UL, 3UL, 1UL, 3UL], store.ReadSpending().Select(spent => spent.Token));
    }
}
