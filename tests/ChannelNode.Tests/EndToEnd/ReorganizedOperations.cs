using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What may happen to the transactions of blocks that a chain takes back.</summary>
public enum AfterReorg
{
    /// <summary>The next block takes what is sent again, at once.</summary>
    Mined,

    /// <summary>It waits in the pool while both nodes already see that its block is gone.</summary>
    Held,
}

/// <summary>
/// The life of two channels, each step of which the chain takes back, by every number of blocks: it is done again by its job
/// while it is shallow, else by the guardian or when it is asked for again. It ends as if nothing had been taken back.
/// </summary>
public abstract class ReorganizedOperations(AfterReorg after) : IAsyncLifetime
{
    private ReorgRig _rig = null!;
    private int _depth;

    public async Task InitializeAsync() => _rig = await ReorgRig.StartAsync();

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    public static TheoryData<int> Depths { get; } = [.. Enumerable.Range(1, 10)];

    [Theory, MemberData(nameof(Depths))]
    public async Task EveryStepThatIsReorganisedAway_IsDoneAgainOnce(int depth)
    {
        _depth = depth;

        string id = await DepositAsync();
        await TopUpAsync(id);
        await DisputeAsync(id);
        await StartAndDisputeAsync(id);
        await SettleAsync(id);

        string oneWay = await ClaimAsync();
        await StartCloseAsync(oneWay);
        await SettleAsync(oneWay);
    }

    private async Task<string> DepositAsync()
    {
        string id = await _rig.Alice.OpenAsync(_rig.Bob, "1000");
        await _rig.Alice.PayAsync(id, "300");

        await TakeBackAsync(
            _rig.Alice, JobKind.Deposit, id,
            undone: channel => channel is { Status: Wire.ChannelStatus.Proposed, TheirPot: "0" },
            again: () => ReorgRig.DepositAsync(_rig.Alice, id, "1000"),
            done: channel => channel is { Status: Wire.ChannelStatus.Open, TheirPot: "1000" });

        await AssertKeptAsync(id, "300", deposits: 1);
        return id;
    }

    private async Task TopUpAsync(string id)
    {
        await ReorgRig.DepositAsync(_rig.Alice, id, "500");
        await _rig.Bob.UntilAsync(id, channel => channel.TheirPot == "1500");
        await _rig.Alice.PayAsync(id, "900"); // More than the first deposit.

        await TakeBackAsync(
            _rig.Alice, JobKind.Deposit, id,
            undone: channel => channel is { Status: Wire.ChannelStatus.Open, TheirPot: "1000" },
            again: () => ReorgRig.DepositAsync(_rig.Alice, id, "500"),
            done: channel => channel is { Status: Wire.ChannelStatus.Open, TheirPot: "1500" });

        await AssertKeptAsync(id, "1200", deposits: 2);
    }

    /// <summary>Alice starts as if nothing had been paid; what Bob's guardian answers is taken back.</summary>
    private async Task DisputeAsync(string id)
    {
        await ReorgRig.StartCloseAsync(_rig.Alice, id);
        await _rig.Bob.UntilAsync(id, channel => channel.TheirRecordedSent == "1200");

        await TakeBackAsync(
            _rig.Bob, JobKind.Dispute, id,
            undone: channel => channel is { Status: Wire.ChannelStatus.Closing, TheirRecordedSent: "0" },
            again: null,
            done: channel => channel is { Status: Wire.ChannelStatus.Closing, TheirRecordedSent: "1200" });

        await AssertKeptAsync(id, "1200", deposits: 2);
    }

    /// <summary>The start of the closing goes too: the dispute that is sent again finds nothing to dispute for a while.</summary>
    private async Task StartAndDisputeAsync(string id)
    {
        await TakeBackAsync(
            _rig.Alice, JobKind.StartClose, id,
            undone: channel => channel is { Status: Wire.ChannelStatus.Open, TheirRecordedSent: "0" },
            again: () => ReorgRig.StartCloseAsync(_rig.Alice, id),
            done: channel => channel is { Status: Wire.ChannelStatus.Closing, TheirRecordedSent: "1200" });

        await AssertKeptAsync(id, "1200", deposits: 2);
    }

    private async Task StartCloseAsync(string id)
    {
        await ReorgRig.StartCloseAsync(_rig.Alice, id);
        await _rig.Bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closing);

        await TakeBackAsync(
            _rig.Alice, JobKind.StartClose, id,
            undone: channel => channel is { Status: Wire.ChannelStatus.Open, TheirPot: "700" },
            again: () => ReorgRig.StartCloseAsync(_rig.Alice, id),
            done: channel => channel is { Status: Wire.ChannelStatus.Closing, TheirPot: "700" });
    }

    /// <summary>Both guardians settle; whoever is first.</summary>
    private async Task SettleAsync(string id)
    {
        string received = (await _rig.Bob.ChannelAsync(id)).Received;
        await _rig.Anvil.PassTimeAsync(601);
        await _rig.Bob.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        TestNode settler = await WhoDidAsync(JobKind.Settle, id);

        await TakeBackAsync(
            settler, JobKind.Settle, id,
            undone: channel => channel.Status == Wire.ChannelStatus.Closing,
            again: null,
            done: channel => channel is { Status: Wire.ChannelStatus.Closed, TheirPot: "0", OurPot: "0" });

        Wire.Channel closed = await _rig.Bob.ChannelAsync(id);
        Assert.Equal((received, received), (closed.Received, closed.TheirRecordedSent));
    }

    private async Task<string> ClaimAsync()
    {
        string id = await _rig.Alice.OpenAsync(_rig.Bob, "1000", oneWay: true);
        await _rig.Alice.PayAsync(id, "300");
        await _rig.Anvil.MineAsync(12);
        await ReorgRig.ClaimAsync(_rig.Bob);

        await TakeBackAsync(
            _rig.Bob, JobKind.Claim, id,
            undone: channel => channel is { TheirRecordedSent: "0", TheirPot: "1000" },
            again: () => ReorgRig.ClaimAsync(_rig.Bob),
            done: channel => channel is { TheirRecordedSent: "300", TheirPot: "700" });

        await AssertKeptAsync(id, "300", deposits: 1);
        return id;
    }

    /// <summary>
    /// Takes the newest blocks back from that of the node's newest such job on: as many as the depth says, or more where
    /// other blocks came meanwhile.
    /// </summary>
    private async Task TakeBackAsync(
        TestNode node, JobKind kind, string id, Predicate<Wire.Channel> undone, Func<Task>? again, Predicate<Wire.Channel> done)
    {
        Job job = await DoneAsync(node, kind, id);
        int depth = (int)(await _rig.Anvil.HeadAsync() + 1 - job.Receipt!.BlockNumber);
        if (depth < _depth) await _rig.Anvil.MineAsync(_depth - depth);
        depth = Math.Max(depth, _depth);
        await _rig.AssertRescannedAsync();
        if (depth >= _rig.Deep) await UntilLetGoOfAsync(node, job);

        if (after == AfterReorg.Held) await _rig.Anvil.RpcAsync<object?>("evm_setAutomine", false);
        // What the other's guardian does may have been mined meanwhile.
        depth = Math.Max(depth, (int)(await _rig.Anvil.HeadAsync() + 1 - job.Receipt.BlockNumber));
        await _rig.Anvil.ReorgAsync(depth);
        await _rig.AssertRescannedAsync();
        if (after == AfterReorg.Held)
        {
            await _rig.Bob.UntilAsync(id, channel => undone(channel));
            await _rig.MineOnAsync();
        }

        if (depth >= _rig.Deep && again is not null) await again();
        await _rig.Bob.UntilAsync(id, channel => done(channel));
        await _rig.AssertRescannedAsync();
    }

    /// <summary>So deep that nobody looks at its transaction any more.</summary>
    private static async Task UntilLetGoOfAsync(TestNode node, Job job)
    {
        for (int look = 0; look < 1_200; look++)
        {
            if (node.Host.Node.Jobs.Shallow.All(entry => entry.Job.Number != job.Number)) return;
            await Task.Delay(25);
        }

        Assert.Fail($"looked at for ever: {job}");
    }

    private static async Task<Job> DoneAsync(TestNode node, JobKind kind, string id)
    {
        for (int look = 0; look < 1_200; look++)
        {
            if (Find(node, kind, id) is { } job) return job;
            await Task.Delay(25);
        }

        Assert.Fail($"no {kind} is done: {string.Join(", ", node.Host.Node.Jobs.All.Select(entry => entry.Job))}");
        return null!;
    }

    private static Job? Find(TestNode node, JobKind kind, string id) => node.Host.Node.Jobs.All
        .Select(entry => entry.Job)
        .FirstOrDefault(job => job.Kind == kind && job.Status == JobStatus.Done && job.Channels.Any(channel => channel.ToString() == id));

    private async Task<TestNode> WhoDidAsync(JobKind kind, string id)
    {
        for (int look = 0; look < 1_200; look++)
        {
            foreach (TestNode node in (TestNode[])[_rig.Alice, _rig.Bob])
                if (Find(node, kind, id) is not null) return node;
            await Task.Delay(25);
        }

        Assert.Fail($"nobody did {kind}");
        return null!;
    }

    /// <summary>What was accepted is still there, and the chain has seen so many deposits and no more.</summary>
    private async Task AssertKeptAsync(string id, string received, int deposits)
    {
        Assert.Equal(received, (await _rig.Bob.ChannelAsync(id)).Received);
        Assert.Equal(received, (await _rig.Alice.ChannelAsync(id)).Sent);
        ChannelId.TryParse(id, out ChannelId channel);
        Assert.Equal(deposits, (await _rig.RescanAsync()).Deposits[channel]);
    }
}

public sealed class ReorganizedOperationsMinedAgainTests() : ReorganizedOperations(AfterReorg.Mined);

public sealed class ReorganizedOperationsHeldTests() : ReorganizedOperations(AfterReorg.Held);
