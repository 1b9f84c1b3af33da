namespace ChannelNode.Core;

/// <summary>
/// Said by one side's signer: "in this channel I have sent <paramref name="Sent"/> in total, and I have accepted
/// <paramref name="Received"/> in total". Both are lifetime totals in the token's smallest units and never fall.
/// </summary>
public readonly record struct BalanceUpdate(ChannelId Channel, UInt128 Sent, UInt128 Received);

/// <summary>
/// Said by both signers: pay out at these lifetime totals, if mined no later than <paramref name="DeadlineSeconds"/>
/// (Unix time of the block).
/// </summary>
public readonly record struct CooperativeClose(
    ChannelId Channel, UInt128 SentA, UInt128 SentB, ulong DeadlineSeconds);

/// <summary>Proves and checks who said what. One real implementation; the simulation has its own.</summary>
public interface ISignatureScheme
{
    /// <summary>The EIP-712 hash of <paramref name="terms"/> under the contract's domain.</summary>
    ChannelId IdOf(ChannelTerms terms);

    bool Verify(in BalanceUpdate update, in Signature signature, Address signer);

    bool Verify(in CooperativeClose close, in Signature signature, Address signer);

    /// <summary>At once; only where <see cref="SignsHere"/>.</summary>
    Signature Sign(in BalanceUpdate update);

    Signature Sign(in CooperativeClose close);

    /// <summary>Lets anyone present <paramref name="update"/>, the other side's, in a dispute for this side.</summary>
    Signature SignConsent(in BalanceUpdate update);

    /// <summary>Whether the key is in this process. Where not, a signer elsewhere is asked: only by the asynchronous ones.</summary>
    bool SignsHere => true;

    /// <summary>Whether a signature can be had now, as far as is known; a signer elsewhere may be out of reach.</summary>
    bool CanSign => true;

    /// <summary>As <see cref="Sign(in BalanceUpdate)"/>, wherever the key is; throws where it cannot be had.</summary>
    ValueTask<Signature> SignAsync(BalanceUpdate update, CancellationToken cancel) => new(Sign(update));

    ValueTask<Signature> SignAsync(CooperativeClose close, CancellationToken cancel) => new(Sign(close));

    ValueTask<Signature> SignConsentAsync(BalanceUpdate update, CancellationToken cancel) => new(SignConsent(update));

    /// <summary>Whether <paramref name="signer"/>, the side that the update pays, lets anyone present it.</summary>
    bool VerifyConsent(in BalanceUpdate update, in Signature consent, Address signer);

    /// <summary>
    /// The same signature with the v under which the contract recovers <paramref name="signer"/>. Verification
    /// against a known key does not look at v, so a peer can send a wrong one and still be believed: ask for this
    /// before presenting a signature on chain.
    /// </summary>
    Signature Presentable(in BalanceUpdate update, in Signature signature, Address signer);

    /// <summary>As with updates.</summary>
    Signature Presentable(in CooperativeClose close, in Signature signature, Address signer);

    /// <summary>As with updates.</summary>
    Signature PresentableConsent(in BalanceUpdate update, in Signature consent, Address signer);

    /// <summary>What tells one attestation from every other: its EIP-712 digest.</summary>
    Bytes32 IdOf(PeerAttestation attestation);

    bool Verify(PeerAttestation attestation, in Signature signature, Address attestor);
}

/// <summary>A balance update whose signature was checked. Nothing but <see cref="TryVerify"/> can make one.</summary>
public readonly struct VerifiedUpdate
{
    private VerifiedUpdate(in BalanceUpdate update, in Signature signature)
    {
        Update = update;
        Signature = signature;
    }

    public BalanceUpdate Update { get; }

    public Signature Signature { get; }

    /// <summary>False, and nothing made, when the signature is not <paramref name="signer"/>'s.</summary>
    public static bool TryVerify(
        ISignatureScheme scheme,
        in BalanceUpdate update,
        in Signature signature,
        Address signer,
        out VerifiedUpdate verified)
    {
        bool right = scheme.Verify(update, signature, signer);
        verified = right ? new VerifiedUpdate(update, signature) : default;
        return right;
    }
}
