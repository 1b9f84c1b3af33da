using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// A channel's terms, under its id (32 bytes). Numbers are big-endian. A node's signer is the database's own and is not
/// repeated; what is the rule rather than the exception is one bit. A watchtower guards other signers: to it, side A is ours.
/// <code>
/// offset size field
///      0    1 version = 2
///      1    1 flags: 1 one-way, 2 we are side B, 4 our owner is our signer, 8 their owner is their signer, 16 ether,
///      32 our signer is not the database's
///      2    4 dispute window, seconds
///      6   32 salt
///     38   20 their signer
///          20 our signer, with flag 32
///          20 our owner, without flag 4
///          20 their owner, without flag 8
///          20 token, without flag 16
/// </code>
/// </summary>
internal static class TermsRow
{
    public const int SizeMax = 138;

    private const byte Version = 2;

    [Flags]
    private enum Fields : byte
    {
        OneWay = 1,
        WeAreB = 2,
        OurOwnerIsSigner = 4,
        TheirOwnerIsSigner = 8,
        Ether = 16,
        OurSigner = 32,
        All = 63,
    }

    /// <summary>
    /// Throws for a channel whose signer on our side is not <paramref name="ourSigner"/>; zero takes any.
    /// </summary>
    public static void Write(ref RowWriter row, Channel channel, Address ourSigner)
    {
        ChannelTerms terms = channel.Terms;
        (Party ours, Party theirs) = (channel.Ours, channel.Theirs);
        if (ours.Signer != ourSigner && !ourSigner.IsZero)
            throw new ArgumentException($"Signer {ours.Signer} of {channel.Id} is not the database's, {ourSigner}.");

        Fields fields = (terms.OneWay ? Fields.OneWay : 0)
            | (channel.OurSide == Side.B ? Fields.WeAreB : 0)
            | (ours.Owner == ours.Signer ? Fields.OurOwnerIsSigner : 0)
            | (theirs.Owner == theirs.Signer ? Fields.TheirOwnerIsSigner : 0)
            | (terms.Token.IsZero ? Fields.Ether : 0)
            | (ours.Signer != ourSigner ? Fields.OurSigner : 0);
        row.Byte(Version);
        row.Byte((byte)fields);
        row.UInt32(terms.DisputeWindowSeconds);
        row.Bytes32(terms.Salt);
        row.Address(theirs.Signer);
        if (fields.HasFlag(Fields.OurSigner)) row.Address(ours.Signer);
        if (!fields.HasFlag(Fields.OurOwnerIsSigner)) row.Address(ours.Owner);
        if (!fields.HasFlag(Fields.TheirOwnerIsSigner)) row.Address(theirs.Owner);
        if (!fields.HasFlag(Fields.Ether)) row.Address(terms.Token);
    }

    public static Channel Read(ChannelId id, ReadOnlySpan<byte> source, Address ourSigner)
    {
        var row = new RowReader("channel terms", source, Version);
        var fields = (Fields)row.Flags((byte)Fields.All);
        uint disputeWindowSeconds = row.UInt32();
        Bytes32 salt = row.Bytes32();
        Address theirSigner = row.Address();
        if (fields.HasFlag(Fields.OurSigner)) ourSigner = row.Address();
        var ours = new Party(fields.HasFlag(Fields.OurOwnerIsSigner) ? ourSigner : row.Address(), ourSigner);
        var theirs = new Party(fields.HasFlag(Fields.TheirOwnerIsSigner) ? theirSigner : row.Address(), theirSigner);
        Address token = fields.HasFlag(Fields.Ether) ? Address.Zero : row.Address();
        row.End();

        (Side ourSide, Party a, Party b) = fields.HasFlag(Fields.WeAreB) ? (Side.B, theirs, ours) : (Side.A, ours, theirs);
        var terms = new ChannelTerms(a, b, token, disputeWindowSeconds, fields.HasFlag(Fields.OneWay), salt);
        return new Channel(id, terms, ourSide);
    }
}

/// <summary>
/// Where a channel stands, under its id (32 bytes). It is written with every update, so it holds nothing that is not
/// needed. An amount is a byte of length, at most 16, then that many bytes, big-endian, the first of them not zero.
/// <code>
/// size field
///    1 version = 2
///    1 flags: 1 ever funded, 2 closing on chain, 4 their signature, 8 agreed close, 16 all that we sent is acknowledged,
///      32 not all of the pots counts yet, 64 more was said to be received than their sent,
///      128 of what we sent the payments of some are not known
///      amounts: on chain pot A, sent A, pot B, sent B; sent; their sent; their received
///      amount: acknowledged, without flag 16
///    4 closes at, Unix seconds, with flag 2
///   65 their signature (r, s, v), with flag 4
///      amounts: agreed close sent A, sent B, with flag 8
///    8 agreed close deadline, Unix seconds, with flag 8
///      amounts: what does not count yet of pot A, of pot B, with flag 32
///      amount: what was said to be received, with flag 64
///      amount: of what we sent, what a lost database had signed, with flag 128
/// </code>
/// </summary>
internal static class StateRow
{
    public const int SizeMax = 2 + 14 * RowWriter.AmountSizeMax + 4 + Signature.Size + 8;

    private const byte Version = 2;

    [Flags]
    private enum Fields : byte
    {
        EverFunded = 1,
        Closing = 2,
        Signature = 4,
        Close = 8,
        AllAcknowledged = 16,
        Uncredited = 32,
        SaidReceived = 64,
        SentUnrecorded = 128,
        All = 255,
    }

    public static void Write(ref RowWriter row, in ChannelState state)
    {
        Fields fields = FieldsOf(state);
        row.Byte(Version);
        row.Byte((byte)fields);
        row.Amount(state.OnChain.PotA);
        row.Amount(state.OnChain.SentA);
        row.Amount(state.OnChain.PotB);
        row.Amount(state.OnChain.SentB);
        row.Amount(state.Sent);
        row.Amount(state.TheirSent);
        row.Amount(state.TheirReceived);
        if ((fields & Fields.AllAcknowledged) == 0) row.Amount(state.Acknowledged);
        if ((fields & Fields.Closing) != 0) row.UInt32(state.OnChain.ClosesAtSeconds);
        if ((fields & Fields.Signature) != 0) row.Signature(state.TheirSignature);
        if ((fields & Fields.Close) != 0)
        {
            row.Amount(state.CloseSentA);
            row.Amount(state.CloseSentB);
            row.UInt64(state.CloseDeadlineSeconds);
        }

        if ((fields & Fields.Uncredited) != 0)
        {
            row.Amount(state.UncreditedA);
            row.Amount(state.UncreditedB);
        }

        if ((fields & Fields.SaidReceived) != 0) row.Amount(state.SaidReceived);
        if ((fields & Fields.SentUnrecorded) != 0) row.Amount(state.SentUnrecorded);
    }

    private static Fields FieldsOf(in ChannelState state)
    {
        bool close = state.CloseDeadlineSeconds != 0 || state.CloseSentA != 0 || state.CloseSentB != 0;
        return (state.EverFunded ? Fields.EverFunded : 0)
            | (state.OnChain.ClosesAtSeconds != 0 ? Fields.Closing : 0)
            | (state.TheirSignature != default ? Fields.Signature : 0)
            | (close ? Fields.Close : 0)
            | (state.Acknowledged == state.Sent ? Fields.AllAcknowledged : 0)
            | (state.UncreditedA != 0 || state.UncreditedB != 0 ? Fields.Uncredited : 0)
            | (state.SaidReceived != 0 ? Fields.SaidReceived : 0)
            | (state.SentUnrecorded != 0 ? Fields.SentUnrecorded : 0);
    }

    public static ChannelState Read(ReadOnlySpan<byte> source)
    {
        // The initializers run in the order in which they stand, which is that of the row.
        var row = new RowReader("channel state", source, Version);
        var fields = (Fields)row.Flags((byte)Fields.All);
        var pots = new Pots(row.Amount(), row.Amount(), row.Amount(), row.Amount(), 0);
        UInt128 sent = row.Amount();
        bool close = fields.HasFlag(Fields.Close), uncredited = fields.HasFlag(Fields.Uncredited);
        var state = new ChannelState
        {
            EverFunded = fields.HasFlag(Fields.EverFunded),
            Sent = sent,
            TheirSent = row.Amount(),
            TheirReceived = row.Amount(),
            Acknowledged = fields.HasFlag(Fields.AllAcknowledged) ? sent : row.Amount(),
            OnChain = pots with { ClosesAtSeconds = fields.HasFlag(Fields.Closing) ? row.UInt32() : 0 },
            TheirSignature = fields.HasFlag(Fields.Signature) ? row.Signature() : default,
            CloseSentA = close ? row.Amount() : 0,
            CloseSentB = close ? row.Amount() : 0,
            CloseDeadlineSeconds = close ? row.UInt64() : 0,
            UncreditedA = uncredited ? row.Amount() : 0,
            UncreditedB = uncredited ? row.Amount() : 0,
            SaidReceived = fields.HasFlag(Fields.SaidReceived) ? row.Amount() : 0,
            SentUnrecorded = fields.HasFlag(Fields.SentUnrecorded) ? row.Amount() : 0,
        };
        row.End();
        return state;
    }
}

/// <summary>
/// What a watchtower can present for a side of a channel, under the channel's id (32 bytes) and the side that is guarded (1).
/// Amounts as in a <see cref="StateRow"/>.
/// <code>
/// size field
///    1 version = 1
///      amounts: sent, received, of the other side's update
///   65 its signature
///   65 consent of the side that is guarded
/// </code>
/// </summary>
internal static class GuardedRow
{
    public const int KeySize = Bytes32.Size + 1;

    public const int SizeMax = 1 + 2 * RowWriter.AmountSizeMax + 2 * Signature.Size;

    private const byte Version = 1;

    public static void WriteKey(Span<byte> target, ChannelId channel, Side side)
    {
        channel.Write(target);
        target[Bytes32.Size] = (byte)side;
    }

    public static void Write(ref RowWriter row, GuardedUpdate guarded)
    {
        row.Byte(Version);
        row.Amount(guarded.Update.Sent);
        row.Amount(guarded.Update.Received);
        row.Signature(guarded.Signature);
        row.Signature(guarded.Consent);
    }

    public static GuardedUpdate Read(ChannelId channel, ReadOnlySpan<byte> source)
    {
        var row = new RowReader("guarded update", source, Version);
        var update = new BalanceUpdate(channel, row.Amount(), row.Amount());
        var guarded = new GuardedUpdate(update, row.Signature(), row.Signature());
        row.End();
        return guarded;
    }
}

/// <summary>What is pending in a channel, under its id (32 bytes): version = 1, then <see cref="Pending"/>'s flags.</summary>
internal static class PendingRow
{
    private const byte Version = 1;

    public static byte[] Write(Pending pending) => [Version, (byte)pending];

    public static Pending Read(ReadOnlySpan<byte> source)
    {
        var row = new RowReader("pending", source, Version);
        var pending = (Pending)row.Flags((byte)Pending.All);
        row.End();
        return pending;
    }
}
