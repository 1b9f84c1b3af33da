using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>What keeps a job from going on, as those see it who ask and those who listen.</summary>
public sealed class JobProblemTests
{
    [Fact]
    public async Task Problem_IsShownWhenItsEventIsOnDisk_AndNotBefore()
    {
        await using LedgerRig rig = new();
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        JobBook jobs = new(rig.Store, rig.Ledger, new NodeClock(TimeProvider.System), options, NullLogger<JobBook>.Instance);
        JobEntry entry = await jobs.SubmitAsync(
            new JobOrder(JobKind.Deposit, "deposit", [Sample.Id], new ChainCall("deposit", Address.Zero, 1, default)), CancellationToken.None);
        Task? noticing = null;
        Refusal? shownBefore = null;

        await rig.WhileHeldAsync(() =>
        {
            noticing = jobs.NoticeProblemAsync(entry, new RefusalException(Refusal.FeeTooHigh, "too much"));
            shownBefore = entry.Problem;
            return Task.CompletedTask;
        });
        await noticing!;

        Assert.Equal((Refusal.None, Refusal.FeeTooHigh), (shownBefore, entry.Problem));
        Assert.Equal(EventKind.TransactionStuck, Assert.Single(rig.Store.ReadEvents(0, 10)).Kind);
    }
}
