using ChannelNode.Core;

namespace ChannelNode.Storage;

/// <summary>
/// A channel's terms, under its id (32 bytes). Numbers are big-endian.
/// <code>
/// offset size field              offset size field
///      0    1 version = 1           101    4 dispute window, seconds
///      1   20 owner of side A       105    1 one-way (0 or 1)
///     21   20 signer of side A      106   32 salt
///     41   20 owner of side B       138    1 our side (0 = A, 1 = B)
///     61   20 signer of side B      139      end
///     81   20 token
/// </code>
/// </summary>
internal static class TermsRow
{
    public const int Size = 139;

    private const byte Version = 1;

    public static void Write(ref RowWriter row, Channel channel)
    {
        ChannelTerms terms = channel.Terms;
        row.Byte(Version);
        row.Address(terms.A.Owner);
        row.Address(terms.A.Signer);
        row.Address(terms.B.Owner);
        row.Address(terms.B.Signer);
        row.Address(terms.Token);
        row.UInt32(terms.DisputeWindowSeconds);
        row.Flag(terms.OneWay);
        row.Bytes32(terms.Salt);
        row.Flag(channel.OurSide == Side.B);
    }

    public static Channel Read(ChannelId id, ReadOnlySpan<byte> source)
    {
        var row = new RowReader("channel terms", source, Version);
        var a = new Party(row.Address(), row.Address());
        var b = new Party(row.Address(), row.Address());
        var terms = new ChannelTerms(a, b, row.Address(), row.UInt32(), row.Flag(), row.Bytes32());
        Side ourSide = row.Flag() ? Side.B : Side.A;
        row.End();
        return new Channel(id, terms, ourSide);
    }
}

/// <summary>
/// Where a channel stands, under its id (32 bytes). Totals and amounts are 16 bytes, big-endian.
/// <code>
/// offset size field              offset size field
///      0    1 version = 1           101   16 their sent
///      1   16 on chain: pot A       117   16 their received
///     17   16 on chain: sent A      133   65 their signature (r, s, v; zeros for none)
///     33   16 on chain: pot B       198   16 agreed close: sent A
///     49   16 on chain: sent B      214   16 agreed close: sent B
///     65    4 on chain: closes at   230    8 agreed close: deadline, seconds (0 for none)
///     69   16 sent                  238    1 ever funded (0 or 1)
///     85   16 acknowledged          239      end
/// </code>
/// </summary>
internal static class StateRow
{
    public const int Size = 239;

    private const byte Version = 1;

    public static void Write(ref RowWriter row, in ChannelState state)
    {
        row.Byte(Version);
        row.UInt128(state.OnChain.PotA);
        row.UInt128(state.OnChain.SentA);
        row.UInt128(state.OnChain.PotB);
        row.UInt128(state.OnChain.SentB);
        row.UInt32(state.OnChain.ClosesAtSeconds);
        row.UInt128(state.Sent);
        row.UInt128(state.Acknowledged);
        row.UInt128(state.TheirSent);
        row.UInt128(state.TheirReceived);
        row.Signature(state.TheirSignature);
        row.UInt128(state.CloseSentA);
        row.UInt128(state.CloseSentB);
        row.UInt64(state.CloseDeadlineSeconds);
        row.Flag(state.EverFunded);
    }

    public static ChannelState Read(ReadOnlySpan<byte> source)
    {
        // The initializers run in the order in which they stand, which is that of the row.
        var row = new RowReader("channel state", source, Version);
        var state = new ChannelState
        {
            OnChain = new Pots(row.UInt128(), row.UInt128(), row.UInt128(), row.UInt128(), row.UInt32()),
            Sent = row.UInt128(),
            Acknowledged = row.UInt128(),
            TheirSent = row.UInt128(),
            TheirReceived = row.UInt128(),
            TheirSignature = row.Signature(),
            CloseSentA = row.UInt128(),
            CloseSentB = row.UInt128(),
            CloseDeadlineSeconds = row.UInt64(),
            EverFunded = row.Flag(),
        };
        row.End();
        return state;
    }
}
