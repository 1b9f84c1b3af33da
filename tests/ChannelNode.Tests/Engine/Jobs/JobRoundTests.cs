using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Settlement;
using Xunit;

namespace ChannelNode.Tests.Engine.Jobs;

/// <summary>What one round of the runner asks of the chain, and whom it comes to, however many jobs wait.</summary>
public sealed class JobRoundTests : IAsyncLifetime
{
    private const ulong Gwei = 1_000_000_000;

    private static readonly UInt128 Ether = (UInt128)1_000_000_000 * Gwei;

    private AnvilFixture _anvil = null!;
    private volatile string _answered = "";
    private volatile bool _isDeaf;
    private int _estimates;
    private int _mostInARound;
    private int _inThisRound;

    public async Task InitializeAsync() => _anvil = await AnvilFixture.StartAsync();

    public async Task DisposeAsync() => await _anvil.DisposeAsync();

    /// <summary>Counts the estimates, and refuses them while it is deaf, but for one channel.</summary>
    private RpcProxy Proxy() => new(_anvil.HttpUrl, (method, request) =>
    {
        if (method == "eth_getTransactionCount") _inThisRound = 0; // A round begins with a look.
        if (method != "eth_estimateGas") return null;
        Interlocked.Increment(ref _estimates);
        if (!_isDeaf || (_answered.Length > 0 && request.GetRawText().Contains(_answered, StringComparison.Ordinal))) return null;
        _mostInARound = Math.Max(_mostInARound, Interlocked.Increment(ref _inThisRound));
        return RpcProxy.Error(request, "this question takes too long");
    });

    private async Task<JobEntry> DisputeAsync(JobBench bench) => await bench.DepositAsync(
        bench.NewChannel(), 1, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600, Ether);

    private static async Task<JobEntry[]> DepositsAsync(JobBench bench, int count) =>
        [.. await Task.WhenAll(Enumerable.Range(0, count).Select(_ => bench.DepositAsync(bench.NewChannel(), 1)))];

    [Fact]
    public async Task JobsThatWaitForABetterPrice_AskTheChainNothing_AndADisputeBegins()
    {
        using RpcProxy proxy = Proxy();
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { RpcUrl = proxy.Url, FeeWeiMax = 5 * Gwei, ReplaceAfterSeconds = 600 });
        JobEntry sent = await bench.DepositAsync(bench.NewChannel(), 1);
        await JobBench.UntilAsync(sent, JobStatus.Sent);
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");
        await bench.SetBaseFeeAsync(50 * Gwei);
        await _anvil.MineAsync();
        await JobBench.UntilAsync(sent, _ => sent.Problem == Refusal.FeeTooHigh); // Its offer is as high as it may be.
        int before = _estimates;
        JobEntry[] waiting = await DepositsAsync(bench, 40);
        foreach (JobEntry entry in waiting) await JobBench.UntilAsync(entry, _ => entry.Problem == Refusal.FeeTooHigh);
        Assert.Equal(before, _estimates);

        JobEntry dispute = await DisputeAsync(bench);
        await JobBench.UntilAsync(dispute, JobStatus.Sent);

        Assert.InRange(_estimates - before, 1, 3);
        Assert.All(waiting, entry => Assert.Equal(JobStatus.Waiting, entry.Job.Status));
    }

    [Fact]
    public async Task JobsToWhichTheChainGivesNoAnswer_KeepNoOthersFromTheirs_AndFewAreAskedForInARound()
    {
        using RpcProxy proxy = Proxy();
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { RpcUrl = proxy.Url });
        _isDeaf = true;
        JobEntry[] waiting = await DepositsAsync(bench, 20);
        foreach (JobEntry entry in waiting) await JobBench.UntilAsync(entry, _ => entry.Problem == Refusal.ChainUnavailable);

        Channel channel = bench.NewChannel();
        _answered = channel.Terms.Salt.ToString()[2..];
        JobEntry last = await bench.DepositAsync(channel, 1);
        await JobBench.UntilAsync(last, JobStatus.Sent);

        Assert.InRange(_mostInARound, 1, 16);
    }

    [Fact]
    public async Task EmptyNonce_IsFilled_HoweverManyDisputesGetNoAnswer()
    {
        using RpcProxy proxy = Proxy();
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { RpcUrl = proxy.Url });
        string strangers = await bench.SendAsStrangerAsync(0, 5 * Gwei);
        JobEntry entry = await bench.DepositAsync(bench.NewChannel(), 1_000);
        Assert.Equal(1UL, (await JobBench.UntilAsync(entry, JobStatus.Sent)).Nonce);
        _isDeaf = true;
        JobEntry[] disputes = [.. await Task.WhenAll(Enumerable.Range(0, 18).Select(_ => DisputeAsync(bench)))];
        foreach (JobEntry dispute in disputes) await JobBench.UntilAsync(dispute, _ => dispute.Problem == Refusal.ChainUnavailable);

        await _anvil.RpcAsync<object?>("anvil_dropTransaction", strangers);
        await JobBench.UntilAsync(entry, _ => bench.Jobs.All.Any(other => other.Job is { Kind: JobKind.Unblock, Status: JobStatus.Sent }));
        await bench.MineUntilAsync(entry, JobStatus.Done);
    }

    [Fact]
    public async Task DisputesForWhichTheDayHasNoGas_AskTheChainNothing()
    {
        using RpcProxy proxy = Proxy();
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { RpcUrl = proxy.Url, GasBudgetWeiPerDay = 0, DisputeReserveWeiPerDay = 0 });
        int before = _estimates;

        for (int count = 0; count < 3; count++)
        {
            JobEntry dispute = await bench.DepositAsync(bench.NewChannel(), 1, JobKind.Dispute, await _anvil.NowSecondsAsync() + 600);
            await JobBench.UntilAsync(dispute, _ => dispute.Problem == Refusal.BudgetReached);
        }

        Assert.Equal(before, _estimates);
    }

    [Fact]
    public async Task TransactionsThatThePoolForgot_AreToldAgain_NotAllOfThemInOneRound()
    {
        int told = 0, most = 0;
        using RpcProxy proxy = new(_anvil.HttpUrl, (method, _) =>
        {
            if (method == "eth_getTransactionCount") told = 0; // A round begins with a look.
            if (method == "eth_sendRawTransaction") most = Math.Max(most, Interlocked.Increment(ref told));
            return null;
        });
        await using JobBench bench = await JobBench.StartAsync(
            _anvil, options => options with { RpcUrl = proxy.Url, ReplaceAfterSeconds = 600 });
        JobEntry[] sent = await DepositsAsync(bench, 50);
        foreach (JobEntry entry in sent) await JobBench.UntilAsync(entry, JobStatus.Sent);
        most = 0;

        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");
        await JobBench.UntilAsync(sent[0], _ => most > 0);
        await bench.MineUntilAsync(sent.MaxBy(entry => entry.Job.Nonce)!, JobStatus.Done);

        Assert.InRange(most, 2, 32);
    }

    [Fact]
    public async Task TransferThatWasToFillANonce_IsDone_WhereItIsNotKnownWhich()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil);

        JobEntry unblock = await bench.SubmitAsync(JobKind.Unblock, "unblock/0", bench.Chain.Nothing());
        await JobBench.UntilAsync(unblock, job => job.Status != JobStatus.Waiting);

        Assert.Equal((JobStatus.Done, 0), (unblock.Job.Status, unblock.Job.Attempts.Count));
    }

    /// <summary>A deep reorganisation took a transaction of a job that was let go of, and then it is mined again.</summary>
    [Fact]
    public async Task TransferThatWasToFillANonce_IsDone_WhereOneOfOursHasIt()
    {
        await using JobBench bench = await JobBench.StartAsync(_anvil, options => options with { ConfirmationsLarger = 1 });
        string before = await _anvil.RpcAsync<string>("evm_snapshot");
        JobEntry first = await bench.DepositAsync(bench.NewChannel(), 1);
        ReadOnlyMemory<byte> raw = (await JobBench.UntilAsync(first, JobStatus.Sent)).Raw;
        await bench.MineUntilAsync(first, job => job.Status == JobStatus.Done && !job.IsShallow);
        Assert.True(await _anvil.RpcAsync<bool>("evm_revert", before));
        JobEntry second = await bench.DepositAsync(bench.NewChannel(), 1);
        await JobBench.UntilAsync(second, _ => Unblock(bench)?.Job.Status == JobStatus.Sent);

        await bench.StopAsync();
        await _anvil.RpcAsync<object?>("anvil_dropAllTransactions");
        await _anvil.RpcAsync<string>("eth_sendRawTransaction", Hex.Format(raw.Span));
        await _anvil.MineAsync();
        await bench.StartAsync(options => options with { ConfirmationsLarger = 1 });
        second = bench.Jobs.All.Single(entry => entry.Job.Number == second.Job.Number);
        await bench.MineUntilAsync(second, JobStatus.Done);
        await JobBench.UntilAsync(second, _ => Unblock(bench)?.Job.Status is not JobStatus.Sent);

        Assert.Equal((JobStatus.Done, 1), (Unblock(bench)!.Job.Status, Unblock(bench)!.Job.Attempts.Select(attempt => attempt.Nonce).Distinct().Count()));
    }

    private static JobEntry? Unblock(JobBench bench) => bench.Jobs.All.SingleOrDefault(entry => entry.Job.Kind == JobKind.Unblock);
}
