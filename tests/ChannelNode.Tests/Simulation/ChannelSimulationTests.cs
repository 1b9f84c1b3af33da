using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Whole nodes through all that chains, RPCs, networks, disks, clocks and counterparties do. A seed replays exactly:
/// CHANNELNODE_SIMULATION_SEED=n runs that one and prints its every step, CHANNELNODE_SIMULATION_SEEDS=n runs so many. Of one
/// that fails the smallest run of its kind that fails too is looked for, and printed as what to set the variable to.
/// </summary>
public sealed class ChannelSimulationTests(ITestOutputHelper output)
{
    private const int Seeds = 2_000;

    [Fact]
    public void WhateverGoesWrong_NobodyLosesWhatWasAcknowledged()
    {
        if (Environment.GetEnvironmentVariable("CHANNELNODE_SIMULATION_SEED") is { Length: > 0 } only)
        {
            Replay(WorldShape.Parse(only));
            return;
        }

        int count = int.TryParse(Environment.GetEnvironmentVariable("CHANNELNODE_SIMULATION_SEEDS"), out int more) ? more : Seeds;
        WorldTally tally = new();
        for (int seed = 1; seed <= count; seed++) tally += Run(WorldShape.Whole(seed));
        output.WriteLine($"{count} seeds: {tally}");
        bool isEnough = count < 100 || (tally.Disputes > count / 2 && tally.Accepted > 5 * count && tally.Deposits > count
            && tally.Reorganizations > count && tally.PowerCuts > count && tally.Attacks > count && tally.Rescues > count / 5
            && tally.Malformed > count / 20 && tally.Opened > count / 20
            && tally.SmallCloses > count / 2 && tally.AmidSmall > count / 20
            && tally.Restored > count / 8 && tally.Regained > count / 30 && tally.Resumed > count / 30);
        Assert.True(isEnough, "the simulation does too little to prove anything");
    }

    private void Replay(WorldShape shape)
    {
        ChannelWorld world = new(shape, isVerbose: true);
        try
        {
            world.Run();
        }
        finally
        {
            output.WriteLine(string.Join('\n', world.Log.Lines));
        }
    }

    private WorldTally Run(WorldShape shape)
    {
        ChannelWorld world = new(shape);
        try
        {
            world.Run();
            return world.Tally;
        }
        catch (Exception error)
        {
            WorldShape smallest = shape.Shrink(smaller => Failure(smaller) is not null);
            ChannelWorld again = new(smallest, isVerbose: true);
            Exception? why = Record.Exception(again.Run);
            output.WriteLine($"seed {shape.Seed}: {error}\n{smallest} fails too: {why}\n{string.Join('\n', again.Log.Lines)}");
            throw new InvalidOperationException(
                $"seed {shape.Seed} fails: {error.Message}. CHANNELNODE_SIMULATION_SEED={smallest} fails too: {why?.Message}", error);
        }
    }

    private static Exception? Failure(WorldShape shape) => Record.Exception(new ChannelWorld(shape).Run);

    [Fact]
    public void SameSeed_IsTheSameRun()
    {
        for (int seed = 1; seed <= 20; seed++)
        {
            ChannelWorld one = new(WorldShape.Whole(seed), isVerbose: true), other = new(WorldShape.Whole(seed), isVerbose: true);
            one.Run();
            other.Run();

            Assert.Equal(one.Log.Lines, other.Log.Lines);
        }
    }

    [Fact]
    public void DiskThatDoesNotSync_IsFoundOut()
    {
        int found = Enumerable.Range(1, 40).Count(seed =>
            Record.Exception(new ChannelWorld(WorldShape.Whole(seed), lyingDisks: true).Run) is not null);

        Assert.True(found > 20, $"only {found} of 40 runs have noticed");
    }
}
