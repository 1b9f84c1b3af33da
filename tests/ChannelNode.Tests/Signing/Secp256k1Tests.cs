using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.Signing;

public sealed class Secp256k1Tests
{
    [Fact]
    public void Sign_OfEveryVector_IsTheVectorsSignatureByteForByte()
    {
        foreach (JsonElement vector in Vectors.Read("signatures", "valid"))
        {
            using var key = new PrivateKey(vector.Bytes("privateKey"));

            Assert.Equal(vector.Account("address"), key.Address);
            Signature signature = key.Sign(vector.Word("digest"));
            Assert.Equal(vector.Text("signature"), signature.ToString());
            Assert.Equal(vector.Text("compactSignature"), signature.R.ToString() + signature.Vs.ToString()[2..]);
        }
    }

    [Fact]
    public void Recover_OfEveryVector_IsTheSigner()
    {
        foreach (JsonElement vector in Vectors.Read("signatures", "valid").Concat(Vectors.Read("signatures", "recover")))
        {
            Signature signature = Signature.Read(vector.Bytes("signature"));

            Assert.True(Secp256k1.IsWellFormed(signature));
            Assert.True(Secp256k1.TryRecover(vector.Word("digest"), signature, signature.V, out PublicKey key));
            Assert.Equal(vector.Account("address"), Secp256k1.AddressOf(key));
            Assert.True(Secp256k1.Verify(vector.Word("digest"), signature, key));
        }
    }

    [Fact]
    public void Verify_OfAnotherDigestOrAnotherKey_IsFalse()
    {
        IReadOnlyList<JsonElement> vectors = Vectors.Read("signatures", "valid");
        JsonElement vector = vectors[0], other = vectors.First(v => v.Text("address") != vectors[0].Text("address"));
        Signature signature = Signature.Read(vector.Bytes("signature"));
        PublicKey key = Recover(vector), otherKey = Recover(other);

        Assert.True(Secp256k1.Verify(vector.Word("digest"), signature, key));
        Assert.False(Secp256k1.Verify(vectors[1].Word("digest"), signature, key));
        Assert.False(Secp256k1.Verify(vector.Word("digest"), signature, otherKey));
    }

    [Fact]
    public void InvalidSignature_OfEveryVector_IsMalformedOrRecoversNothing()
    {
        foreach (JsonElement vector in LongInvalid())
        {
            Signature signature = Signature.Read(vector.Bytes("signature"));

            bool accepted = Secp256k1.IsWellFormed(signature)
                && Secp256k1.TryRecover(vector.Word("digest"), signature, signature.V, out _);

            Assert.False(accepted, vector.Text("name"));
        }
    }

    [Fact]
    public void InvalidSignature_OfEveryVector_IsNotVerifiedByAnyKnownKey()
    {
        PublicKey key = Recover(Vectors.Read("signatures", "valid")[0]);
        foreach (JsonElement vector in LongInvalid())
        {
            Signature signature = Signature.Read(vector.Bytes("signature"));
            Assert.False(
                Secp256k1.IsWellFormed(signature) && Secp256k1.Verify(vector.Word("digest"), signature, key),
                vector.Text("name"));
        }
    }

    [Fact]
    public void Verify_OfTheMalleatedTwin_IsFalse()
    {
        JsonElement upper = LongInvalid().Single(v => v.Text("name") == "s in the upper half");
        JsonElement original = Vectors.Read("signatures", "valid")
            .Single(v => v.Text("signature")[..66] == upper.Text("signature")[..66]);
        PublicKey key = Recover(original);

        Assert.True(Secp256k1.Verify(upper.Word("digest"), Signature.Read(original.Bytes("signature")), key));
        Assert.False(Secp256k1.Verify(upper.Word("digest"), Signature.Read(upper.Bytes("signature")), key));
    }

    [Theory]
    [InlineData("0x0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")]
    [InlineData("0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    [InlineData("0x01")]
    public void PrivateKey_OutOfRange_IsRefusedWithoutShowingIt(string hex)
    {
        var thrown = Assert.Throws<System.Security.Cryptography.CryptographicException>(
            () => new PrivateKey(Hex.Parse(hex)));
        Assert.DoesNotContain(hex[2..], thrown.ToString(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void PrivateKey_Disposed_SignsNoMore()
    {
        var key = PrivateKey.Generate();
        key.Dispose();
        key.Dispose();

        Assert.Throws<ObjectDisposedException>(() => key.Sign(default));
    }

    /// <summary>A signature value always has 65 bytes; other lengths end where messages are read.</summary>
    private static IEnumerable<JsonElement> LongInvalid() =>
        Vectors.Read("signatures", "invalid").Where(v => v.Bytes("signature").Length == Signature.Size);

    private static PublicKey Recover(JsonElement vector)
    {
        Signature signature = Signature.Read(vector.Bytes("signature"));
        Assert.True(Secp256k1.TryRecover(vector.Word("digest"), signature, signature.V, out PublicKey key));
        return key;
    }
}
