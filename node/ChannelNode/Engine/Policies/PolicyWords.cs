using System.Text;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Rules in people's words, and refusals by them.</summary>
internal static class PolicyWords
{
    /// <summary>sum-per-minute for SumPerMinute: as commands and calls name a rule.</summary>
    public static string NameOf(PolicyRule rule)
    {
        StringBuilder name = new();
        foreach (char letter in rule.ToString())
        {
            if (char.IsAsciiLetterUpper(letter) && name.Length > 0) name.Append('-');
            name.Append(char.ToLowerInvariant(letter));
        }

        return name.ToString();
    }

    public static RefusalException Refuse(PolicyNo no, string field)
    {
        string whose = no.Tier.Length == 0 ? $"peer {no.Peer} has told that it" : $"this node's policy for peer {no.Peer} (tier {no.Tier})";
        return new RefusalException(Refusal.PolicyRefused, $"{field}: {whose} refuses by rule {Sentence(no.Decision, no.Token)}")
        {
            Field = field,
            Details = new Dictionary<string, string>
            {
                ["rule"] = NameOf(no.Decision.Rule),
                ["value"] = no.Decision.Value.ToString(),
                ["limit"] = no.Decision.Limit.ToString(),
            },
        };
    }

    /// <summary>For who must not hear what was paid in other channels of the same peer: which rule, and not how much it has counted.</summary>
    public static RefusalException RefuseBriefly(PolicyNo no, string field) => new(
        Refusal.PolicyRefused, $"{field}: {(no.Tier.Length == 0 ? "the peer" : "this node's policy")} refuses by rule {NameOf(no.Decision.Rule)}")
    {
        Field = field,
        Details = new Dictionary<string, string> { ["rule"] = NameOf(no.Decision.Rule) },
    };

    private static string Sentence(PolicyDecision decision, Address token)
    {
        PolicyRule rule = decision.Rule;
        return rule switch
        {
            PolicyRule.None => "nothing",
            PolicyRule.Denied => "denied: the peer is on the deny list",
            PolicyRule.AcceptNobody => "accept-nobody: channels are accepted from nobody",
            PolicyRule.NotListed => "not-listed: channels are accepted only from peers on the allow list",
            PolicyRule.Token => "token: the channel's token is not allowed",
            PolicyRule.SmallestPayment => $"smallest-payment: {Of(decision.Value)}, expected at least {Of(decision.Limit)}",
            _ => $"{NameOf(decision.Rule)}: it would be {Of(decision.Value)}, expected at most {Of(decision.Limit)}",
        };

        string Of(UInt128 value) => IsAmount(rule) ? AmountWords.Of(value, token) : value.ToString();
    }

    /// <summary>Whether its value and limit are in smallest units of a token; others are counts.</summary>
    private static bool IsAmount(PolicyRule rule) => rule is
        PolicyRule.Deposit or PolicyRule.SmallestPayment or PolicyRule.Exposure or PolicyRule.SumPerMinute or PolicyRule.SumPerDay;
}
