using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

public sealed class TermsTests
{
    private static readonly Address Contract = new(0, 0, 0xCC);

    private static readonly ChannelTerms Good =
        new(Sample.PartyA, Sample.PartyB, Address.Zero, 3_600, OneWay: false, default);

    private static readonly (Refusal Refusal, Func<ChannelTerms, ChannelTerms> Spoil)[] Spoilers =
    [
        (Refusal.ZeroOwner, terms => terms with { A = terms.A with { Owner = Address.Zero } }),
        (Refusal.ZeroOwner, terms => terms with { B = terms.B with { Owner = Address.Zero } }),
        (Refusal.ZeroSigner, terms => terms with { A = terms.A with { Signer = Address.Zero } }),
        (Refusal.ZeroSigner, terms => terms with { B = terms.B with { Signer = Address.Zero } }),
        (Refusal.SameSigner, terms => terms with
        {
            A = terms.A with { Signer = Contract },
            B = terms.B with { Signer = Contract },
        }),
        (Refusal.OwnerIsContract, terms => terms with { A = terms.A with { Owner = Contract } }),
        (Refusal.OwnerIsContract, terms => terms with { B = terms.B with { Owner = Contract } }),
        (Refusal.DisputeWindowOutOfRange, terms => terms with { DisputeWindowSeconds = 9 }),
        (Refusal.DisputeWindowOutOfRange, terms => terms with { DisputeWindowSeconds = 2_592_001 }),
    ];

    [Theory]
    [InlineData(10)]
    [InlineData(2_592_000)]
    public void GoodTerms_AreNotRefused(uint window) =>
        Assert.Equal(Refusal.None, (Good with { DisputeWindowSeconds = window }).Check(Contract));

    [Fact]
    public void EachFault_HasItsRefusal_AndTheEarlierWins()
    {
        foreach (var (first, spoilFirst) in Spoilers)
        {
            Assert.Equal(first, spoilFirst(Good).Check(Contract));
            foreach (var (second, spoilSecond) in Spoilers)
            {
                // Spoiling a signer twice leaves only the last fault.
                bool same = first is Refusal.ZeroSigner or Refusal.SameSigner && second is Refusal.ZeroSigner or Refusal.SameSigner;
                bool sameOwner = first is Refusal.ZeroOwner or Refusal.OwnerIsContract
                    && second is Refusal.ZeroOwner or Refusal.OwnerIsContract;
                bool sameWindow = first == Refusal.DisputeWindowOutOfRange && second == first;
                if (same || sameOwner || sameWindow) continue;
                Assert.Equal(first < second ? first : second, spoilSecond(spoilFirst(Good)).Check(Contract));
            }
        }
    }

    [Fact]
    public void BothOwnersWrong_ZeroComesFirst() =>
        Assert.Equal(
            Refusal.ZeroOwner,
            (Good with { A = Good.A with { Owner = Contract }, B = Good.B with { Owner = Address.Zero } }).Check(Contract));

    [Fact]
    public void SidesAndParties_AreEachOthersOther()
    {
        Assert.Equal((Side.B, Side.A), (Side.A.Other(), Side.B.Other()));
        Assert.Equal((Sample.PartyA, Sample.PartyB), (Good.Of(Side.A), Good.Of(Side.B)));
        Channel channel = Sample.Channel(Side.B);
        Assert.Equal((Side.A, Sample.PartyB, Sample.PartyA), (channel.TheirSide, channel.Ours, channel.Theirs));
    }
}
