using ChannelNode.Cli;
using ChannelNode.Tests.Cli;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A deposit that is kept from being sent, by a limit of its node's fees: what becomes of it meanwhile.</summary>
public sealed class WaitingDepositTests : IAsyncLifetime
{
    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;
    private string _id = "";

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _alice = await TestNode.StartAsync(_chain, options => options with { DisputeWindowSeconds = 10 });
        _bob = await TestNode.StartAsync(_chain, options => options with { FeeWeiMax = 1, DisputeFeeWeiMax = 1 });
        _id = await _alice.OpenAsync(_bob, "1000");
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
    }

    private async Task<Wire.Job> OnlyJobAsync() => (await _bob.Api.ListJobsAsync(new Wire.ListJobsRequest { All = true })).Jobs.SingleOrDefault() ?? new Wire.Job();

    private async Task<Wire.Job> UntilAsync(Func<Wire.Job, bool> reached)
    {
        Wire.Job job = new();
        for (int look = 0; look < 600; look++)
        {
            job = await OnlyJobAsync();
            if (reached(job)) return job;
            await Task.Delay(50);
        }

        Assert.Fail($"never reached; the job is {job}");
        return job;
    }

    private async Task<string> DepositAsync()
    {
        using var call = _bob.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = _id, Amount = "70", IdempotencyKey = "once" });
        try
        {
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
            return "done";
        }
        catch (RpcException refused)
        {
            return Failure.ErrorInfoOf(refused)?.Reason ?? refused.Message;
        }
    }

    [Fact]
    public async Task Cancel_EndsIt_AndTellsWhoWaits()
    {
        Task<string> deposit = DepositAsync();
        await UntilAsync(job => job.Problem == Wire.Refusal.FeeTooHigh);

        CliRun run = await CliRun.AsyncOf("chain", "cancel", "1", "--yes", "--node", _bob.Host.ApiUrl);

        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        Assert.Contains("is taken back by no access token before anything was sent", run.Output);
        Assert.Equal("JOB_CANCELLED", await deposit);
        Wire.Job job = await OnlyJobAsync();
        Assert.Equal((Wire.JobStatus.Failed, Wire.Refusal.JobCancelled, 0u), (job.Status, job.Reason, job.Attempts));
        run = await CliRun.AsyncOf("chain", "cancel", "2", "--yes", "--node", _bob.Host.ApiUrl);
        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Contains("UNKNOWN_JOB: number 2 is no job that this node remembers", run.Error);
    }

    /// <summary>What was done on chain meanwhile is read before it is sent: it would open the channel again.</summary>
    [Fact]
    public async Task ChannelThatWasClosedWhileItsNodeWasAway_IsNotOpenedAgain()
    {
        _ = DepositAsync();
        await UntilAsync(job => job.Problem == Wire.Refusal.FeeTooHigh);
        await _bob.StopAsync();
        using (var start = _alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = _id }))
            while (await start.ResponseStream.MoveNext(TestChain.Limit)) { }

        await _chain.PassTimeAsync(11);
        await _alice.UntilAsync(_id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await _bob.StartAsync();
        Wire.Job job = await UntilAsync(job => job.Status == Wire.JobStatus.Failed);

        Assert.Equal(Wire.Refusal.ChannelClosing, job.Reason);
        Assert.Contains("was closed while the deposit waited", job.Message);
    }
}
