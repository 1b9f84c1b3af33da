using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class CreditWatchTests
{
    [Fact]
    public async Task EachPayoutThatComesToWait_IsTold_Once()
    {
        await using LedgerRig rig = new();
        Address dollar = StoreFolder.AddressOf(0xDD);
        Func<IReadOnlyList<Credit>> answer = () => [];
        CreditWatch watch = new(_ => Task.FromResult(answer()), rig.Ledger, TimeProvider.System, isOwnerOurs: true, NullLogger<CreditWatch>.Instance);
        List<string> Told() => [.. rig.Store.ReadEvents(0, 100).Select(told => $"{told.Kind} {told.Severity} {told.Amount}")];

        await watch.LookAsync(CancellationToken.None);
        Assert.Empty(Told());
        answer = () => [new Credit(Address.Zero, 700)];
        await watch.LookAsync(CancellationToken.None);
        await watch.LookAsync(CancellationToken.None);
        Assert.Equal(["PayoutWaiting Warning 700"], Told());
        Assert.Equal([new Credit(Address.Zero, 700)], watch.Waiting);
        answer = () => throw new RefusalException(Refusal.ChainUnavailable, "no answer");
        await watch.LookAsync(CancellationToken.None);
        answer = () => throw new StoreException("the disk is away");
        await watch.LookAsync(CancellationToken.None);
        answer = () => throw new OperationCanceledException("somebody else's");
        await watch.LookAsync(CancellationToken.None);
        Assert.Single(watch.Waiting);
        answer = () => [new Credit(Address.Zero, 600), new Credit(dollar, 5)];
        await watch.LookAsync(CancellationToken.None);
        answer = () => [new Credit(Address.Zero, 900), new Credit(dollar, 5)];
        await watch.LookAsync(CancellationToken.None);

        Assert.Equal(["PayoutWaiting Warning 700", "PayoutWaiting Warning 5", "PayoutWaiting Warning 900"], Told());
        Assert.Contains("'channel withdraw-credit' takes them", rig.Store.ReadEvents(0, 1)[0].Sentence);
    }
}
