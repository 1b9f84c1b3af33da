using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Tests.Signing;
using Xunit;

namespace ChannelNode.Tests.Settlement;

public sealed class RlpTests
{
    [Fact]
    public void WriteItem_OfEveryVector_IsTheVectors()
    {
        foreach (JsonElement vector in Vectors.Read("rlp", "items"))
            Assert.Equal(vector.Text("encoded"), Hex.Format(Encode(vector.GetProperty("item"))));
    }

    [Fact]
    public void WriteInteger_OfEveryVector_IsTheVectors()
    {
        foreach (JsonElement vector in Vectors.Read("rlp", "integers"))
        {
            // The vectors go up to 256 bits, which only bytes can hold here.
            BigInteger value = BigInteger.Parse(vector.Text("value"), CultureInfo.InvariantCulture);
            var word = new byte[32];
            byte[] digits = value.ToByteArray(isUnsigned: true, isBigEndian: true);
            digits.CopyTo(word, word.Length - digits.Length);

            var target = new ArrayBufferWriter<byte>();
            Rlp.WriteInteger(target, word);
            Assert.Equal(vector.Text("encoded"), Hex.Format(target.WrittenSpan));

            if (value.GetBitLength() > 128) continue;
            target.Clear();
            Rlp.WriteInteger(target, (UInt128)value);
            Assert.Equal(vector.Text("encoded"), Hex.Format(target.WrittenSpan));
        }
    }

    private static ReadOnlySpan<byte> Encode(JsonElement item)
    {
        var target = new ArrayBufferWriter<byte>();
        if (item.ValueKind == JsonValueKind.String)
        {
            Rlp.WriteBytes(target, Hex.Parse(item.GetString()));
            return target.WrittenSpan;
        }

        var payload = new ArrayBufferWriter<byte>();
        foreach (JsonElement member in item.EnumerateArray()) payload.Write(Encode(member));
        Rlp.WriteList(target, payload.WrittenSpan);
        return target.WrittenSpan;
    }
}

public sealed class Eip1559TransactionTests
{
    [Fact]
    public void Sign_OfEveryVector_IsTheVectorsByteForByte()
    {
        foreach (JsonElement vector in Vectors.Read("transactions", "transactions"))
        {
            using var key = new PrivateKey(vector.Bytes("privateKey"));
            Eip1559Transaction transaction = Read(vector);

            Assert.Equal(vector.Text("unsigned"), Hex.Format(transaction.Serialize(null)));
            Assert.Equal(vector.Word("signingHash"), transaction.SigningHash());
            SignedTransaction signed = transaction.Sign(key.Sign);
            Assert.Equal(vector.Text("raw"), Hex.Format(signed.Raw.Span));
            Assert.Equal(vector.Word("hash"), signed.Hash);
        }
    }

    private static Eip1559Transaction Read(JsonElement vector) => new(
        vector.UInt64("chainId"),
        vector.UInt64("nonce"),
        vector.Number("maxPriorityFeePerGas"),
        vector.Number("maxFeePerGas"),
        vector.UInt64("gas"),
        vector.GetProperty("to").ValueKind == JsonValueKind.Null ? null : vector.Account("to"),
        vector.Number("value"),
        vector.Bytes("data"),
        [
            .. vector.GetProperty("accessList").EnumerateArray().Select(entry => new AccessListEntry(
                entry.Account("address"),
                [.. entry.GetProperty("storageKeys").EnumerateArray().Select(slot => Bytes32.Read(Hex.Parse(slot.GetString())))])),
        ]);
}
