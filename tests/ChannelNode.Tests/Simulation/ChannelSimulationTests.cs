using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Whole nodes through all that chains, RPCs, networks, disks, clocks and counterparties do. A seed replays exactly:
/// CHANNELNODE_SIMULATION_SEED=n runs that one and prints its every step, CHANNELNODE_SIMULATION_SEEDS=n runs so many.
/// </summary>
public sealed class ChannelSimulationTests(ITestOutputHelper output)
{
    private const int LinesOfAFailure = 60;

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), out int value) ? value : null;

    [Fact]
    public void WhateverGoesWrong_NobodyLosesWhatWasAcknowledged()
    {
        int? only = Setting("CHANNELNODE_SIMULATION_SEED");
        int first = only ?? 1, count = only is null ? Setting("CHANNELNODE_SIMULATION_SEEDS") ?? 2_000 : 1;
        WorldTally tally = new();
        for (int seed = first; seed < first + count; seed++) tally += Run(seed, isVerbose: only is not null);

        output.WriteLine($"seeds {first} to {first + count - 1}: {tally}");
        if (count < 100) return;
        bool isEnough = tally.Disputes > count / 2 && tally.Accepted > 5 * count && tally.Deposits > count
            && tally.Reorganizations > count && tally.PowerCuts > count && tally.Attacks > count;
        Assert.True(isEnough, "the simulation does too little to prove anything");
    }

    private WorldTally Run(int seed, bool isVerbose)
    {
        ChannelWorld world = new(seed, isVerbose);
        try
        {
            world.Run();
            if (isVerbose) output.WriteLine(string.Join('\n', world.Log.Lines));
            return world.Tally;
        }
        catch (Exception error)
        {
            IEnumerable<string> lines = isVerbose ? world.Log.Lines : world.Log.Lines.TakeLast(LinesOfAFailure);
            output.WriteLine($"seed {seed} fails: {error}\nits steps:\n{string.Join('\n', lines)}");
            throw new InvalidOperationException(
                $"seed {seed} fails ({error.Message}); CHANNELNODE_SIMULATION_SEED={seed} shows its every step", error);
        }
    }

    [Fact]
    public void SameSeed_IsTheSameRun()
    {
        for (int seed = 1; seed <= 20; seed++)
        {
            ChannelWorld one = new(seed, isVerbose: true), other = new(seed, isVerbose: true);
            one.Run();
            other.Run();

            Assert.Equal(one.Log.Lines, other.Log.Lines);
        }
    }

    [Fact]
    public void DiskThatDoesNotSync_IsFoundOut()
    {
        int found = 0;
        for (int seed = 1; seed <= 40; seed++)
        {
            try
            {
                new ChannelWorld(seed, lyingDisks: true).Run();
            }
            catch (Exception)
            {
                found++;
            }
        }

        Assert.True(found > 20, $"only {found} of 40 runs have noticed");
    }
}
