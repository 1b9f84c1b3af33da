using System.Text.Json;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Signing;

public sealed class KeccakTests
{
    [Fact]
    public void Hash_OfEveryVector_IsTheVectors()
    {
        foreach (JsonElement vector in Vectors.Read("keccak", "cases"))
            Assert.Equal((vector.Text("name"), vector.Word("hash")), (vector.Text("name"), Keccak.Hash(vector.Bytes("input"))));
    }

    [Fact]
    public void Hash_OnManyThreadsAtOnce_IsTheSame()
    {
        byte[] input = new byte[500];
        var expected = Keccak.Hash(input);

        Parallel.For(0, 2_000, _ => Assert.Equal(expected, Keccak.Hash(input)));
    }
}
