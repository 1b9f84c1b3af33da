using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

public sealed class ValuesTests
{
    private const string AddressHex = "0x000102030405060708090a0b0c0d0e0f10111213";

    private const string Bytes32Hex = "0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    private static readonly byte[] Counting = [.. Enumerable.Range(0, Signature.Size).Select(i => (byte)i)];

    [Fact]
    public void Address_IsItsBytesAndItsText()
    {
        Address address = Address.Read(Counting);
        Assert.Equal(Counting[..20], address.ToArray());
        Assert.Equal(AddressHex, address.ToString());
        Assert.True(Address.TryParse(AddressHex, out Address parsed));
        Assert.Equal(address, parsed);
        Assert.True(Address.TryParse(AddressHex[2..].ToUpperInvariant(), out parsed));
        Assert.Equal(address, parsed);
        Assert.Equal((true, false), (Address.Zero.IsZero, address.IsZero));
        Assert.False(new Address(0, 0, 1).IsZero);
    }

    [Fact]
    public void Bytes32_IsItsBytesAndItsText()
    {
        Bytes32 value = Bytes32.Read(Counting);
        Assert.Equal(Counting[..32], value.ToArray());
        Assert.Equal(Bytes32Hex, value.ToString());
        Assert.True(Bytes32.TryParse(Bytes32Hex, out Bytes32 parsed));
        Assert.Equal(value, parsed);
    }

    [Fact]
    public void ChannelId_IsItsBytesAndItsText()
    {
        Assert.True(ChannelId.TryParse(Bytes32Hex, out ChannelId id));
        var bytes = new byte[32];
        id.Write(bytes);
        Assert.Equal((ChannelId.Read(Counting), Bytes32Hex), (ChannelId.Read(bytes), id.ToString()));
        Assert.Equal(id, ChannelId.Read(bytes));
        Assert.Equal(id.GetHashCode(), ChannelId.Read(bytes).GetHashCode());
    }

    [Fact]
    public void Signature_IsItsBytesAndItsText()
    {
        Signature signature = Signature.Read(Counting);
        Assert.Equal(Counting, signature.ToArray());
        Assert.Equal("0x" + Convert.ToHexStringLower(Counting), signature.ToString());
        Assert.Equal(64, signature.V);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0x")]
    [InlineData("0x00010203")]
    [InlineData("0x000102030405060708090a0b0c0d0e0f1011121g")]
    [InlineData("0x000102030405060708090a0b0c0d0e0f1011121")]
    [InlineData("0x000102030405060708090a0b0c0d0e0f1011121314")]
    [InlineData(" 0x000102030405060708090a0b0c0d0e0f10111213")]
    [InlineData("0x0x0102030405060708090a0b0c0d0e0f10111213")]
    public void TextThatIsNoAddress_IsRefused(string text)
    {
        Assert.False(Address.TryParse(text, out Address address));
        Assert.Equal(Address.Zero, address);
        Assert.False(ChannelId.TryParse(text, out _));
    }

    [Theory]
    [InlineData("0x", "")]
    [InlineData("", "")]
    [InlineData("0xAb01", "ab01")]
    [InlineData("ab01", "ab01")]
    [InlineData("0xab0", null)]
    [InlineData("0xabzz", null)]
    public void Hex_ParsesAnyEvenNumberOfDigits(string text, string? expected)
    {
        byte[]? bytes = Hex.Parse(text);
        Assert.Equal(expected, bytes is null ? null : Convert.ToHexStringLower(bytes));
    }

    [Fact]
    public void Ids_AreOrderedAsTheirBytesAre()
    {
        var random = new Random(1);
        for (int i = 0; i < 1_000; i++)
        {
            byte[] one = new byte[32], other = new byte[32];
            random.NextBytes(one.AsSpan(random.Next(33)));
            random.NextBytes(other.AsSpan(random.Next(33)));
            Assert.Equal(
                Math.Sign(one.AsSpan().SequenceCompareTo(other)),
                Math.Sign(ChannelId.Read(one).CompareTo(ChannelId.Read(other))));
        }
    }

    [Fact]
    public void Amounts_AreBoundByWhatTheContractPacks()
    {
        Assert.Equal("5192296858534827628530496329220095", Amounts.Max.ToString());
        Assert.Equal(3, (int)Amounts.Excess(5, 2));
        Assert.Equal(0, (int)Amounts.Excess(2, 5));
        Assert.Equal(Amounts.Max, Amounts.Excess(Amounts.Max, 0));
    }

    [Fact]
    public void Refusals_KeepTheirNumbers()
    {
        // Values are on the wire: a new one goes to the end and here. Those left out were never used.
        IEnumerable<int> defined = [.. Enumerable.Range(0, 59), .. Enumerable.Range(60, 4), 65, 66, 67, 68, 70, .. Enumerable.Range(80, 25)];
        Assert.Equal(defined, Enum.GetValues<Refusal>().Select(refusal => (int)refusal));
        Assert.Equal(12, (int)Refusal.InvalidSignature);
        Assert.Equal(22, (int)Refusal.PaymentsMismatch);
        Assert.Equal(46, (int)Refusal.TransferFailed);
        Assert.Equal(51, (int)Refusal.NotReady);
    }
}
