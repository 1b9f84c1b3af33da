using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using ChannelNode.Tests.Simulation;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>Commands that are long say how far they are, beside their output; to programs, and when they are soon done, nothing.</summary>
public sealed class SlowWorkTests
{
    private static readonly BackupFound Found =
        new(DateTimeOffset.UnixEpoch, Address.Zero.ToString(), 1, Address.Zero.ToString(), 1, 2, 3, new Dictionary<string, ulong>());

    private readonly SimulatedTime _time = new();
    private readonly TaskCompletionSource<Action<string>> _begun = new();
    private readonly TaskCompletionSource _end = new();

    [Theory]
    [InlineData("chain verify --data-dir d --rpc-url ws://h", "reading the chain")]
    [InlineData("chain rescan --data-dir d --rpc-url ws://h", "reading the chain")]
    [InlineData("backup verify node.backup", "opening the backup")]
    [InlineData("backup restore node.backup --data-dir d", "opening the backup")]
    public async Task LongCommand_SaysHowFarItIs_BesideItsOutput(string command, string first)
    {
        StringWriter output = new(), error = new();
        Task<int> running = RunAsync(command, output, error);
        Action<string> tell = await _begun.Task.WaitAsync(TestChain.Limit);

        await PassAsync(4_999);
        Assert.Equal("", error.ToString());
        await PassAsync(1);
        await UntilAsync(() => error.ToString() == $"{first} (5 s)\n");
        tell("half of it");
        await PassAsync(5_000);
        await UntilAsync(() => error.ToString() == $"{first} (5 s)\nhalf of it (10 s)\n");
        Assert.Equal("", output.ToString());
        _end.SetResult();

        Assert.Equal(ExitCode.Done, await running);
        Assert.NotEqual("", output.ToString());
        Assert.Equal($"{first} (5 s)\nhalf of it (10 s)\n", error.ToString());
    }

    [Fact]
    public async Task Deployment_SaysThatItWaits()
    {
        StringWriter output = new(), error = new();
        Task<int> running = RunAsync("contract deploy --rpc-url ws://h", output, error);
        await _begun.Task.WaitAsync(TestChain.Limit);

        await PassAsync(5_000);
        await UntilAsync(() => error.ToString() == "waiting until the contract is mined (5 s)\n");
        _end.SetResult();

        Assert.Equal(ExitCode.Done, await running);
    }

    [Theory]
    [InlineData("chain verify --data-dir d --rpc-url ws://h")]
    [InlineData("backup verify node.backup")]
    public async Task Programs_AreToldNothingOfIt(string command)
    {
        StringWriter output = new(), error = new();
        Task<int> running = RunAsync(command + " --json", output, error);
        Action<string> tell = await _begun.Task.WaitAsync(TestChain.Limit);

        tell("half of it");
        _time.Advance(60_000);
        _end.SetResult();

        Assert.Equal(ExitCode.Done, await running);
        Assert.Equal("", error.ToString());
        Assert.Single(output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task ReadingOfTheChain_TellsEachBlockThatItHasComeTo()
    {
        List<string> told = [];
        ChainBlock block = new(7, default, default, 0);
        var read = ReadingProgress.Of((_, _, _) => BatchesAsync(block), told.Add);

        List<ChainBatch> batches = [];
        await foreach (ChainBatch batch in read([], 9, CancellationToken.None)) batches.Add(batch);

        Assert.Equal(2, batches.Count);
        Assert.Equal(["reading the chain: block 7 of 9"], told);
    }

    private static async IAsyncEnumerable<ChainBatch> BatchesAsync(ChainBlock block)
    {
        await Task.Yield();
        yield return new ChainBatch(ChainMove.Stay, null, [], IsCaughtUp: false);
        yield return new ChainBatch(ChainMove.Next, block, [], IsCaughtUp: true);
    }

    private Task<int> RunAsync(string command, StringWriter output, StringWriter error)
    {
        output.NewLine = error.NewLine = "\n";
        ChainAuditReport report = new(1, 1, []);
        CliActions actions = CliRun.NoActions with
        {
            VerifyChain = (_, _, _, tell, _) => WorkAsync(tell, report),
            DeployContract = (_, _, _) => WorkAsync(_ => { }, (Address.Zero, default(Bytes32), 1ul)),
            RescanChain = (_, _, _, _, tell, _) => WorkAsync(tell, report),
            Backups = new BackupActions(
                _ => "", async (_, _, _, _, tell, _) => (await WorkAsync(tell, Found), null), (_, _, _, _, tell, _) => WorkAsync(tell, Found)),
        };
        CommandShell shell = new(actions, _time, output, error);
        return CommandLine.RunAsync(command.Split(' '), shell, output, CancellationToken.None);
    }

    private async Task<T> WorkAsync<T>(Action<string> tell, T result)
    {
        _begun.SetResult(tell);
        await _end.Task;
        return result;
    }

    /// <summary>Once who waits has set his timer.</summary>
    private async Task PassAsync(long ms)
    {
        await UntilAsync(() => _time.NextDueMs < long.MaxValue);
        _time.Advance(ms);
    }

    private static async Task UntilAsync(Func<bool> reached)
    {
        CancellationToken limit = TestChain.Limit;
        while (!reached()) await Task.Delay(5, limit);
    }
}
