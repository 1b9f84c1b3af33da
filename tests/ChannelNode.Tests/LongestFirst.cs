using ChannelNode.Tests.EndToEnd;
using Xunit;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("ChannelNode.Tests.LongestFirst", "ChannelNode.Tests")]

namespace ChannelNode.Tests;

/// <summary>Tests that share a chain run one by one, for minutes: begun last they would have the machine wait for them.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Long = [KillsCollection.Name, DoorsCollection.Name, AnvilCollection.Name, ChainCollection.Name];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(collection => Array.IndexOf(Long, collection.DisplayName) is >= 0 and var place ? place : Long.Length);
}
