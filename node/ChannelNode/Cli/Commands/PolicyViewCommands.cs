using System.CommandLine;
using ChannelNode.Proto.V1;
using Address = ChannelNode.Core.Address;
using ChainWords = ChannelNode.Engine.ChainWords;
using Plural = ChannelNode.Engine.Plural;

namespace ChannelNode.Cli;

/// <summary>policy show, policy explain</summary>
internal static class PolicyViewCommands
{
    public static CliCommand Show(CommandShell shell) => shell.Asks(
        new CliCommand("show", "Shows tiers and their rules, peers with rules or a tier of their own, and attestors.", "channelnode policy show"),
        async (parsed, node, terminal, cancel) =>
        {
            GetPolicyResponse policy = await node.Client.GetPolicyAsync(new GetPolicyRequest(), cancellationToken: cancel);
            if (terminal.Json) terminal.Document(policy);
            else await ShowAsync(policy, shell.UnitsOf(parsed, node), terminal, cancel);
            return ExitCode.Done;
        });

    private static async Task ShowAsync(GetPolicyResponse policy, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        foreach (PolicyTier tier in policy.Tiers) terminal.Line($"tier {tier.Name}: {await SentenceAsync(tier.Rules, units, cancel)}");
        foreach (PolicyPeer peer in policy.Peers)
        {
            string tier = peer.Tier.Length == 0 ? "" : $", tier {peer.Tier}{Until(peer.ValidUntilSeconds)}"
                + (peer.Attestor.Length == 0 ? " by the operator" : $" by {peer.Attestor}, attestation {peer.Attestation}");
            string rules = peer.Rules is null ? "" : $", own rules: {await SentenceAsync(peer.Rules, units, cancel)}";
            terminal.Line($"peer {peer.Peer}{tier}{rules}");
        }

        foreach (PolicyAttestor attestor in policy.Attestors) terminal.Line($"attestor {attestor.Attestor}  {attestor.Comment}");
        terminal.Line($"{policy.Allowed} on the allow list, {policy.Denied} on the deny list; audit log up to {policy.AuditCursor}");
    }

    private static string Until(ulong seconds) =>
        seconds == 0 ? "" : $" until {ChainWords.Time(seconds)}";

    private static async Task<string> SentenceAsync(PolicyRules rules, TokenUnits units, CancellationToken cancel)
    {
        List<string> said = [];
        if (rules.Accept != AcceptFrom.Unspecified) said.Add($"channels from {rules.Accept.ToString().ToLowerInvariant()}");
        if (rules.HasChannelsMax) said.Add($"at most {Plural.Of(rules.ChannelsMax, "channel")}");
        if (rules.HasCountPerMinuteMax) said.Add($"{Plural.Of(rules.CountPerMinuteMax, "payment")} a minute");
        if (rules.HasCountPerDayMax) said.Add($"{Plural.Of(rules.CountPerDayMax, "payment")} a day");
        if (rules.OnlyTokens) said.Add(rules.Tokens.Count == 0 ? "not in this token" : $"only tokens {string.Join(", ", rules.Tokens)}");
        foreach (AmountRules amounts in rules.Amounts)
        {
            TokenUnit unit = await units.OfAsync(amounts.Token, cancel);
            Add("deposits up to", amounts.DepositMax);
            Add("payments from", amounts.PaymentMin);
            Add("exposure up to", amounts.ExposureMax);
            Add("a minute up to", amounts.SumPerMinuteMax);
            Add("a day up to", amounts.SumPerDayMax);

            void Add(string what, string limit)
            {
                if (limit.Length > 0) said.Add($"{what} {unit.Show(limit)}");
            }
        }

        return said.Count == 0 ? "no limits" : string.Join(", ", said);
    }

    public static CliCommand Explain(CommandShell shell)
    {
        Option<Address> peer = Fields.Address("--peer", "The peer's signer");
        peer.Required = true;
        Option<Address> token = Fields.Address("--token", "What the amount is in; ether when not given");
        Option<AskedAmount> deposit = Fields.Amount("--deposit", "Would a side of a channel be allowed to hold this");
        Option<AskedAmount> receive = Fields.Amount("--receive", "Would a payment of the peer be accepted");
        Option<AskedAmount> send = Fields.Amount("--send", "Would a payment to the peer be made");
        var command = new CliCommand(
            "explain", "Says which rule decides, with value and limit, and shows the peer's newest refusals. Asks about a channel "
            + "that the peer offers when nothing else is asked.",
            "channelnode policy explain --peer 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --receive '0.3 ETH'")
        { peer, token, deposit, receive, send };
        command.Validators.Add(result =>
        {
            if (new Option<AskedAmount>[] { deposit, receive, send }.Count(option => result.GetResult(option) is not null) > 1)
                result.AddError("--deposit: give one of --deposit, --receive and --send");
        });
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            TokenUnit unit = await shell.UnitsOf(parsed, node).OfAsync(parsed.GetValue(token), cancel);
            ExplainPolicyRequest request = new()
            {
                Peer = parsed.GetValue(peer).ToString(),
                Token = parsed.GetValue(token).ToString(),
                Proposal = true,
            };
            if (parsed.GetResult(deposit) is not null) request.Deposit = Read(deposit);
            if (parsed.GetResult(receive) is not null) request.Receive = Read(receive);
            if (parsed.GetResult(send) is not null) request.Send = Read(send);
            ExplainPolicyResponse answer = await node.Client.ExplainPolicyAsync(request, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(answer);
            else await ShowAsync(answer, unit, shell.UnitsOf(parsed, node), terminal, cancel);
            return ExitCode.Done;

            string Read(Option<AskedAmount> option) => parsed.GetValue(option).In(unit, option.Name).ToString();
        });
    }

    private static async Task ShowAsync(
        ExplainPolicyResponse answer, TokenUnit unit, TokenUnits units, Terminal terminal, CancellationToken cancel)
    {
        terminal.Line(answer.Allowed
            ? "allowed: no rule says no"
            : $"refused by {(answer.ByPeer ? "the peer's own rule, which it has told," : "rule")} {answer.Rule}"
                + (answer is { Value: "0", Limit: "0" } ? "" : $": {InUnit(answer.Rule, answer.Value, unit)}, limit {InUnit(answer.Rule, answer.Limit, unit)}"));
        terminal.Line($"tier {answer.Tier}{Until(answer.TierUntilSeconds)}: {await SentenceAsync(answer.Rules, units, cancel)}");
        terminal.Line($"received {Used(answer.Received, unit)}; sent {Used(answer.Sent, unit)}");
        terminal.Line($"exposure {unit.Show(answer.Exposure)}, channels {answer.Channels} (counted while somebody's are limited)");
        foreach (PolicyAuditEntry refusal in answer.Refusals) await PolicyAuditCommand.PrintAsync(refusal, units, terminal, cancel);
    }

    private static string Used(PolicyUse use, TokenUnit unit) =>
        $"{unit.Show(use.MinuteSum)} in {Plural.Of(use.MinuteCount, "payment")} this minute, {unit.Show(use.DaySum)} in {use.DayCount} this day";

    /// <summary>Counts have no unit.</summary>
    public static string InUnit(string rule, string value, TokenUnit unit) =>
        rule is "deposit" or "smallest-payment" or "exposure" or "sum-per-minute" or "sum-per-day" ? unit.Show(value) : value;
}
