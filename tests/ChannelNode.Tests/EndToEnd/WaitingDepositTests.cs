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

    /// <summary>Of a deposit that is sent, the command waits for the block that decides, and its exit code tells which it was.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Cancel_OfOneThatIsSent_WaitsForWhatIsMined(bool isMinedFirst)
    {
        // An offer at the limit of fees leaves no room for one that takes its place: then nothing but the first can be mined.
        await using TestNode carol = await TestNode.StartAsync(
            _chain, options => options with { FeeWeiMax = isMinedFirst ? 1_050_000_000UL : 500_000_000_000UL, ReplaceAfterSeconds = 600 });
        string id = await _alice.OpenAsync(carol, "1000");
        await _anvil.RpcAsync<object?>("evm_setAutomine", false);
        await _anvil.RpcAsync<object?>("anvil_setNextBlockBaseFeePerGas", "0x3b9aca00"); // 1 gwei, so twice that would be offered.
        await _anvil.MineAsync();
        using var call = carol.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = id, Amount = "70" });
        Task<RpcException?> deposit = EndAsync(call);
        async Task<Wire.Job> JobAsync(Func<Wire.Job, bool> reached)
        {
            for (int look = 0; look < 600; look++)
            {
                if ((await carol.Api.ListJobsAsync(new Wire.ListJobsRequest { All = true })).Jobs.FirstOrDefault() is { } job && reached(job)) return job;
                await Task.Delay(50);
            }

            Assert.Fail("never reached");
            return new Wire.Job();
        }

        Wire.Job sent = await JobAsync(job => job.Status == Wire.JobStatus.Sent);
        Task<CliRun> cancel = CliRun.AsyncOf("chain", "cancel", $"{sent.Number}", "--yes", "--node", carol.Host.ApiUrl);
        Wire.Job taken = await JobAsync(job => job.Reason == Wire.Refusal.JobCancelled && (isMinedFirst ? job.Problem == Wire.Refusal.FeeTooHigh : job.Attempts == 2));
        Assert.Equal(Wire.JobStatus.Sent, taken.Status);
        Assert.False(cancel.IsCompleted);
        for (int block = 0; block < 600 && !cancel.IsCompleted; block++)
        {
            await _anvil.MineAsync();
            await Task.WhenAny(cancel, Task.Delay(100));
        }

        CliRun run = await cancel;
        Assert.StartsWith($"job {sent.Number} ({sent.Purpose}) is taken back by no access token: a transaction that does nothing takes its place", run.Output);
        if (isMinedFirst)
        {
            Assert.Equal((ExitCode.Refused, $"error: JOB_NOT_CANCELLABLE: number {sent.Number} ({sent.Purpose}) has ended: done\n"), (run.ExitCode, run.Error));
            Assert.Null(await deposit);
            Assert.Equal("70", (await carol.UntilAsync(id, channel => channel.OurPot != "0")).OurPot);
        }
        else
        {
            Assert.Equal((ExitCode.Done, "", "0"), (run.ExitCode, run.Error, (await carol.ChannelAsync(id)).OurPot));
            Assert.EndsWith("confirmed: nothing of it is done\n", run.Output);
            Assert.Equal("JOB_CANCELLED", Refusals.NameOf((await deposit)!));
        }
    }

    private static async Task<RpcException?> EndAsync<T>(AsyncServerStreamingCall<T> call)
    {
        try
        {
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
            return null;
        }
        catch (RpcException refused)
        {
            return refused;
        }
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
