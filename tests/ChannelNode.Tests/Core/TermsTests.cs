using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

public sealed class TermsTests
{
    private static readonly Address Contract = new(0, 0, 0xCC);

    private static readonly ChannelTerms Good =
        new(Sample.PartyA, Sample.PartyB, Address.Zero, 3_600, OneWay: false, default);

    private sealed record Spoiler(Refusal Refusal, string Field, Func<ChannelTerms, ChannelTerms> Spoil);

    private static readonly Spoiler[] Spoilers =
    [
        new(Refusal.ZeroOwner, "owner A", terms => terms with { A = terms.A with { Owner = Address.Zero } }),
        new(Refusal.OwnerIsContract, "owner A", terms => terms with { A = terms.A with { Owner = Contract } }),
        new(Refusal.ZeroOwner, "owner B", terms => terms with { B = terms.B with { Owner = Address.Zero } }),
        new(Refusal.OwnerIsContract, "owner B", terms => terms with { B = terms.B with { Owner = Contract } }),
        new(Refusal.ZeroSigner, "signers", terms => terms with { A = terms.A with { Signer = Address.Zero } }),
        new(Refusal.ZeroSigner, "signers", terms => terms with { B = terms.B with { Signer = Address.Zero } }),
        new(Refusal.SameSigner, "signers", terms => terms with { B = terms.B with { Signer = terms.A.Signer } }),
        new(Refusal.DisputeWindowOutOfRange, "window", terms => terms with { DisputeWindowSeconds = 9 }),
        new(Refusal.DisputeWindowOutOfRange, "window", terms => terms with { DisputeWindowSeconds = 2_592_001 }),
    ];

    [Theory]
    [InlineData(10)]
    [InlineData(2_592_000)]
    public void GoodTerms_AreNotRefused(uint window) =>
        Assert.Equal(Refusal.None, (Good with { DisputeWindowSeconds = window }).Check(Contract));

    [Fact]
    public void EachFault_HasItsRefusal()
    {
        foreach (Spoiler spoiler in Spoilers) Assert.Equal(spoiler.Refusal, spoiler.Spoil(Good).Check(Contract));
    }

    /// <summary>The contract's order: side A's owner, side B's owner, the signers, the window.</summary>
    [Fact]
    public void OfTwoFaults_TheOneThatTheContractChecksFirstIsGiven()
    {
        for (int i = 0; i < Spoilers.Length; i++)
        {
            for (int j = i + 1; j < Spoilers.Length; j++)
            {
                // Two that spoil the same field leave only the last of them.
                if (Spoilers[i].Field == Spoilers[j].Field) continue;
                Assert.Equal(Spoilers[i].Refusal, Spoilers[j].Spoil(Spoilers[i].Spoil(Good)).Check(Contract));
            }
        }
    }

    [Fact]
    public void SidesAndParties_AreEachOthersOther()
    {
        Assert.Equal((Side.B, Side.A), (Side.A.Other(), Side.B.Other()));
        Assert.Equal((Sample.PartyA, Sample.PartyB), (Good.Of(Side.A), Good.Of(Side.B)));
        Channel channel = Sample.Channel(Side.B);
        Assert.Equal((Side.A, Sample.PartyB, Sample.PartyA), (channel.TheirSide, channel.Ours, channel.Theirs));
    }
}
