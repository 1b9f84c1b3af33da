using System.Buffers.Binary;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Signing;

/// <summary>
/// The EIP-712 digests of one contract on one chain. The type strings are the contract's: every letter counts. Every
/// field is one 32-byte word, numbers big-endian.
/// </summary>
internal sealed class TypedData
{
    private const int Word = 32;
    private const int MessageSize = 2 + 2 * Word;

    private static readonly Bytes32 DomainType = Keccak.Hash(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"u8);

    private static readonly Bytes32 ChannelType = Keccak.Hash(
        "Channel(address ownerA,address signerA,address ownerB,address signerB,address token,uint32 disputeWindow,bool oneWay,bytes32 salt)"u8);

    private static readonly Bytes32 BalanceUpdateType = Keccak.Hash(
        "BalanceUpdate(bytes32 channelId,uint128 sent,uint128 received)"u8);

    private static readonly Bytes32 CloseType = Keccak.Hash(
        "Close(bytes32 channelId,uint128 sentA,uint128 sentB,uint64 deadline)"u8);

    private static readonly Bytes32 ConsentType = Keccak.Hash(
        "Consent(bytes32 channelId,uint128 sent,uint128 received)"u8);

    private static readonly Bytes32 HelloType = Keccak.Hash(
        "Hello(address from,address owner,address to,bytes32 nonceFrom,bytes32 nonceTo)"u8);

    private static readonly Bytes32 PeerAttestationType = Keccak.Hash(
        "PeerAttestation(address peer,string tier,uint64 validUntil,uint64 issuedAt,address node)"u8);

    private readonly Bytes32 _domain;

    public TypedData(ulong chainId, Address contract)
    {
        Span<byte> words = stackalloc byte[5 * Word];
        words.Clear();
        DomainType.Write(words);
        Keccak.Hash("ChannelNode"u8, words[Word..]);
        Keccak.Hash("1"u8, words[(2 * Word)..]);
        BinaryPrimitives.WriteUInt64BigEndian(words[(4 * Word - 8)..], chainId);
        contract.Write(words[(5 * Word - Address.Size)..]);
        _domain = Keccak.Hash(words);
    }

    /// <summary>What the contract's domain hashes to.</summary>
    public Bytes32 Domain => _domain;

    public Bytes32 Of(ChannelTerms terms) => Digest(HashOf(terms));

    public Bytes32 Of(in BalanceUpdate update) => Digest(HashOf(BalanceUpdateType, update));

    /// <summary>Said by the side that <paramref name="update"/> pays: anyone may present it for me.</summary>
    public Bytes32 OfConsent(in BalanceUpdate update) => Digest(HashOf(ConsentType, update));

    public Bytes32 Of(in CooperativeClose close) => Digest(HashOf(close));

    public Bytes32 OfHello(Address from, Address owner, Address to, in Bytes32 nonceFrom, in Bytes32 nonceTo) =>
        Digest(HashOfHello(from, owner, to, nonceFrom, nonceTo));

    /// <summary>What a digest is the Keccak-256 hash of, for signers that hash what they sign: 0x1901, domain, message.</summary>
    public byte[] MessageOf(in BalanceUpdate update) => Message(HashOf(BalanceUpdateType, update));

    public byte[] MessageOfConsent(in BalanceUpdate update) => Message(HashOf(ConsentType, update));

    public byte[] MessageOf(in CooperativeClose close) => Message(HashOf(close));

    public byte[] MessageOfHello(Address from, Address owner, Address to, in Bytes32 nonceFrom, in Bytes32 nonceTo) =>
        Message(HashOfHello(from, owner, to, nonceFrom, nonceTo));

    private static Bytes32 HashOf(ChannelTerms terms)
    {
        Span<byte> words = stackalloc byte[9 * Word];
        words.Clear();
        ChannelType.Write(words);
        Put(words, 1, terms.A.Owner);
        Put(words, 2, terms.A.Signer);
        Put(words, 3, terms.B.Owner);
        Put(words, 4, terms.B.Signer);
        Put(words, 5, terms.Token);
        Put(words, 6, terms.DisputeWindowSeconds);
        words[8 * Word - 1] = terms.OneWay ? (byte)1 : (byte)0;
        terms.Salt.Write(words[(8 * Word)..]);
        return Keccak.Hash(words);
    }

    private static Bytes32 HashOf(Bytes32 type, in BalanceUpdate update)
    {
        Span<byte> words = stackalloc byte[4 * Word];
        words.Clear();
        type.Write(words);
        update.Channel.Write(words[Word..]);
        Put(words, 2, update.Sent);
        Put(words, 3, update.Received);
        return Keccak.Hash(words);
    }

    private static Bytes32 HashOf(in CooperativeClose close)
    {
        Span<byte> words = stackalloc byte[5 * Word];
        words.Clear();
        CloseType.Write(words);
        close.Channel.Write(words[Word..]);
        Put(words, 2, close.SentA);
        Put(words, 3, close.SentB);
        Put(words, 4, close.DeadlineSeconds);
        return Keccak.Hash(words);
    }

    private static Bytes32 HashOfHello(Address from, Address owner, Address to, in Bytes32 nonceFrom, in Bytes32 nonceTo)
    {
        Span<byte> words = stackalloc byte[6 * Word];
        words.Clear();
        HelloType.Write(words);
        Put(words, 1, from);
        Put(words, 2, owner);
        Put(words, 3, to);
        nonceFrom.Write(words[(4 * Word)..]);
        nonceTo.Write(words[(5 * Word)..]);
        return Keccak.Hash(words);
    }

    public Bytes32 Of(PeerAttestation attestation)
    {
        Span<byte> words = stackalloc byte[6 * Word];
        words.Clear();
        PeerAttestationType.Write(words);
        Put(words, 1, attestation.Peer);
        Keccak.Hash(Encoding.UTF8.GetBytes(attestation.Tier), words[(2 * Word)..]);
        Put(words, 3, attestation.ValidUntilSeconds);
        Put(words, 4, attestation.IssuedAtSeconds);
        Put(words, 5, attestation.Node);
        return Digest(Keccak.Hash(words));
    }

    private static void Put(Span<byte> words, int index, Address value) =>
        value.Write(words[((index + 1) * Word - Address.Size)..]);

    private static void Put(Span<byte> words, int index, UInt128 value) =>
        BinaryPrimitives.WriteUInt128BigEndian(words[((index + 1) * Word - 16)..], value);

    private Bytes32 Digest(in Bytes32 hash)
    {
        Span<byte> message = stackalloc byte[MessageSize];
        Write(hash, message);
        return Keccak.Hash(message);
    }

    private byte[] Message(in Bytes32 hash)
    {
        byte[] message = new byte[MessageSize];
        Write(hash, message);
        return message;
    }

    private void Write(in Bytes32 hash, Span<byte> message)
    {
        message[0] = 0x19;
        message[1] = 0x01;
        _domain.Write(message[2..]);
        hash.Write(message[(2 + Word)..]);
    }
}
