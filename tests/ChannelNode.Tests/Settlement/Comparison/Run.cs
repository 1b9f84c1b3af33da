using System.Text;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Settlement;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>Where contract and core first differ; the index of a step, or one beyond the last for what is left at the end.</summary>
internal sealed record Difference(int Step, string Text);

/// <summary>
/// One script on the contract and on the core. The chain executes it in one request (eth_simulateV1): each step is a
/// block of its own at its own time, from whoever calls, on the chain's state, of which nothing remains.
/// </summary>
internal sealed class Run(World world, Script script, ulong startSeconds)
{
    private static readonly UInt128 Wealth = UInt128.One << 120;

    /// <summary>Answers an account's wei: at a place that holds nothing else, for the time of a simulation.</summary>
    private static readonly (string Place, string Code) Probe =
        ("0x00000000000000000000000000000000ba1a9ce0", "0x5f35315f5260205ff3");

    private const string RevertingCode = "0x5f5ffd";

    private readonly Model _model = new(world, script.Terms);
    private readonly List<(Outcome Expected, Outcome Given, Pots Pots)> _steps = [];

    private IEnumerable<Address> Accounts =>
        Enum.GetValues<Actor>().Select(actor => world[actor].Address).Append(world.Contract);

    public async Task<Difference?> CompareAsync()
    {
        var blocks = new List<object> { SetUp() };
        var expected = new List<(Outcome Outcome, Pots Pots)>();
        ulong now = startSeconds;
        foreach (Step step in script.Steps)
        {
            now += step.AfterSeconds;
            blocks.Add(Block(step, now));
            expected.Add((_model.Do(step, now), _model.Pots));
        }

        blocks.Add(new { calls = Remains().Select(remains => remains.Call).ToArray() });
        JsonElement answer = await world.Anvil.RpcAsync<JsonElement>(
            "eth_simulateV1", new { blockStateCalls = blocks, validation = false }, "latest");
        JsonElement[] answered = [.. answer.EnumerateArray()];
        RequireSetUp(answered[0]);
        return Compare(expected, answered) ?? CompareRemains(answered[^1]);
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
    private object SetUp()
    {
        var overrides = new Dictionary<string, object> { [Probe.Place] = new { code = Probe.Code } };
        var calls = new List<object>();
        foreach (Actor actor in Enum.GetValues<Actor>())
        {
            Address account = world[actor].Address;
            overrides[account.ToString()] = new { balance = Quantity.Format(Wealth) };
            if (script.Terms.Token.IsZero) continue;
            calls.Add(CallOf(account, script.Terms.Token, 0, EndToEnd.AnvilFixture.MintCall(account, Wealth)));
            if (actor != Actor.Outsider)
                calls.Add(CallOf(account, script.Terms.Token, 0, Approval()));
        }

        return new
        {
            stateOverrides = overrides,
            blockOverrides = new { time = Quantity.Format(startSeconds) },
            calls,
        };
    }

    /// <summary>Of more than any 128 bits: an allowance that does not shrink.</summary>
    private byte[] Approval()
    {
        byte[] data = TokenCalls.Approve(world.Contract, 0);
        data.AsSpan(4 + AbiWriter.Word).Fill(0xff);
        return data;
    }

    private object Block(Step step, ulong now)
    {
        var overrides = new Dictionary<string, object>();
        if (step is Step.Refuse refuse)
            overrides[world[refuse.By].Address.ToString()] = new { code = refuse.Refuses ? RevertingCode : "0x" };
        var calls = new List<object>();
        if (Calls.Of(world, _model, step, now) is { } call)
            calls.Add(CallOf(world[step.By].Address, call.To!.Value, call.Value, call.Data.Span));
        calls.Add(CallOf(Address.Zero, world.Contract, 0, PaymentChannelsCalls.Sides(_model.Id)));
        return new
        {
            stateOverrides = overrides,
            blockOverrides = new { time = Quantity.Format(now) },
            calls,
        };
    }

    private static object CallOf(Address from, Address to, UInt128 value, ReadOnlySpan<byte> data) => new
    {
        from = from.ToString(),
        to = to.ToString(),
        value = Quantity.Format(value),
        data = Hex.Format(data),
    };

    private Difference? Compare(List<(Outcome Outcome, Pots Pots)> expected, JsonElement[] answered)
    {
        for (int i = 0; i < expected.Count; i++)
        {
            JsonElement[] results = [.. answered[i + 1].GetProperty("calls").EnumerateArray()];
            Outcome given = results.Length == 2 ? Read(results[0]) : Outcome.None;
            Pots pots = PaymentChannelsCalls.ReadSides(Returned(results[^1]));
            _steps.Add((expected[i].Outcome, given, pots));
            if (!expected[i].Outcome.Equals(given))
                return new Difference(i, $"core: {expected[i].Outcome}, contract: {given}");
            if (expected[i].Pots != pots) return new Difference(i, $"core: {expected[i].Pots}, contract: {pots}");
        }

        return null;
    }

    private Outcome Read(JsonElement result)
    {
        if (result.GetProperty("status").GetString() != "0x1")
        {
            RevertReason reason = RevertReason.Decode(Returned(result));
            return Outcome.Of(reason.Refusal);
        }

        var events = new List<ChainEvent>();
        var skipped = new List<Refusal>();
        foreach (JsonElement log in result.GetProperty("logs").EnumerateArray())
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
    private IEnumerable<(string Name, object Call, UInt128 Expected)> Remains()
    {
        Address token = script.Terms.Token;
        foreach (Address account in Accounts)
        {
            UInt128 before = account == world.Contract ? 0 : Wealth;
            Int128 gain = account == world.Contract ? Held() : _model.GainOf(account);
            object call = token.IsZero
                ? new { to = Probe.Place, data = Hex.Format(new AbiWriter(1).Account(account).ToArray([])) }
                : CallOf(Address.Zero, token, 0, TokenCalls.BalanceOf(account));
            yield return ($"balance of {account}", call, (UInt128)((Int128)before + gain));
            yield return (
                $"credit of {account}",
                CallOf(Address.Zero, world.Contract, 0, PaymentChannelsCalls.CreditOf(account, token)),
                _model.CreditOf(account));
        }
    }

    /// <summary>Pots and credits: what the contract has of it more than before.</summary>
    private Int128 Held() => (Int128)Accounts.Aggregate(
        _model.Pots.PotA + _model.Pots.PotB, (sum, account) => sum + _model.CreditOf(account));

    private Difference? CompareRemains(JsonElement answered)
    {
        foreach (((string name, object _, UInt128 expected), JsonElement result)
            in Remains().Zip(answered.GetProperty("calls").EnumerateArray()))
        {
            UInt128 given = TokenCalls.ReadAmount(Returned(result));
            if (expected != given)
                return new Difference(script.Steps.Count, $"{name}: core {expected}, contract {given}");
        }

        return null;
    }

    private static void RequireSetUp(JsonElement answered)
    {
        foreach (JsonElement result in answered.GetProperty("calls").EnumerateArray())
        {
            if (result.GetProperty("status").GetString() != "0x1")
                throw new InvalidOperationException($"the script could not be set up: {result}");
        }
    }

    private static byte[] Returned(JsonElement result) => Hex.Parse(result.GetProperty("returnData").GetString())!;
}
