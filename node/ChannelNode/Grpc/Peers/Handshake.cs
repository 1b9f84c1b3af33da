using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// One side's part of a handshake: who it says to be, who the other says to be, and the proofs of both, which are worth
/// something for this session only.
/// </summary>
/// <param name="identity">Who we are.</param>
/// <param name="protocolVersion">Spoken by both.</param>
/// <param name="presented">The certificate that we have shown to the caller; null where the connection is not ours to encrypt.</param>
internal sealed class Handshake(NodeIdentity identity, uint protocolVersion, Bytes32? presented = null)
{
    /// <summary>Longer nobody waits for one.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly Bytes32 _ourNonce = Bytes32.Read(RandomNumberGenerator.GetBytes(Bytes32.Size));
    private Bytes32 _theirNonce;
    private Bytes32? _certificate;

    /// <summary>As the other side said in its hello.</summary>
    public Party Them { get; private set; }

    /// <param name="seen">The certificate that we were shown, where nothing but the session itself can vouch for it.</param>
    public Wire.Hello Hello(Bytes32? seen = null)
    {
        _certificate = seen;
        return new()
        {
            ProtocolVersion = protocolVersion,
            ChainId = identity.ChainId,
            Contract = PeerWire.Write(identity.Contract),
            Signer = PeerWire.Write(identity.Us.Signer),
            Owner = PeerWire.Write(identity.Us.Owner),
            Nonce = PeerWire.Write(_ourNonce),
            TlsCertificate = seen is { } certificate ? PeerWire.Write(certificate) : ByteString.Empty,
        };
    }

    /// <summary>Throws <see cref="RefusalException"/> when the other side is not one for us, or not <paramref name="expected"/>.</summary>
    public void Take(Wire.Hello hello, Address? expected)
    {
        if (hello.ProtocolVersion != protocolVersion)
            throw Wrong(Refusal.WrongProtocolVersion, "protocol_version", hello.ProtocolVersion, protocolVersion);
        if (hello.ChainId != identity.ChainId)
            throw Wrong(Refusal.WrongChain, "chain_id", hello.ChainId, identity.ChainId);
        Address contract = PeerWire.ReadAddress(hello.Contract, "contract");
        if (contract != identity.Contract) throw Wrong(Refusal.WrongContract, "contract", contract, identity.Contract);

        Them = new Party(PeerWire.ReadAddress(hello.Owner, "owner"), PeerWire.ReadAddress(hello.Signer, "signer"));
        if (Them.Signer == identity.Us.Signer)
            throw Wrong(Refusal.WrongIdentity, "signer", Them.Signer, "another node's, not our own");
        if (expected is { } signer && Them.Signer != signer)
            throw Wrong(Refusal.WrongIdentity, "signer", Them.Signer, signer);
        _theirNonce = PeerWire.ReadBytes32(hello.Nonce, "nonce");
        if (hello.TlsCertificate.IsEmpty) return;

        Bytes32 seen = PeerWire.ReadBytes32(hello.TlsCertificate, "tls_certificate");
        if (presented != seen)
            throw Wrong(Refusal.WrongIdentity, "tls_certificate", seen, presented?.ToString() ?? "none: this node encrypts nothing itself");
        _certificate = seen;
    }

    /// <summary>Proofs hold for the certificate that the caller saw: who stands between has another one.</summary>
    private Bytes32 Bound(Bytes32 nonce) => _certificate is { } certificate ? TlsPin.Bind(nonce, certificate) : nonce;

    public async ValueTask<Wire.HelloProof> ProofAsync(CancellationToken cancel) => new()
    {
        Signature = PeerWire.Write(
            await identity.SignHello(identity.Us.Owner, Them.Signer, Bound(_ourNonce), Bound(_theirNonce), cancel)),
    };

    public void Take(Wire.HelloProof proof)
    {
        Signature signature = PeerWire.ReadSignature(proof.Signature, "signature");
        if (!identity.VerifyHello(Them, Bound(_theirNonce), Bound(_ourNonce), signature))
            throw Wrong(Refusal.WrongIdentity, "signature", "a proof by another key or of another owner", $"{Them.Signer}'s");
    }

    public static RefusalException Unexpected(object kind, string expected) => Wrong(Refusal.InvalidArgument, "kind", kind, expected);

    private static RefusalException Wrong(Refusal refusal, string field, object value, object expected) =>
        new(refusal, $"{field} is {value}, expected {expected}") { Field = field };
}
