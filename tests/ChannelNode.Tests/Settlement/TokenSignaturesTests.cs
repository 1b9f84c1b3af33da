using System.Globalization;
using System.Text;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.Signing;
using Xunit;

namespace ChannelNode.Tests.Settlement;

public sealed class TokenSignaturesTests
{
    [Fact]
    public void Permit_OfEveryVector_HasTheVectorsDigest()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "permits"))
        {
            if (!ulong.TryParse(vector.Text("deadline"), out ulong deadline)) continue;
            byte[] message = TokenSignatures.Permit(
                DomainOf(vector), vector.Account("owner"), vector.Account("spender"), vector.Number("value"),
                new Bytes32(0, 0, 0, vector.UInt64("nonce")), deadline);
            Assert.Equal(vector.Word("digest"), Keccak.Hash(message));
        }
    }

    [Fact]
    public void Authorization_OfEveryVector_HasTheVectorsDigest()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "authorizations"))
        {
            if (!ulong.TryParse(vector.Text("validBefore"), out ulong validBefore)) continue;
            byte[] message = TokenSignatures.ReceiveWithAuthorization(
                DomainOf(vector), vector.Account("from"), vector.Account("to"), vector.Number("value"),
                vector.UInt64("validAfter"), validBefore, vector.Word("nonce"));
            Assert.Equal(vector.Word("digest"), Keccak.Hash(message));
        }
    }

    [Fact]
    public void AuthorizationNonce_OfEveryVector_IsTheVectors()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "authorizationNonces"))
        {
            Bytes32 nonce = PaymentChannelsCalls.AuthorizationNonce(
                vector.Channel(), (Side)byte.Parse(vector.Text("side"), CultureInfo.InvariantCulture), vector.Word("salt"));
            Assert.Equal(vector.Word("nonce"), nonce);
        }
    }

    /// <summary>As the token itself hashes it, and tells the result.</summary>
    private static Bytes32 DomainOf(JsonElement vector) => Keccak.Hash(new AbiWriter(5)
        .Bytes32(Keccak.Hash("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"u8))
        .Bytes32(Keccak.Hash(Encoding.UTF8.GetBytes(vector.Text("domainName"))))
        .Bytes32(Keccak.Hash(Encoding.UTF8.GetBytes(vector.Text("domainVersion"))))
        .Number(vector.Number("chainId"))
        .Account(vector.Account("verifyingContract"))
        .ToArray([]));
}
