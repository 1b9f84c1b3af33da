using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// The real engine and core through power cuts that lose what was not synced. CHANNELNODE_SIMULATION_SEEDS takes another
/// number of seeds, CHANNELNODE_SIMULATION_FIRST begins at another one: a seed that fails is printed, and fails again.
/// </summary>
public sealed class PowerCutTests(ITestOutputHelper output)
{
    private static readonly int First = Setting("CHANNELNODE_SIMULATION_FIRST", 1);
    private static readonly int Seeds = Setting("CHANNELNODE_SIMULATION_SEEDS", 200);

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), out int value) ? value : otherwise;

    [Fact]
    public void PowerCutAtAnyStep_LosesNothingThatWasSaid()
    {
        int cuts = 0, delivered = 0;
        for (int seed = First; seed < First + Seeds; seed++)
        {
            SimulatedWorld world = new(seed);
            try
            {
                world.Run();
            }
            catch (Exception)
            {
                output.WriteLine($"seed {seed} fails");
                throw;
            }

            cuts += world.PowerCuts;
            delivered += world.Delivered;
        }

        output.WriteLine($"seeds {First} to {First + Seeds - 1}: {cuts} power cuts, {delivered} payments delivered");
        Assert.True(cuts > Seeds && delivered > 10 * Seeds, "the simulation does too little to prove anything");
    }

    [Fact]
    public void SameSeed_IsTheSameRun()
    {
        SimulatedWorld one = new(First), other = new(First);
        one.Run();
        other.Run();

        Assert.Equal(one.Trace, other.Trace);
        Assert.Equal(one.Delivered, other.Delivered);
    }

    [Fact]
    public void DiskThatDoesNotSync_IsFoundOut()
    {
        int found = 0;
        for (int seed = First; seed < First + 50; seed++)
        {
            try
            {
                new SimulatedWorld(seed, lyingDisks: true).Run();
            }
            catch (Exception)
            {
                found++;
            }
        }

        Assert.True(found > 25, $"only {found} of 50 runs have noticed");
    }
}
