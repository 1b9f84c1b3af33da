using System.Buffers;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Storage;

/// <summary>
/// One thing of an operator's policy. Amounts and texts have a byte of length.
/// <code>
/// key                                          row, behind version = 1
/// 1, tier's name                               rules
/// 2, peer                                      rules
/// 3, peer                                      tier's name, since and until (Unix seconds, 8 each), attestor, attestation
/// 4 (allow) or 5 (deny), peer                  comment, 2 bytes of length
/// 6, attestor                                  comment, 2 bytes of length
/// 7, attestation (32)                          nothing
/// 8, peer, token, 1 when sent, hour (8)        sum, count (8)
///
/// rules: a byte of flags (1 accept, 2 channels, 4 count per minute, 8 count per day, 16 tokens), then what they name:
/// 1 byte, 4, 4, 4, a number (4) and the tokens; then the number (4) of tokens with amounts, and of each the token, a byte
/// of flags (1 deposit, 2 payment, 4 exposure, 8 per minute, 16 per day) and the amounts that they name.
/// </code>
/// </summary>
internal static class PolicyRow
{
    public const int KeySizeMax = 64;

    private const byte Version = 1;
    private const byte Tier = 1, Peer = 2, Standing = 3, Allowed = 4, Denied = 5, Attestor = 6, Revoked = 7, Spent = 8;
    private const byte AllFlags = 31;
    private const int FixedSizeMax = 128;
    private const int AmountsSizeMax = Address.Size + 1 + 5 * RowWriter.AmountSizeMax;

    public static ReadOnlySpan<byte> Key(Span<byte> target, PolicyFact fact)
    {
        var key = new RowWriter(target);
        switch (fact)
        {
            case PolicyFact.TierRules it:
                key.Byte(Tier);
                key.Bytes(Encoding.UTF8.GetBytes(it.Tier));
                break;
            case PolicyFact.PeerRules it:
                Put(ref key, Peer, it.Peer);
                break;
            case PolicyFact.Standing it:
                Put(ref key, Standing, it.Peer);
                break;
            case PolicyFact.Listed it:
                Put(ref key, KindOf(it.List), it.Peer);
                break;
            case PolicyFact.TrustedAttestor it:
                Put(ref key, Attestor, it.Signer);
                break;
            case PolicyFact.Revoked it:
                key.Byte(Revoked);
                key.Bytes32(it.Attestation);
                break;
            case PolicyFact.Spent it:
                Put(ref key, Spent, it.Peer);
                key.Address(it.Token);
                key.Byte(it.IsSent ? (byte)1 : (byte)0);
                key.Int64(it.Hour);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(fact), fact, "not a fact that is stored");
        }

        return key.Row;
    }

    public static ReadOnlySpan<byte> ListKey(Span<byte> target, PeerList list, Address peer)
    {
        var key = new RowWriter(target);
        Put(ref key, KindOf(list), peer);
        return key.Row;
    }

    /// <summary>The first key of a list, and the first behind it.</summary>
    public static (byte[] First, byte[] Behind) ListKeys(PeerList list) => ([KindOf(list)], [(byte)(KindOf(list) + 1)]);

    private static byte KindOf(PeerList list) => list == PeerList.Allow ? Allowed : Denied;

    private static void Put(ref RowWriter key, byte kind, Address about)
    {
        key.Byte(kind);
        key.Address(about);
    }

    public static byte[] Write(PolicyFact fact)
    {
        var row = new RowWriter(new byte[SizeMax(fact)]);
        row.Byte(Version);
        switch (fact)
        {
            case PolicyFact.TierRules it:
                Write(ref row, it.Rules);
                break;
            case PolicyFact.PeerRules it:
                Write(ref row, it.Rules);
                break;
            case PolicyFact.Standing it:
                row.ShortBytes(Encoding.UTF8.GetBytes(it.Tier));
                row.UInt64(it.SinceSeconds);
                row.UInt64(it.ValidUntilSeconds);
                row.Address(it.Attestor);
                row.Bytes32(it.Attestation);
                break;
            case PolicyFact.Listed it:
                row.LongBytes(Encoding.UTF8.GetBytes(it.Comment));
                break;
            case PolicyFact.TrustedAttestor it:
                row.LongBytes(Encoding.UTF8.GetBytes(it.Comment));
                break;
            case PolicyFact.Spent it:
                row.Amount(it.Sum);
                row.UInt64(it.Count);
                break;
        }

        return row.Row.ToArray();
    }

    private static int SizeMax(PolicyFact fact) => FixedSizeMax + fact switch
    {
        PolicyFact.TierRules it => SizeMax(it.Rules),
        PolicyFact.PeerRules it => SizeMax(it.Rules),
        PolicyFact.Standing it => Encoding.UTF8.GetByteCount(it.Tier),
        PolicyFact.Listed it => Encoding.UTF8.GetByteCount(it.Comment),
        PolicyFact.TrustedAttestor it => Encoding.UTF8.GetByteCount(it.Comment),
        _ => 0,
    };

    private static int SizeMax(PolicyRules rules) =>
        (rules.Tokens?.Count ?? 0) * Address.Size + rules.Amounts.Count * AmountsSizeMax;

    private static void Write(ref RowWriter row, PolicyRules rules)
    {
        row.Byte(Flags(
            rules.Accept is not null, rules.ChannelsMax is not null, rules.CountPerMinuteMax is not null,
            rules.CountPerDayMax is not null, rules.Tokens is not null));
        if (rules.Accept is { } accept) row.Byte((byte)accept);
        foreach (uint? count in (ReadOnlySpan<uint?>)[rules.ChannelsMax, rules.CountPerMinuteMax, rules.CountPerDayMax])
            if (count is { } said) row.UInt32(said);
        if (rules.Tokens is { } tokens)
        {
            row.UInt32((uint)tokens.Count);
            foreach (Address token in tokens) row.Address(token);
        }

        row.UInt32((uint)rules.Amounts.Count);
        foreach ((Address token, AmountRules amounts) in rules.Amounts.OrderBy(it => it.Key.ToBytes32()))
        {
            row.Address(token);
            ReadOnlySpan<UInt128?> all =
                [amounts.DepositMax, amounts.PaymentMin, amounts.ExposureMax, amounts.SumPerMinuteMax, amounts.SumPerDayMax];
            row.Byte(Flags(all[0] is not null, all[1] is not null, all[2] is not null, all[3] is not null, all[4] is not null));
            foreach (UInt128? amount in all)
                if (amount is { } said) row.Amount(said);
        }
    }

    private static byte Flags(params ReadOnlySpan<bool> said)
    {
        int flags = 0;
        for (int index = 0; index < said.Length; index++)
            if (said[index]) flags |= 1 << index;
        return (byte)flags;
    }

    public static PolicyFact Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source)
    {
        var about = new RowReader("policy key", key);
        var row = new RowReader("policy", source, Version);
        byte kind = about.Byte();
        PolicyFact fact = kind switch
        {
            Tier => new PolicyFact.TierRules(Encoding.UTF8.GetString(about.Rest()), ReadRules(ref row)),
            Peer => new PolicyFact.PeerRules(about.Address(), ReadRules(ref row)),
            Standing => new PolicyFact.Standing(
                about.Address(), Encoding.UTF8.GetString(row.ShortBytes()), row.UInt64(), row.UInt64(), row.Address(), row.Bytes32()),
            Allowed => new PolicyFact.Listed(PeerList.Allow, about.Address(), Encoding.UTF8.GetString(row.LongBytes())),
            Denied => new PolicyFact.Listed(PeerList.Deny, about.Address(), Encoding.UTF8.GetString(row.LongBytes())),
            Attestor => new PolicyFact.TrustedAttestor(about.Address(), Encoding.UTF8.GetString(row.LongBytes())),
            Revoked => new PolicyFact.Revoked(about.Bytes32()),
            Spent => new PolicyFact.Spent(
                about.Address(), about.Address(), about.Byte() != 0, about.Int64(), row.Amount(), row.UInt64()),
            _ => throw new StoreException($"A policy row is corrupt: it is of kind {kind}."),
        };
        if (kind != Tier) about.End();
        row.End();
        return fact;
    }

    private static PolicyRules ReadRules(ref RowReader row)
    {
        byte flags = row.Flags(AllFlags);
        AcceptFrom? accept = (flags & 1) != 0 ? (AcceptFrom)row.Byte() : null;
        uint? channels = (flags & 2) != 0 ? row.UInt32() : null;
        uint? perMinute = (flags & 4) != 0 ? row.UInt32() : null;
        uint? perDay = (flags & 8) != 0 ? row.UInt32() : null;
        List<Address>? tokens = (flags & 16) != 0 ? [] : null;
        for (uint left = tokens is null ? 0 : row.UInt32(); left > 0; left--) tokens!.Add(row.Address());
        Dictionary<Address, AmountRules> amounts = [];
        for (uint left = row.UInt32(); left > 0; left--)
        {
            Address token = row.Address();
            byte said = row.Flags(AllFlags);
            amounts[token] = new AmountRules
            {
                DepositMax = (said & 1) != 0 ? row.Amount() : null,
                PaymentMin = (said & 2) != 0 ? row.Amount() : null,
                ExposureMax = (said & 4) != 0 ? row.Amount() : null,
                SumPerMinuteMax = (said & 8) != 0 ? row.Amount() : null,
                SumPerDayMax = (said & 16) != 0 ? row.Amount() : null,
            };
        }

        return new PolicyRules
        {
            Accept = accept,
            ChannelsMax = channels,
            CountPerMinuteMax = perMinute,
            CountPerDayMax = perDay,
            Tokens = tokens,
            Amounts = amounts,
        };
    }
}
