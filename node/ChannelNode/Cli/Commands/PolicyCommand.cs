using System.CommandLine;
using ChannelNode.Proto.V1;
using Address = ChannelNode.Core.Address;

namespace ChannelNode.Cli;

/// <summary>policy: what the operator allows peers, and why something was refused.</summary>
internal static class PolicyCommand
{
    private const uint ChannelsMax = 1_000_000;

    public static CliCommand Create(CommandShell shell) =>
        new("policy", "What this node allows its peers: tiers with limits, lists, and an audit log of every decision.",
            "channelnode policy show")
        {
            PolicyViewCommands.Show(shell),
            Set(shell),
            PolicyViewCommands.Explain(shell),
            Tier(shell),
            PolicyAttestationCommands.Create(shell),
            PolicyListCommands.Of(shell, PeerList.Allow, "allow", "Peers whose channels are accepted where only listed ones are."),
            PolicyListCommands.Of(shell, PeerList.Deny, "deny", "Peers with whom nothing new is done; closing goes on. Where one has signed what is refused then, a close by consent waits until it is off the list."),
            PolicyListCommands.Import(shell),
            PolicyAuditCommand.Create(shell),
        };

    public static Argument<Address> Peer() => Fields.AddressArgument("peer", "The peer's signer");

    private static CliCommand Set(CommandShell shell)
    {
        Option<string> tier = Fields.Text("--tier", "Whose rules: a tier's", 1, 32);
        var isNew = new Option<bool>("--new") { Description = "Make the tier, which must not be there; without it a name that is none is refused" };
        Option<Address> peer = Fields.Address("--peer", "Or one peer's own, which come before its tier's");
        Option<string> accept = Fields.OneOf("--accept", "Whose channels are accepted", "anyone", "listed", "nobody", "none");
        Option<string> channels = Fields.CountOrNone("--channels-max", "Channels of one peer that are not closed", ChannelsMax);
        Option<string> perMinute = Fields.CountOrNone("--count-per-minute", "Payments in a minute, in each direction", uint.MaxValue - 1);
        Option<string> perDay = Fields.CountOrNone("--count-per-day", "The same in a day", uint.MaxValue - 1);
        Option<Address[]> onlyTokens = Fields.Addresses("--only-token", "Only this token is allowed (zero: ether); may be given several times");
        var anyToken = new Option<bool>("--any-token") { Description = "Any token that the node accepts is allowed" };
        Option<Address> token = Fields.Address("--token", "What the amounts are in; ether when not given");
        AmountOptions amounts = new();
        var remove = new Option<bool>("--remove") { Description = "Take all rules away: a tier that nobody is in, or a peer's own" };
        var command = new CliCommand(
            "set", "Changes rules; what is not named stays, and 'none' takes a limit away. Holds from the next decision on.",
            "channelnode policy set --tier unverified --deposit-max '1 ETH' --sum-per-day '0.2 ETH' --channels-max 3\n"
            + "channelnode policy set --tier verified --accept anyone --exposure-max none\n"
            + "channelnode policy set --tier friends --new --sum-per-day '5 ETH'")
        { tier, isNew, peer, accept, channels, perMinute, perDay, onlyTokens, anyToken, token, remove };
        amounts.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(tier) is null == result.GetResult(peer) is null)
                result.AddError("--tier: give a tier, or --peer, one of both");
            if (result.GetValue(isNew) && result.GetResult(peer) is not null) result.AddError("--new: goes with --tier: a peer's rules are its own");
            if (result.GetValue(isNew) && result.GetValue(remove)) result.AddError("--new: goes without --remove");
            bool isWhole = result.GetValue(isNew) || result.GetValue(anyToken) || result.GetValue(remove);
            Option[] changes = [accept, channels, perMinute, perDay, onlyTokens, .. amounts.All];
            if (!isWhole && changes.All(change => result.GetResult(change) is null))
                result.AddError("--tier, --peer: name whose rules change, and nothing is given that changes; for example --sum-per-day '1 ETH'");
        });
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            if (parsed.GetValue(tier) is { } meant) await RequireMeantAsync(node, meant, parsed.GetValue(isNew), cancel);
            TokenUnit unit = await shell.UnitsOf(parsed, node).OfAsync(parsed.GetValue(token), cancel);
            SetPolicyRequest request = new()
            {
                Remove = parsed.GetValue(remove),
                Accept = parsed.GetValue(accept) ?? "",
                ChannelsMax = parsed.GetValue(channels) ?? "",
                CountPerMinuteMax = parsed.GetValue(perMinute) ?? "",
                CountPerDayMax = parsed.GetValue(perDay) ?? "",
                AnyToken = parsed.GetValue(anyToken),
                Amounts = amounts.Read(parsed, unit),
            };
            if (parsed.GetValue(tier) is { } name) request.Tier = name;
            else request.Peer = parsed.GetValue(peer).ToString();
            request.Tokens.AddRange((parsed.GetValue(onlyTokens) ?? []).Select(it => it.ToString()));
            SetPolicyResponse done = await node.Client.SetPolicyAsync(request, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(done);
            else terminal.Line("set; it holds from now on");
            return ExitCode.Done;
        });
    }

    /// <summary>The node makes a tier of any name that it is given: a mistyped one would limit nobody.</summary>
    private static async Task RequireMeantAsync(NodeConnection node, string tier, bool isNew, CancellationToken cancel)
    {
        GetPolicyResponse policy = await node.Client.GetPolicyAsync(new GetPolicyRequest(), cancellationToken: cancel);
        List<string> known = [.. policy.Tiers.Select(it => it.Name)];
        if (known.Contains(tier) == !isNew) return;
        throw isNew
            ? NodeFlags.Wrong("--new", $"--new: there is a tier {tier} already; without --new its rules are changed")
            : NodeFlags.Wrong("--tier", $"--tier: '{tier}' is no tier, expected {string.Join(" or ", known)}; --new makes one");
    }

    private static CliCommand Tier(CommandShell shell)
    {
        Argument<Address> peer = Peer();
        var tier = new Argument<string>("tier") { Description = "The tier, such as verified" };
        Option<uint> hours = Fields.Number("--hours", "For so long; for good when not given", 1u, 876_000u, (uint?)null);
        Option<string> comment = Fields.Text("--comment", "Why, for the audit log", 0, 256);
        var command = new CliCommand(
            "tier", "Moves a peer to a tier. Attestations issued before that count no more.",
            "channelnode policy tier 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 verified --hours 8760 --comment 'passport seen'")
        { peer, tier, hours, comment };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            uint given = parsed.GetValue(hours);
            SetPeerTierRequest request = new()
            {
                Peer = parsed.GetValue(peer).ToString(),
                Tier = parsed.GetValue(tier)!,
                ValidUntilSeconds = given == 0 ? 0 : (ulong)shell.Time.GetUtcNow().AddHours(given).ToUnixTimeSeconds(),
                Comment = parsed.GetValue(comment) ?? "",
            };
            SetPeerTierResponse done = await node.Client.SetPeerTierAsync(request, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(done);
            else terminal.Line($"{request.Peer} is in tier {request.Tier}");
            return ExitCode.Done;
        });
    }

    /// <summary>The limits of amounts, all in one token.</summary>
    private sealed class AmountOptions
    {
        private readonly Option<LimitToSet?> _deposit = Fields.LimitOrNone("--deposit-max", "The most that a side of a channel may hold");
        private readonly Option<LimitToSet?> _payment = Fields.LimitOrNone("--payment-min", "The smallest payment that is accepted");
        private readonly Option<LimitToSet?> _exposure = Fields.LimitOrNone(
            "--exposure-max", "The most that may be received, over all channels, beyond what is recorded on chain");
        private readonly Option<LimitToSet?> _perMinute = Fields.LimitOrNone("--sum-per-minute", "The most in a minute, in each direction");
        private readonly Option<LimitToSet?> _perDay = Fields.LimitOrNone("--sum-per-day", "The same in a day");

        public IReadOnlyList<Option> All => [_deposit, _payment, _exposure, _perMinute, _perDay];

        public void AddTo(CliCommand command)
        {
            foreach (Option option in All) command.Options.Add(option);
        }

        public AmountRules Read(ParseResult parsed, TokenUnit unit) => new()
        {
            Token = unit.Token.ToString(),
            DepositMax = Read(parsed, _deposit, unit),
            PaymentMin = Read(parsed, _payment, unit),
            ExposureMax = Read(parsed, _exposure, unit),
            SumPerMinuteMax = Read(parsed, _perMinute, unit),
            SumPerDayMax = Read(parsed, _perDay, unit),
        };

        private static string Read(ParseResult parsed, Option<LimitToSet?> option, TokenUnit unit) =>
            parsed.GetValue(option)?.In(unit, option.Name) ?? "";
    }
}
