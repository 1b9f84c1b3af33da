using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

/// <summary>Channels and updates to test with.</summary>
internal static class Sample
{
    public static readonly Party PartyA = new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1));
    public static readonly Party PartyB = new(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1));
    public static readonly ChannelId Id = new(new Bytes32(1, 2, 3, 4));
    public static readonly ChannelId OtherId = new(new Bytes32(1, 2, 3, 5));

    public static Channel Channel(Side ourSide = Side.A, bool oneWay = false) =>
        new(Id, new ChannelTerms(PartyA, PartyB, Address.Zero, 3_600, oneWay, default), ourSide);

    public static ChannelState Funded(UInt128 potA, UInt128 potB) =>
        new() { OnChain = new Pots(potA, 0, potB, 0, 0), EverFunded = true };

    /// <summary>An update with the test scheme's signature by <paramref name="side"/>'s signer.</summary>
    public static VerifiedUpdate Verified(Side side, UInt128 sent, UInt128 received, ChannelId? id = null)
    {
        var update = new BalanceUpdate(id ?? Id, sent, received);
        var scheme = new TestScheme(side == Side.A ? PartyA.Signer : PartyB.Signer);
        Assert.True(VerifiedUpdate.TryVerify(scheme, update, scheme.Sign(update), scheme.Signer, out VerifiedUpdate verified));
        return verified;
    }

    public static ChannelState MustAccept(Channel channel, ChannelState state, VerifiedUpdate update)
    {
        UInt128 payments = update.Update.Sent - state.TheirSent;
        Assert.Equal(Refusal.None, Updates.Accept(channel, state, update, payments, out ChannelState next));
        return next;
    }

    public static ChannelState MustPay(Channel channel, ChannelState state, UInt128 amount)
    {
        Assert.Equal(Refusal.None, Updates.Pay(channel, state, amount, out ChannelState next));
        return next;
    }
}

/// <summary>Signatures that are nothing but what is signed and by whom: enough to tell right from wrong.</summary>
internal sealed class TestScheme(Address signer) : ISignatureScheme
{
    public Address Signer => signer;

    public ChannelId IdOf(ChannelTerms terms) => new(terms.Salt);

    public bool Verify(in BalanceUpdate update, in Signature signature, Address by) => signature == Of(update, by);

    public bool Verify(in CooperativeClose close, in Signature signature, Address by) => signature == Of(close, by);

    public Signature Sign(in BalanceUpdate update) => Of(update, signer);

    public Signature Sign(in CooperativeClose close) => Of(close, signer);

    public Signature SignConsent(in BalanceUpdate update) => Of(update, signer) with { V = 29 };

    /// <summary>When consents are given: a signer elsewhere may take its time.</summary>
    public Task ConsentsAfter { get; set; } = Task.CompletedTask;

    public async ValueTask<Signature> SignConsentAsync(BalanceUpdate update, CancellationToken cancel)
    {
        await ConsentsAfter;
        return SignConsent(update);
    }

    public bool VerifyConsent(in BalanceUpdate update, in Signature consent, Address by) =>
        consent == Of(update, by) with { V = 29 };

    public Signature Presentable(in BalanceUpdate update, in Signature signature, Address by) => signature;

    public Signature PresentableConsent(in BalanceUpdate update, in Signature consent, Address by) => consent;

    public Signature Presentable(in CooperativeClose close, in Signature signature, Address by) => signature;

    public Bytes32 IdOf(PeerAttestation attestation) =>
        attestation.Peer.ToBytes32() with { W0 = attestation.IssuedAtSeconds };

    public bool Verify(PeerAttestation attestation, in Signature signature, Address attestor) =>
        signature.R == IdOf(attestation) && signature.S == attestor.ToBytes32();

    private static Signature Of(in BalanceUpdate update, Address by) =>
        new(Pair(update.Sent, update.Received), By(update.Channel, by), 27);

    private static Signature Of(in CooperativeClose close, Address by) =>
        new(Pair(close.SentA, close.SentB ^ close.DeadlineSeconds), By(close.Channel, by), 28);

    private static Bytes32 Pair(UInt128 one, UInt128 other) =>
        new((ulong)(one >> 64), (ulong)one, (ulong)(other >> 64), (ulong)other);

    private static Bytes32 By(ChannelId id, Address by) => id.Value with { W0 = id.Value.W0 ^ by.High, W3 = id.Value.W3 ^ by.Low };
}
