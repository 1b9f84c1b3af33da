using System.Diagnostics;
using ChannelNode.Core;
using ChannelNode.Tests.EndToEnd;
using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>
/// The core's arithmetic against the real contract: random scripts of everything that anyone can call, honest or not,
/// come to the same refusals, events, pots, totals, credits and balances on both. CHANNELNODE_TEST_SCRIPTS runs more
/// of them, CHANNELNODE_TEST_SEED other ones; a script that differs is told with its seed, as short as it still does.
/// </summary>
[Collection(AnvilCollection.Name)]
public sealed class ContractComparisonTests(AnvilFixture anvil, ITestOutputHelper output)
{
    private const int AtOnce = 8;
    private const int MinedScripts = 40;

    private static readonly int Scripts = FromEnvironment("CHANNELNODE_TEST_SCRIPTS", 1_000);
    private static readonly int FirstSeed = FromEnvironment("CHANNELNODE_TEST_SEED", 1);

    [Fact]
    public async Task RandomScripts_DoToTheContractWhatTheyDoToTheCore()
    {
        using World world = await World.OpenAsync(anvil);
        ulong start = await anvil.NowSecondsAsync() + 1_000;
        output.WriteLine($"seeds {FirstSeed} to {FirstSeed + Scripts - 1}");
        long began = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(
            FirstSeed, FirstSeed + Scripts, new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (seed, cancel) => await RequireSameAsync(
                world, blocks => Chains.SimulateAsync(anvil, blocks), new Generator(world, seed).Draw(start), seed, start));
        output.WriteLine($"{Scripts} scripts in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
    }

    /// <summary>A simulation is as good as blocks: some scripts are mined, and end in the same.</summary>
    [Fact]
    public async Task SomeScripts_AreMined_AndDoTheSame()
    {
        await using AnvilFixture own = await AnvilFixture.StartAsync("--base-fee", "0");
        using World world = await World.OpenAsync(own);
        ulong start = await own.NowSecondsAsync() + 1_000;
        for (int seed = FirstSeed; seed < FirstSeed + MinedScripts; seed++)
        {
            // A block is later than the one before it.
            Script script = new Generator(world, seed).Draw(start);
            script = script with { Steps = [.. script.Steps.Select(step => step with { AfterSeconds = step.AfterSeconds + 1 })] };
            await RequireSameAsync(world, blocks => Chains.MineAsync(own, blocks), script, seed, start);
        }
    }

    /// <summary>What no script may come without: else the comparison would compare little.</summary>
    [Fact]
    public async Task RandomScripts_MeetEveryRefusalAndEvent()
    {
        using World world = await World.OpenAsync(anvil);
        var met = new HashSet<string>();
        for (int seed = FirstSeed; seed < FirstSeed + 1_000; seed++)
        {
            Script script = new Generator(world, seed).Draw(1_000);
            var model = new Model(world, script.Terms);
            ulong now = 1_000;
            foreach (Step step in script.Steps)
            {
                Outcome outcome = model.Do(step, now += step.AfterSeconds);
                met.Add($"{step.GetType().Name} {outcome.Refusal}");
                foreach (ChainEvent seen in outcome.Events) met.Add(seen.GetType().Name);
                foreach (Refusal skipped in outcome.Skipped) met.Add($"skipped {skipped}");
            }
        }

        output.WriteLine(string.Join('\n', met.Order()));
        Assert.Empty(Expected.Except(met));
    }

    private static readonly string[] Expected =
    [
        .. Of("Deposit", Refusal.None, Refusal.WrongValue, Refusal.ZeroOwner, Refusal.OwnerIsContract, Refusal.ZeroSigner,
            Refusal.SameSigner, Refusal.DisputeWindowOutOfRange, Refusal.OneWayChannel, Refusal.ZeroAmount,
            Refusal.ChannelClosing, Refusal.AmountTooLarge, Refusal.TransferFailed),
        .. Of("DepositMany", Refusal.None, Refusal.WrongToken, Refusal.WrongValue, Refusal.AmountTooLarge,
            Refusal.ChannelClosing, Refusal.TransferFailed),
        .. Of("DepositWithPermit", Refusal.None, Refusal.TransferFailed, Refusal.AmountTooLarge, Refusal.ChannelClosing),
        .. Of("DepositWithAuthorization", Refusal.None, Refusal.TransferFailed, Refusal.AmountTooLarge, Refusal.ChannelClosing),
        .. Of("StartClose", Refusal.None, Refusal.UnknownChannel, Refusal.ChannelClosing, Refusal.NothingToClose,
            Refusal.NotParty, Refusal.OneWayChannel, Refusal.AmountTooLarge, Refusal.InvalidSignature, Refusal.WrongSigner),
        .. Of("Dispute", Refusal.None, Refusal.OneWayChannel, Refusal.NotClosing, Refusal.WindowClosed,
            Refusal.AmountTooLarge, Refusal.InvalidSignature, Refusal.WrongSigner, Refusal.NotParty, Refusal.NothingNew),
        .. Of("Close", Refusal.None, Refusal.CloseExpired, Refusal.AmountTooLarge, Refusal.UnknownChannel,
            Refusal.OneWayChannel, Refusal.CloseNotAdvancing, Refusal.InvalidSignature, Refusal.WrongSigner,
            Refusal.InsufficientBalance),
        .. Of("Multicall", Refusal.None, Refusal.WrongValue, Refusal.NotClosing, Refusal.CloseNotAdvancing),
        .. Of("Settle", Refusal.None, Refusal.NotClosing, Refusal.WindowOpen),
        .. Of("WithdrawCredit", Refusal.None, Refusal.NoCredit, Refusal.TransferFailed),
        .. Of("skipped", Refusal.AmountTooLarge, Refusal.UnknownChannel, Refusal.NothingNew, Refusal.InsufficientBalance,
            Refusal.InvalidSignature, Refusal.WrongSigner),
        "Deposited", "CloseStarted", "Disputed", "Closed", "Settled", "Claimed",
    ];

    private static IEnumerable<string> Of(string what, params Refusal[] refusals) =>
        refusals.Select(refusal => $"{what} {refusal}");

    private async Task RequireSameAsync(
        World world, ScriptChain chain, Script script, int seed, ulong start)
    {
        var run = new Run(world, chain, script, start);
        if (await run.CompareAsync() is null) return;

        run = new Run(world, chain, await ShrinkAsync(world, chain, script, start), start);
        Difference? difference = await run.CompareAsync();
        output.WriteLine($"seed {seed}: they differ at {difference}\n{run.Tell()}");
        Assert.Fail($"seed {seed}: contract and core differ at {difference}; the script is in the test's output");
    }

    /// <summary>Leaves out every step without which they still differ.</summary>
    private static async Task<Script> ShrinkAsync(World world, ScriptChain chain, Script script, ulong start)
    {
        for (int i = script.Steps.Count - 1; i >= 0; i--)
        {
            Script shorter = script with { Steps = [.. script.Steps.Where((_, index) => index != i)] };
            if (await new Run(world, chain, shorter, start).CompareAsync() is not null) script = shorter;
        }

        return script;
    }

    private static int FromEnvironment(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), out int value) ? value : otherwise;
}
