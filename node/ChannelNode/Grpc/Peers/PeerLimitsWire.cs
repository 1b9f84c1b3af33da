using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>The limits that peers tell each other, in the wire's form.</summary>
internal static class PeerLimitsWire
{
    public static PeerMessage.Limits Read(Wire.Limits said)
    {
        if (said.Tokens.Count > PeerTold.TokensMax)
            throw PeerWire.Malformed("tokens", $"{said.Tokens.Count} entries", $"at most {PeerTold.TokensMax}");
        Dictionary<Address, TokenTold> tokens = [];
        foreach (Wire.TokenLimits token in said.Tokens)
        {
            tokens[PeerWire.ReadAddress(token.Token, "token")] = new TokenTold(
                ReadLimit(token.PaymentMin, "payment_min"),
                token.DepositMax.IsEmpty ? UInt128.MaxValue : ReadLimit(token.DepositMax, "deposit_max"),
                Read(token.Sum, isCount: false),
                Read(token.Count, isCount: true),
                token.Refused);
        }

        return new PeerMessage.Limits(new PeerTold(said.RefusesAll, tokens));
    }

    private static UInt128 ReadLimit(ByteString bytes, string field)
    {
        UInt128 limit = PeerWire.ReadAmount(bytes, field);
        return limit <= Amounts.Max ? limit : throw PeerWire.Malformed(field, $"{limit}", $"at most {Amounts.Max}");
    }

    private static PolicyRoom Read(Wire.Room? room, bool isCount)
    {
        if (room is null) return PolicyRoom.Endless;
        bool fits = room.Rule switch
        {
            Wire.LimitRule.Exposure or Wire.LimitRule.SumPerMinute or Wire.LimitRule.SumPerDay => !isCount,
            Wire.LimitRule.CountPerMinute or Wire.LimitRule.CountPerDay => isCount,
            _ => false,
        };
        if (!fits) throw PeerWire.Malformed("rule", $"{room.Rule}", isCount ? "a limit of how many" : "a limit of how much");
        (UInt128 left, UInt128 limit) = (PeerWire.ReadAmount(room.Left, "left"), ReadLimit(room.Limit, "limit"));
        return left <= limit
            ? new PolicyRoom((PolicyRule)room.Rule, left, limit)
            : throw PeerWire.Malformed("left", $"{left}", $"at most {limit}, the limit");
    }

    public static Wire.Limits Write(PeerTold told)
    {
        Wire.Limits said = new() { RefusesAll = told.RefusesAll };
        foreach ((Address token, TokenTold limits) in told.Tokens)
        {
            said.Tokens.Add(new Wire.TokenLimits
            {
                Token = PeerWire.Write(token),
                PaymentMin = PeerWire.Write(limits.PaymentMin),
                DepositMax = limits.DepositMax == UInt128.MaxValue ? ByteString.Empty : PeerWire.Write(limits.DepositMax),
                Sum = Write(limits.Sum),
                Count = Write(limits.Count),
                Refused = limits.IsRefused,
            });
        }

        return said;
    }

    private static Wire.Room? Write(in PolicyRoom room) => room.Rule == PolicyRule.None
        ? null
        : new Wire.Room { Left = PeerWire.Write(room.Left), Limit = PeerWire.Write(room.Limit), Rule = (Wire.LimitRule)room.Rule };
}
