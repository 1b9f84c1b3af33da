using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.Signing;

public sealed class TypedDataTests
{
    [Fact]
    public void Domain_OfEveryVector_IsTheVectors()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "domains"))
            Assert.Equal(vector.Word("domainSeparator"), DomainOf(vector).Domain);
    }

    [Fact]
    public void ChannelTerms_OfEveryVector_HaveTheVectorsChannelId()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "channels"))
            AssertSame(vector, vector.Word("channelId"), DomainOf(vector).Of(vector.Terms()));
    }

    [Fact]
    public void BalanceUpdate_OfEveryVector_HasTheVectorsDigest()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "balanceUpdates"))
        {
            var update = new BalanceUpdate(vector.Channel(), vector.Number("sent"), vector.Number("received"));
            AssertSame(vector, vector.Word("digest"), DomainOf(vector).Of(update));
        }
    }

    [Fact]
    public void Consent_OfEveryVector_HasTheVectorsDigest()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "consents"))
        {
            var update = new BalanceUpdate(vector.Channel(), vector.Number("sent"), vector.Number("received"));
            AssertSame(vector, vector.Word("digest"), DomainOf(vector).OfConsent(update));
        }
    }

    [Fact]
    public void CooperativeClose_OfEveryVector_HasTheVectorsDigest()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "closes"))
        {
            var close = new CooperativeClose(
                vector.Channel(), vector.Number("sentA"), vector.Number("sentB"), vector.UInt64("deadline"));
            AssertSame(vector, vector.Word("digest"), DomainOf(vector).Of(close));
        }
    }

    [Fact]
    public void Hello_OfEveryVector_HasTheVectorsDigest()
    {
        foreach (JsonElement vector in Vectors.Read("eip712", "hellos"))
        {
            Bytes32 digest = DomainOf(vector).OfHello(
                vector.Account("from"), vector.Account("owner"), vector.Account("to"),
                vector.Word("nonceFrom"), vector.Word("nonceTo"));
            AssertSame(vector, vector.Word("digest"), digest);
        }
    }

    private static TypedData DomainOf(JsonElement vector) =>
        new(vector.UInt64("chainId"), vector.Account("verifyingContract"));

    private static void AssertSame(JsonElement vector, Bytes32 expected, Bytes32 actual) =>
        Assert.Equal((vector.Text("name"), expected), (vector.Text("name"), actual));
}
