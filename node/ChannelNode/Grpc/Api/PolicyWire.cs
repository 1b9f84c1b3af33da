using System.Globalization;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>An operator's policy in NodeService's words.</summary>
internal static class PolicyWire
{
    private const uint ChannelsMax = 1_000_000;
    private const uint CountMax = uint.MaxValue - 1;
    private const int TokensMax = 256;
    private const string None = "none";

    public static Wire.PolicyRules Write(PolicyRules rules)
    {
        Wire.PolicyRules said = new()
        {
            Accept = (Wire.AcceptFrom)(rules.Accept ?? 0),
            OnlyTokens = rules.Tokens is not null,
        };
        if (rules.ChannelsMax is { } channels) said.ChannelsMax = channels;
        if (rules.CountPerMinuteMax is { } perMinute) said.CountPerMinuteMax = perMinute;
        if (rules.CountPerDayMax is { } perDay) said.CountPerDayMax = perDay;
        said.Tokens.AddRange((rules.Tokens ?? []).Select(token => token.ToString()));
        said.Amounts.AddRange(rules.Amounts.OrderBy(it => it.Key.ToString(), StringComparer.Ordinal).Select(it => Write(it.Key, it.Value)));
        return said;
    }

    private static Wire.AmountRules Write(Address token, AmountRules amounts) => new()
    {
        Token = token.ToString(),
        DepositMax = Write(amounts.DepositMax),
        PaymentMin = Write(amounts.PaymentMin),
        ExposureMax = Write(amounts.ExposureMax),
        SumPerMinuteMax = Write(amounts.SumPerMinuteMax),
        SumPerDayMax = Write(amounts.SumPerDayMax),
    };

    private static string Write(UInt128? amount) => amount?.ToString() ?? string.Empty;

    /// <summary>What holds together, as rules: no limit is said by nothing.</summary>
    public static Wire.PolicyRules Write(in PeerLimits limits, Address token) => Write(new PolicyRules
    {
        Accept = limits.Accept,
        ChannelsMax = Said(limits.ChannelsMax),
        CountPerMinuteMax = Said(limits.CountPerMinuteMax),
        CountPerDayMax = Said(limits.CountPerDayMax),
        Tokens = limits.TakesToken ? null : [],
        Amounts = new Dictionary<Address, AmountRules>
        {
            [token] = new()
            {
                DepositMax = Said(limits.DepositMax),
                PaymentMin = limits.PaymentMin == UInt128.Zero ? null : limits.PaymentMin,
                ExposureMax = Said(limits.ExposureMax),
                SumPerMinuteMax = Said(limits.SumPerMinuteMax),
                SumPerDayMax = Said(limits.SumPerDayMax),
            },
        },
    });

    private static uint? Said(uint limit) => limit == uint.MaxValue ? null : limit;

    private static UInt128? Said(UInt128 limit) => limit == UInt128.MaxValue ? null : limit;

    public static Wire.PolicyUse Write(in PeerUse use) => new()
    {
        MinuteSum = use.MinuteSum.ToString(),
        MinuteCount = use.MinuteCount,
        DaySum = use.DaySum.ToString(),
        DayCount = use.DayCount,
    };

    /// <param name="ofTokens">Also what access tokens may do.</param>
    public static Wire.PolicyAuditEntry Write(PolicyAuditEntry entry, bool ofTokens)
    {
        bool isAllowed = entry.Decision.IsAllowed;
        return new Wire.PolicyAuditEntry
        {
            Cursor = entry.Cursor,
            TimeMs = (ulong)entry.TimeMs,
            Kind = (Wire.PolicyAuditKind)entry.Kind,
            Peer = entry.Peer.IsZero ? string.Empty : entry.Peer.ToString(),
            ChannelId = entry.Channel == default ? string.Empty : entry.Channel.ToString(),
            Token = entry.Kind is PolicyAuditKind.ChannelAccepted || !isAllowed ? entry.Token.ToString() : string.Empty,
            Tier = entry.Tier,
            Rule = isAllowed ? string.Empty : PolicyWords.NameOf(entry.Decision.Rule),
            Value = isAllowed ? string.Empty : entry.Decision.Value.ToString(),
            Limit = isAllowed ? string.Empty : entry.Decision.Limit.ToString(),
            Count = entry.Count,
            Detail = ofTokens || !IsOfToken(entry.Kind) ? entry.Detail : entry.Detail.Split(" (")[0],
            Actor = entry.Actor,
        };
    }

    private static bool IsOfToken(PolicyAuditKind kind) =>
        kind is PolicyAuditKind.AccessTokenCreated or PolicyAuditKind.AccessTokenChanged or PolicyAuditKind.AccessTokenRevoked;

    public static IEnumerable<Wire.PolicyPeer> WritePeers(PolicyView view)
    {
        Dictionary<Address, PolicyFact.Standing> standings = view.Standings.ToDictionary(it => it.Peer);
        foreach (Address peer in standings.Keys.Union(view.Peers.Keys).OrderBy(it => it.ToString(), StringComparer.Ordinal))
        {
            Wire.PolicyPeer said = new() { Peer = peer.ToString() };
            if (view.Peers.TryGetValue(peer, out PolicyRules? rules)) said.Rules = Write(rules);
            if (standings.TryGetValue(peer, out PolicyFact.Standing? standing))
            {
                (said.Tier, said.SinceSeconds, said.ValidUntilSeconds) = (standing.Tier, standing.SinceSeconds, standing.ValidUntilSeconds);
                if (!standing.Attestor.IsZero)
                    (said.Attestor, said.Attestation) = (standing.Attestor.ToString(), standing.Attestation.ToString());
            }

            yield return said;
        }
    }

    /// <summary>The change that a request asks for, checked; and what it says, for the audit log.</summary>
    public static (Func<PolicyRules, PolicyRules> Change, string What) ReadChange(Wire.SetPolicyRequest request)
    {
        List<string> what = [];
        Asked<AcceptFrom> accept = Read<AcceptFrom>(request.Accept, "accept", what, from => from.ToString().ToLowerInvariant(), "anyone, listed, nobody or none", ReadAccept);
        Asked<uint> channels = ReadCount(request.ChannelsMax, "channels_max", ChannelsMax, what);
        Asked<uint> perMinute = ReadCount(request.CountPerMinuteMax, "count_per_minute_max", CountMax, what);
        Asked<uint> perDay = ReadCount(request.CountPerDayMax, "count_per_day_max", CountMax, what);
        IReadOnlyList<Address>? tokens = ReadAccessTokens(request, what);
        (Address token, Func<AmountRules, AmountRules> amounts) = ReadAmounts(request.Amounts, what);
        return (
            rules => rules with
            {
                Accept = accept.Over(rules.Accept),
                ChannelsMax = channels.Over(rules.ChannelsMax),
                CountPerMinuteMax = perMinute.Over(rules.CountPerMinuteMax),
                CountPerDayMax = perDay.Over(rules.CountPerDayMax),
                Tokens = request.AnyToken ? null : tokens ?? rules.Tokens,
                Amounts = With(rules.Amounts, token, amounts(rules.Amounts.GetValueOrDefault(token, new AmountRules()))),
            },
            string.Join("; ", what));
    }

    private static Dictionary<Address, AmountRules> With(
        IReadOnlyDictionary<Address, AmountRules> all, Address token, AmountRules amounts)
    {
        Dictionary<Address, AmountRules> next = new(all);
        if (amounts.IsEmpty) next.Remove(token);
        else next[token] = amounts;
        if (next.Count > TokensMax) throw Fields.Invalid("amounts", $"{next.Count} tokens", $"at most {TokensMax} tokens with limits");
        return next;
    }

    /// <summary>A field that leaves as it is, says nothing any more, or says something else.</summary>
    private readonly record struct Asked<T>(bool IsAsked, T? Value)
        where T : struct
    {
        public T? Over(T? before) => IsAsked ? Value : before;
    }

    private delegate bool TryRead<T>(string text, out T value);

    private static Asked<T> Read<T>(string text, string field, List<string> what, Func<T, string> show, string expected, TryRead<T> read)
        where T : struct
    {
        if (text.Length == 0) return default;
        T? asked = text == None ? null : read(text, out T value) ? value : throw Fields.Invalid(field, text, expected);
        what.Add($"{field} {(asked is { } some ? show(some) : None)}");
        return new Asked<T>(true, asked);
    }

    private static Asked<uint> ReadCount(string text, string field, uint max, List<string> what) => Read(
        text, field, what, count => $"{count}", $"0 to {max}, or none",
        (string said, out uint value) =>
            uint.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value <= max);

    private static bool ReadAccept(string text, out AcceptFrom accept)
    {
        accept = text switch { "anyone" => AcceptFrom.Anyone, "listed" => AcceptFrom.Listed, "nobody" => AcceptFrom.Nobody, _ => 0 };
        return accept != 0;
    }

    private static List<Address>? ReadAccessTokens(Wire.SetPolicyRequest request, List<string> what)
    {
        if (request.AnyToken) what.Add("any token");
        if (request.Tokens.Count == 0) return null;
        if (request.AnyToken) throw Fields.Invalid("tokens", request.Tokens[0], "no tokens together with any_token");
        if (request.Tokens.Count > TokensMax) throw Fields.Invalid("tokens", $"{request.Tokens.Count} tokens", $"at most {TokensMax}");
        what.Add($"only tokens {string.Join(", ", request.Tokens)}");
        return [.. request.Tokens.Select(token => Fields.ReadAddress(token, "tokens")).Distinct()];
    }

    private static (Address Token, Func<AmountRules, AmountRules> Change) ReadAmounts(Wire.AmountRules? said, List<string> what)
    {
        if (said is null) return (Address.Zero, amounts => amounts);
        Address token = Fields.ReadAddress(said.Token, "amounts.token", emptyIsZero: true);
        int before = what.Count;
        Asked<UInt128> deposit = ReadAmount(said.DepositMax, "deposit_max", token, what);
        Asked<UInt128> payment = ReadAmount(said.PaymentMin, "payment_min", token, what);
        Asked<UInt128> exposure = ReadAmount(said.ExposureMax, "exposure_max", token, what);
        Asked<UInt128> perMinute = ReadAmount(said.SumPerMinuteMax, "sum_per_minute_max", token, what);
        Asked<UInt128> perDay = ReadAmount(said.SumPerDayMax, "sum_per_day_max", token, what);
        if (what.Count > before) what.Add(token.IsZero ? "in ether" : $"in token {token}");
        return (token, amounts => new AmountRules
        {
            DepositMax = deposit.Over(amounts.DepositMax),
            PaymentMin = payment.Over(amounts.PaymentMin),
            ExposureMax = exposure.Over(amounts.ExposureMax),
            SumPerMinuteMax = perMinute.Over(amounts.SumPerMinuteMax),
            SumPerDayMax = perDay.Over(amounts.SumPerDayMax),
        });
    }

    private static Asked<UInt128> ReadAmount(string text, string field, Address token, List<string> what) => Read(
        text, field, what, amount => AmountWords.Of(amount, token), $"0 to {Amounts.Max} (2^112 - 1) in smallest units, or none",
        (string said, out UInt128 value) => Fields.TryReadAmount(said, out value) is Refusal.None or Refusal.ZeroAmount);

    /// <summary>A name that can stand in commands and files.</summary>
    public static string ReadTier(string text) =>
        text.Length is > 0 and <= Policies.TierBytesMax && !text.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789-")
            ? text
            : throw Fields.Invalid("tier", text, $"1 to {Policies.TierBytesMax} of a-z, 0-9 and -");

    public static string ReadComment(string text) => Encoding.UTF8.GetByteCount(text) <= Policies.CommentBytesMax
        ? text
        : throw Fields.Invalid("comment", text, $"at most {Policies.CommentBytesMax} bytes");

    public static PeerList ReadList(Wire.PeerList list) => list is Wire.PeerList.Allow or Wire.PeerList.Deny
        ? (PeerList)list
        : throw Fields.Invalid("list", list.ToString(), "allow or deny");

    /// <summary>A peer, which has a signer and so is never zero.</summary>
    public static Address ReadPeer(string text)
    {
        Address peer = Fields.ReadAddress(text, "peer");
        return peer.IsZero ? throw Fields.Invalid("peer", text, "the address of a signer") : peer;
    }

    public static Signature ReadSignature(string text)
    {
        bool fits = text.Length == 2 + 2 * Signature.Size && text.StartsWith("0x", StringComparison.Ordinal)
            && !text.AsSpan(2).ContainsAnyExcept("0123456789abcdefABCDEF");
        return fits
            ? Signature.Read(Convert.FromHexString(text.AsSpan(2)))
            : throw Fields.Invalid("signature", text, $"0x and {2 * Signature.Size} hex digits");
    }
}
