using System.Buffers.Binary;
using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// The peers' wire form to the engine's and back. Reading checks every length: what is malformed throws
/// <see cref="RefusalException"/> with InvalidArgument, naming field, value and limit, and ends the session.
/// </summary>
internal static class PeerWire
{
    public const int AmountBytes = 16;

    public const int TraceIdBytes = 16;

    public const int SpanIdBytes = 8;

    public static PeerMessage Read(Wire.PeerMessage message) => message.KindCase switch
    {
        Wire.PeerMessage.KindOneofCase.ChannelReestablish => Read(message.ChannelReestablish),
        Wire.PeerMessage.KindOneofCase.ChannelProposal =>
            new PeerMessage.Proposal(ReadTerms(message.ChannelProposal.Terms)),
        Wire.PeerMessage.KindOneofCase.ChannelProposalReply => new PeerMessage.ProposalReply(
            ReadChannel(message.ChannelProposalReply.ChannelId),
            ReadOptionalSignature(message.ChannelProposalReply.Consent, "consent"),
            ReadRefusal(message.ChannelProposalReply.Refusal)),
        Wire.PeerMessage.KindOneofCase.DepositAuthorization => Read(message.DepositAuthorization),
        Wire.PeerMessage.KindOneofCase.DepositAuthorizationReply => new PeerMessage.DepositAuthorizationReply(
            ReadChannel(message.DepositAuthorizationReply.ChannelId),
            message.DepositAuthorizationReply.ValidBeforeSeconds,
            ReadRefusal(message.DepositAuthorizationReply.Refusal)),
        Wire.PeerMessage.KindOneofCase.GoingAway => new PeerMessage.GoingAway(message.GoingAway.BackWithinSeconds),
        Wire.PeerMessage.KindOneofCase.CloseProposal => Read(message.CloseProposal),
        Wire.PeerMessage.KindOneofCase.CloseProposalReply => Read(message.CloseProposalReply),
        Wire.PeerMessage.KindOneofCase.Limits => PeerLimitsWire.Read(message.Limits),
        _ => throw Malformed("kind", message.KindCase, "a message for an established session"),
    };

    private static PeerMessage.Reestablish Read(Wire.ChannelReestablish said) => new(
        ReadChannel(said.ChannelId), ReadAmount(said.Sent, "sent"), ReadAmount(said.Received, "received"))
    {
        Held = said.Held is { } held
            ? new PeerMessage.HeldUpdate(
                ReadAmount(held.Sent, "held.sent"), ReadAmount(held.Received, "held.received"), ReadSignature(held.Signature, "held.signature"))
            : null,
    };

    private static PeerMessage.DepositAuthorization Read(Wire.DepositAuthorization said) => new(
        ReadChannel(said.ChannelId),
        ReadAmount(said.Amount, "amount"),
        new DepositAuthorization(
            ReadAddress(said.From, "from"),
            said.ValidAfterSeconds,
            said.ValidBeforeSeconds,
            ReadBytes32(said.Salt, "salt"),
            ReadSignature(said.Signature, "signature")));

    private static PeerMessage.CloseProposal Read(Wire.CloseProposal said) => new(new CooperativeClose(
        ReadChannel(said.ChannelId),
        ReadAmount(said.SentA, "sent_a"),
        ReadAmount(said.SentB, "sent_b"),
        said.DeadlineSeconds));

    private static PeerMessage.CloseReply Read(Wire.CloseProposalReply said) => new(
        ReadChannel(said.ChannelId),
        said.DeadlineSeconds,
        ReadOptionalSignature(said.Signature, "signature"),
        ReadRefusal(said.Refusal));

    private static Signature ReadOptionalSignature(ByteString bytes, string field) =>
        bytes.IsEmpty ? default : ReadSignature(bytes, field);

    /// <summary>A reason that this version does not know is still a refusal.</summary>
    public static Refusal ReadRefusal(Wire.Refusal refusal) =>
        Enum.IsDefined(refusal) ? (Refusal)refusal : Refusal.InvalidArgument;

    public static ChannelTerms ReadTerms(Wire.Terms? terms)
    {
        if (terms is null) throw Malformed("terms", "nothing", "the terms of a channel");
        return new ChannelTerms(
            new Party(ReadAddress(terms.OwnerA, "owner_a"), ReadAddress(terms.SignerA, "signer_a")),
            new Party(ReadAddress(terms.OwnerB, "owner_b"), ReadAddress(terms.SignerB, "signer_b")),
            ReadAddress(terms.Token, "token"),
            terms.DisputeWindowSeconds,
            terms.OneWay,
            ReadBytes32(terms.Salt, "salt"));
    }

    public static Wire.PeerMessage Write(PeerMessage message) => message switch
    {
        PeerMessage.Reestablish said => new Wire.PeerMessage
        {
            ChannelReestablish = new Wire.ChannelReestablish
            {
                ChannelId = Write(said.Channel),
                Sent = Write(said.Sent),
                Received = Write(said.Received),
                Held = said.Held is { } held
                    ? new Wire.HeldUpdate { Sent = Write(held.Sent), Received = Write(held.Received), Signature = Write(held.Signature) }
                    : null,
            },
        },
        PeerMessage.GoingAway said => new Wire.PeerMessage
        {
            GoingAway = new Wire.GoingAway { BackWithinSeconds = said.BackWithinSeconds },
        },
        PeerMessage.Proposal said => new Wire.PeerMessage
        {
            ChannelProposal = new Wire.ChannelProposal { Terms = Write(said.Terms) },
        },
        PeerMessage.ProposalReply said => new Wire.PeerMessage
        {
            ChannelProposalReply = new Wire.ChannelProposalReply
            {
                ChannelId = Write(said.Channel),
                Consent = said.Refusal == Refusal.None ? Write(said.Consent) : ByteString.Empty,
                Refusal = (Wire.Refusal)said.Refusal,
            },
        },
        PeerMessage.DepositAuthorization said => new Wire.PeerMessage { DepositAuthorization = Write(said) },
        PeerMessage.DepositAuthorizationReply said => new Wire.PeerMessage
        {
            DepositAuthorizationReply = new Wire.DepositAuthorizationReply
            {
                ChannelId = Write(said.Channel),
                ValidBeforeSeconds = said.ValidBeforeSeconds,
                Refusal = (Wire.Refusal)said.Refusal,
            },
        },
        PeerMessage.CloseProposal said => new Wire.PeerMessage
        {
            CloseProposal = new Wire.CloseProposal
            {
                ChannelId = Write(said.Close.Channel),
                SentA = Write(said.Close.SentA),
                SentB = Write(said.Close.SentB),
                DeadlineSeconds = said.Close.DeadlineSeconds,
            },
        },
        PeerMessage.CloseReply said => new Wire.PeerMessage
        {
            CloseProposalReply = new Wire.CloseProposalReply
            {
                ChannelId = Write(said.Channel),
                DeadlineSeconds = said.DeadlineSeconds,
                Signature = said.Refusal == Refusal.None ? Write(said.Signature) : ByteString.Empty,
                Refusal = (Wire.Refusal)said.Refusal,
            },
        },
        PeerMessage.Limits said => new Wire.PeerMessage { Limits = PeerLimitsWire.Write(said.Told) },
        _ => throw new ArgumentOutOfRangeException(nameof(message), message, "not a message of its own"),
    };

    private static Wire.DepositAuthorization Write(PeerMessage.DepositAuthorization said) => new()
    {
        ChannelId = Write(said.Channel),
        Amount = Write(said.Amount),
        From = Write(said.Authorization.From),
        ValidAfterSeconds = said.Authorization.ValidAfterSeconds,
        ValidBeforeSeconds = said.Authorization.ValidBeforeSeconds,
        Salt = Write(said.Authorization.Salt),
        Signature = Write(said.Authorization.Signature),
    };

    public static Wire.Terms Write(ChannelTerms terms) => new()
    {
        OwnerA = Write(terms.A.Owner),
        SignerA = Write(terms.A.Signer),
        OwnerB = Write(terms.B.Owner),
        SignerB = Write(terms.B.Signer),
        Token = Write(terms.Token),
        DisputeWindowSeconds = terms.DisputeWindowSeconds,
        OneWay = terms.OneWay,
        Salt = Write(terms.Salt),
    };

    public static ByteString Write(Address value) => UnsafeByteOperations.UnsafeWrap(value.ToArray());

    public static ByteString Write(Bytes32 value) => UnsafeByteOperations.UnsafeWrap(value.ToArray());

    public static ByteString Write(Signature value) => UnsafeByteOperations.UnsafeWrap(value.ToArray());

    private static ByteString Write(ChannelId value) => Write(value.Value);

    public static ByteString Write(UInt128 value)
    {
        var bytes = new byte[AmountBytes];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    public static Address ReadAddress(ByteString bytes, string field) =>
        Address.Read(Exactly(bytes, Address.Size, field));

    public static Bytes32 ReadBytes32(ByteString bytes, string field) =>
        Bytes32.Read(Exactly(bytes, Bytes32.Size, field));

    public static Signature ReadSignature(ByteString bytes, string field) =>
        Signature.Read(Exactly(bytes, Signature.Size, field));

    public static ChannelId ReadChannel(ByteString bytes) => new(ReadBytes32(bytes, "channel_id"));

    public static UInt128 ReadAmount(ByteString bytes, string field) =>
        BinaryPrimitives.ReadUInt128BigEndian(Exactly(bytes, AmountBytes, field));

    private static ReadOnlySpan<byte> Exactly(ByteString bytes, int length, string field) =>
        bytes.Length == length ? bytes.Span : throw Malformed(field, $"{bytes.Length} bytes", $"{length} bytes");

    public static RefusalException Malformed(string field, object value, string expected) =>
        new(Refusal.InvalidArgument, $"{field} has {value}, expected {expected}") { Field = field };
}
