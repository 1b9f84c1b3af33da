using CsCheck;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Core;

/// <summary>
/// Runs a property over the same values each time, from a seed that is printed; CHANNELNODE_TEST_SEED takes another
/// and CHANNELNODE_TEST_ITERATIONS more of them. A failure is handed to CsCheck, which looks for a smaller one.
/// </summary>
internal static class Property
{
    private static readonly ulong Seed = Setting("CHANNELNODE_TEST_SEED", 20_260_101);

    public static void Holds<T>(ITestOutputHelper output, Gen<T> values, Action<T> check, int iterations = 2_000)
    {
        iterations = (int)Setting("CHANNELNODE_TEST_ITERATIONS", (ulong)iterations);
        output.WriteLine($"seed {Seed}, {iterations} iterations");
        for (uint i = 0; i < iterations; i++)
        {
            var pcg = new PCG(i, Seed);
            string start = pcg.ToString();
            T value = values.Generate(pcg, null, out _);
            try
            {
                check(value);
            }
            catch (Exception)
            {
                output.WriteLine($"fails in iteration {i}, CsCheck seed {start}");
                values.Sample(check, seed: start, iter: 20_000, threads: 1);
                throw;
            }
        }
    }

    private static ulong Setting(string name, ulong otherwise) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), out ulong value) ? value : otherwise;
}
