using ChannelNode.Core;

namespace ChannelNode.Signing;

/// <summary>
/// ECDSA on secp256k1 over EIP-712 digests of one contract on one chain, with the node's key, wherever that is. Safe
/// for many threads.
/// </summary>
internal sealed class SignatureScheme(ISigner key, ulong chainId, Address contract) : ISignatureScheme
{
    /// <summary>Keys remembered per generation; about 10 MB in all.</summary>
    private const int PublicKeysMax = 32_768;

    private readonly TypedData _typed = new(chainId, contract);
    private readonly PublicKeys _keys = new(PublicKeysMax);

    /// <summary>The address of the node's key.</summary>
    public Address Signer => key.Address;

    public bool SignsHere => key is PrivateKey;

    public bool CanSign => key.IsThere;

    public ChannelId IdOf(ChannelTerms terms) => new(_typed.Of(terms));

    public bool Verify(in BalanceUpdate update, in Signature signature, Address signer) =>
        Verify(_typed.Of(update), signature, signer);

    public bool Verify(in CooperativeClose close, in Signature signature, Address signer) =>
        Verify(_typed.Of(close), signature, signer);

    public bool VerifyConsent(in BalanceUpdate update, in Signature consent, Address signer) =>
        Verify(_typed.OfConsent(update), consent, signer);

    public Signature Sign(in BalanceUpdate update) => Here.Sign(_typed.Of(update));

    public Signature Sign(in CooperativeClose close) => Here.Sign(_typed.Of(close));

    public Signature SignConsent(in BalanceUpdate update) => Here.Sign(_typed.OfConsent(update));

    public ValueTask<Signature> SignAsync(BalanceUpdate update, CancellationToken cancel) =>
        SignsHere ? new(Sign(update)) : key.SignAsync(_typed.MessageOf(update), cancel);

    public ValueTask<Signature> SignAsync(CooperativeClose close, CancellationToken cancel) =>
        key.SignAsync(_typed.MessageOf(close), cancel);

    public ValueTask<Signature> SignConsentAsync(BalanceUpdate update, CancellationToken cancel) =>
        key.SignAsync(_typed.MessageOfConsent(update), cancel);

    private PrivateKey Here => key as PrivateKey
        ?? throw new InvalidOperationException("the key is not in this process, and its signer was not asked asynchronously");

    /// <summary>Proves to the peer <paramref name="to"/> that we hold our key and name this owner, for this session's two nonces only.</summary>
    public Signature SignHello(Address owner, Address to, Bytes32 nonceFrom, Bytes32 nonceTo) =>
        Here.Sign(_typed.OfHello(Signer, owner, to, nonceFrom, nonceTo));

    public ValueTask<Signature> SignHelloAsync(
        Address owner, Address to, Bytes32 nonceFrom, Bytes32 nonceTo, CancellationToken cancel) =>
        key.SignAsync(_typed.MessageOfHello(Signer, owner, to, nonceFrom, nonceTo), cancel);

    /// <summary>Whether <paramref name="from"/> holds its key and speaks to us, in the session of these two nonces.</summary>
    public bool VerifyHello(Party from, Bytes32 nonceFrom, Bytes32 nonceTo, Signature signature) =>
        Verify(_typed.OfHello(from.Signer, from.Owner, Signer, nonceFrom, nonceTo), signature, from.Signer);

    public Signature Presentable(in BalanceUpdate update, in Signature signature, Address signer) =>
        Presentable(_typed.Of(update), signature, signer);

    public Signature Presentable(in CooperativeClose close, in Signature signature, Address signer) =>
        Presentable(_typed.Of(close), signature, signer);

    public Signature PresentableConsent(in BalanceUpdate update, in Signature consent, Address signer) =>
        Presentable(_typed.OfConsent(update), consent, signer);

    public Bytes32 IdOf(PeerAttestation attestation) => _typed.Of(attestation);

    public bool Verify(PeerAttestation attestation, in Signature signature, Address attestor) =>
        Verify(_typed.Of(attestation), signature, attestor);

    private static Signature Presentable(in Bytes32 digest, in Signature signature, Address signer)
    {
        foreach (byte v in (ReadOnlySpan<byte>)[27, 28])
        {
            if (Secp256k1.IsWellFormed(signature)
                && Secp256k1.TryRecover(digest, signature, v, out PublicKey recovered)
                && Secp256k1.AddressOf(recovered) == signer)
            {
                return signature with { V = v };
            }
        }

        throw new InvalidOperationException($"a signature that was accepted is not {signer}'s");
    }

    private bool Verify(in Bytes32 digest, in Signature signature, Address signer)
    {
        if (!Secp256k1.IsWellFormed(signature)) return false;
        return _keys.TryGet(signer, out PublicKey known)
            ? Secp256k1.Verify(digest, signature, known)
            : TryMeet(digest, signature, signature.V, signer)
                || TryMeet(digest, signature, (byte)(27 + 28 - signature.V), signer);
    }

    /// <summary>A signer's first signature proves its public key. Either v may be meant, as with later ones.</summary>
    private bool TryMeet(in Bytes32 digest, in Signature signature, byte v, Address signer)
    {
        if (!Secp256k1.TryRecover(digest, signature, v, out PublicKey recovered)) return false;
        if (Secp256k1.AddressOf(recovered) != signer) return false;
        _keys.Add(signer, recovered);
        return true;
    }
}
