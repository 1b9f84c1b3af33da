using System.Text;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>Where contract and core first differ; the index of a step, or one beyond the last for what is left at the end.</summary>
internal sealed record Difference(int Step, string Text);

/// <summary>One script on the contract and on the core: each step is a block of its own, at its own time.</summary>
internal sealed class Run(World world, ScriptChain chain, Script script, ulong startSeconds)
{
    private static readonly UInt128 Wealth = UInt128.One << 120;

    /// <summary>Answers an account's wei.</summary>
    private static readonly (Address Place, string Code) Probe = (new Address(0xba1a9ce, 0, 1), "0x5f35315f5260205ff3");

    private const string RevertingCode = "0x5f5ffd";

    private readonly Model _model = new(world, script.Terms);
    private readonly List<(Outcome Expected, Outcome Given, Pots Pots)> _steps = [];

    private IEnumerable<Address> Accounts =>
        Enum.GetValues<Actor>().Select(actor => world[actor].Address).Append(world.Contract);

    public async Task<Difference?> CompareAsync()
    {
        var blocks = new List<ScriptBlock> { SetUp() };
        var expected = new List<(Outcome Outcome, Pots Pots)>();
        ulong now = startSeconds;
        foreach (Step step in script.Steps)
        {
            now += step.AfterSeconds;
            blocks.Add(Block(step, now));
            expected.Add((_model.Do(step, now), _model.Pots));
        }

        blocks.Add(new ScriptBlock(now + 1, [], [.. Remains().Select(remains => remains.Call)]));
        IReadOnlyList<IReadOnlyList<ScriptResult>> results = await chain(blocks);
        if (!results[0].All(result => result.Succeeded)) throw new InvalidOperationException("the script could not be set up");
        return Compare(expected, results) ?? CompareRemains(results[^1]);
    }

    /// <summary>Step by step, what was expected and what came.</summary>
    public string Tell()
    {
        var text = new StringBuilder().Append(script.Terms).AppendLine();
        for (int i = 0; i < script.Steps.Count; i++)
        {
            text.Append(i).Append(": ").Append(script.Steps[i]).AppendLine();
            if (i >= _steps.Count) continue;
            (Outcome expected, Outcome given, Pots pots) = _steps[i];
            text.Append("   core:     ").Append(expected).AppendLine();
            text.Append("   contract: ").Append(given).Append(' ').Append(pots).AppendLine();
        }

        return text.ToString();
    }

    /// <summary>All are rich; all but the outsider let the contract take it.</summary>
    private ScriptBlock SetUp()
    {
        var changes = new List<(Address, UInt128?, string?)> { (Probe.Place, null, Probe.Code) };
        var calls = new List<ScriptCall>();
        Address token = script.Terms.Token;
        foreach (Actor actor in Enum.GetValues<Actor>())
        {
            Address account = world[actor].Address;
            changes.Add((account, Wealth, "0x"));
            if (token.IsZero) continue;
            calls.Add(Send(account, new Call(token, 0, EndToEnd.AnvilFixture.MintCall(account, Wealth))));
            if (actor != Actor.Outsider) calls.Add(Send(account, new Call(token, 0, Approval())));
        }

        return new ScriptBlock(startSeconds, changes, calls);
    }

    /// <summary>Of more than any 128 bits: an allowance that does not shrink.</summary>
    private byte[] Approval()
    {
        byte[] data = TokenCalls.Approve(world.Contract, 0);
        data.AsSpan(4 + AbiWriter.Word).Fill(0xff);
        return data;
    }

    private ScriptBlock Block(Step step, ulong now)
    {
        List<(Address, UInt128?, string?)> changes = step is Step.Refuse refuse
            ? [(world[refuse.By].Address, null, refuse.Refuses ? RevertingCode : "0x")]
            : [];
        var calls = new List<ScriptCall>();
        if (Calls.Of(world, _model, step, now) is { } call) calls.Add(Send(world[step.By].Address, call));
        calls.Add(Ask(world.Contract, PaymentChannelsCalls.Sides(_model.Id)));
        return new ScriptBlock(now, changes, calls);
    }

    private static ScriptCall Send(Address from, Call call) => new(from, call, Asks: false);

    private static ScriptCall Ask(Address to, byte[] data) => new(Address.Zero, new Call(to, 0, data), Asks: true);

    private Difference? Compare(
        List<(Outcome Outcome, Pots Pots)> expected, IReadOnlyList<IReadOnlyList<ScriptResult>> results)
    {
        for (int i = 0; i < expected.Count; i++)
        {
            IReadOnlyList<ScriptResult> here = results[i + 1];
            Outcome given = here.Count == 2 ? Read(here[0]) : Outcome.None;
            Pots pots = PaymentChannelsCalls.ReadSides(here[^1].Data);
            _steps.Add((expected[i].Outcome, given, pots));
            if (!expected[i].Outcome.Equals(given))
                return new Difference(i, $"core: {expected[i].Outcome}, contract: {given}");
            if (expected[i].Pots != pots) return new Difference(i, $"core: {expected[i].Pots}, contract: {pots}");
        }

        return null;
    }

    private Outcome Read(ScriptResult result)
    {
        if (!result.Succeeded) return Outcome.Of(RevertReason.Decode(result.Data).Refusal);

        var events = new List<ChainEvent>();
        var skipped = new List<Refusal>();
        foreach (JsonElement log in result.Logs)
        {
            if (Quantity.ToAddress(log.GetProperty("address").GetString(), "log") != world.Contract) continue;
            Bytes32[] topics =
                [.. log.GetProperty("topics").EnumerateArray().Select(topic => Quantity.ToBytes32(topic.GetString(), "topic"))];
            byte[] data = Hex.Parse(log.GetProperty("data").GetString())!;
            if (PaymentChannelsEvents.Decode(topics, data) is { } seen) events.Add(seen);
            if (PaymentChannelsEvents.DecodeNotice(topics, data) is ContractNotice.ClaimSkipped row) skipped.Add(row.Reason);
        }

        return new Outcome(Refusal.None, events, skipped);
    }

    /// <summary>What every account holds and what waits for it, in the end.</summary>
    private IEnumerable<(string Name, ScriptCall Call, UInt128 Expected)> Remains()
    {
        Address token = script.Terms.Token;
        foreach (Address account in Accounts)
        {
            UInt128 before = account == world.Contract ? 0 : Wealth;
            Int128 gain = account == world.Contract ? Held() : _model.GainOf(account);
            ScriptCall call = token.IsZero
                ? Ask(Probe.Place, new AbiWriter(1).Account(account).ToArray([]))
                : Ask(token, TokenCalls.BalanceOf(account));
            yield return ($"balance of {account}", call, (UInt128)((Int128)before + gain));
            yield return (
                $"credit of {account}",
                Ask(world.Contract, PaymentChannelsCalls.CreditOf(account, token)),
                _model.CreditOf(account));
        }
    }

    /// <summary>Pots and credits: what the contract has of it more than before.</summary>
    private Int128 Held() => (Int128)Accounts.Aggregate(
        _model.Pots.PotA + _model.Pots.PotB, (sum, account) => sum + _model.CreditOf(account));

    private Difference? CompareRemains(IReadOnlyList<ScriptResult> results)
    {
        foreach (((string name, ScriptCall _, UInt128 expected), ScriptResult result) in Remains().Zip(results))
        {
            UInt128 given = TokenCalls.ReadAmount(result.Data);
            if (expected != given)
                return new Difference(script.Steps.Count, $"{name}: core {expected}, contract {given}");
        }

        return null;
    }
}
