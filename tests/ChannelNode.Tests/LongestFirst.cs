using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Simulation;
using Xunit;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("ChannelNode.Tests.LongestFirst", "ChannelNode.Tests")]

namespace ChannelNode.Tests;

/// <summary>
/// The simulation takes minutes, and so do tests that share a chain and run one by one: begun last they would have the machine wait for them.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <summary>What the names of their collections have in them.</summary>
    private static readonly string[] Long =
    [
        DoorsCollection.Name, KillsCollection.Name, KilledJobsCollection.Name, RestartsCollection.Name, nameof(ChannelSimulationTests),
        AnvilCollection.Name, // Other chains' too.
    ];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(collection =>
            Array.FindIndex(Long, name => collection.DisplayName.Contains(name, StringComparison.Ordinal)) is >= 0 and var place ? place : Long.Length);
}
