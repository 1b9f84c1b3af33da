using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>The limits that peers tell each other, in the wire's form.</summary>
internal static class PeerLimitsWire
{
    private const int TokensMax = 1_024;

    public static PeerMessage.Limits Read(Wire.Limits said)
    {
        if (said.Tokens.Count > TokensMax) throw PeerWire.Malformed("tokens", $"{said.Tokens.Count} entries", $"at most {TokensMax}");
        Dictionary<Address, TokenTold> tokens = [];
        foreach (Wire.TokenLimits token in said.Tokens)
        {
            tokens[PeerWire.ReadAddress(token.Token, "token")] = new TokenTold(
                PeerWire.ReadAmount(token.PaymentMin, "payment_min"), PeerWire.ReadAmount(token.SumMax, "sum_max"));
        }

        return new PeerMessage.Limits(new PeerTold(
            said.RefusesAll, said.CountMax == 0 ? uint.MaxValue : said.CountMax, tokens));
    }

    public static Wire.Limits Write(PeerTold told)
    {
        Wire.Limits said = new()
        {
            RefusesAll = told.RefusesAll || told.CountMax == 0,
            CountMax = told.CountMax == uint.MaxValue ? 0 : told.CountMax,
        };
        foreach ((Address token, TokenTold limits) in told.Tokens.Take(TokensMax))
        {
            said.Tokens.Add(new Wire.TokenLimits
            {
                Token = PeerWire.Write(token),
                PaymentMin = PeerWire.Write(limits.PaymentMin),
                SumMax = PeerWire.Write(limits.SumMax),
            });
        }

        return said;
    }
}
