using ChannelNode.Cli;
using ChannelNode.Grpc;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class FailureTests
{
    [Fact]
    public void NoPeerAtAUrl_SaysWhatTheSocketSaid()
    {
        var error = new RpcException(new Status(
            StatusCode.Unavailable, "Error connecting to subchannel.", new HttpRequestException("", new IOException("Connection refused"))));

        Assert.Equal("peer at x: Connection refused", PeerDialling.RefusalOf(error, "peer", "x").Message);
    }

    [Fact]
    public void AnApisPort_IsNamedAsNoPeer()
    {
        var error = new RpcException(new Status(StatusCode.Unimplemented, "Service is unimplemented."));

        Assert.Equal(
            "peer at x: it answers, but does not speak this protocol (the port of an API?)",
            PeerDialling.RefusalOf(error, "peer", "x").Message);
    }

    [Theory]
    [InlineData(StatusCode.NotFound, "UNKNOWN_CHANNEL", ExitCode.Refused)]
    [InlineData(StatusCode.Unavailable, "PEER_OFFLINE", ExitCode.Refused)]
    [InlineData(StatusCode.Unavailable, "NOT_READY", ExitCode.Refused)]
    [InlineData(StatusCode.Unavailable, "CHAIN_UNAVAILABLE", ExitCode.ChainTrouble)]
    [InlineData(StatusCode.Aborted, "TRANSACTION_REVERTED", ExitCode.ChainTrouble)]
    public async Task TheNodesRefusal_GivesReasonAndExitCode(StatusCode code, string reason, int exitCode)
    {
        await using FakeNode node = await FakeNode.StartAsync(
            answers => answers.Get = _ => throw FakeNode.Refuse(code, reason, "no"));

        CliRun run = await CliRun.AskAsync(node, "channel", "show", FakeNode.IdA);

        Assert.Equal(exitCode, run.ExitCode);
        Assert.Equal($"error: {reason}: no\n", run.Error);
    }

    [Fact]
    public async Task TheNodesRefusal_SaysFieldValueAndLimitOnce()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Pay = _ => throw FakeNode.Refuse(
            StatusCode.InvalidArgument, "INVALID_ARGUMENT", "amount is 9", ("field", "amount"), ("value", "9"), ("limit", "8")));

        CliRun people = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "9");
        CliRun json = await CliRun.AskAsync(node, "pay", FakeNode.IdA, "9", "--json");

        Assert.Equal("error: INVALID_ARGUMENT: amount is 9 (limit 8)\n", people.Error);
        Assert.Equal(
            """{"error":{"reason":"INVALID_ARGUMENT","message":"amount is 9 (limit 8)","field":"amount"}}""" + "\n",
            json.Error);
    }

    [Fact]
    public async Task NodeThatIsNotThere_IsNamedWithItsUrl()
    {
        string url = $"http://127.0.0.1:{Ports.Free()}";

        CliRun run = await CliRun.AsyncOf("info", "--node", url);

        Assert.Equal(ExitCode.NodeUnreachable, run.ExitCode);
        Assert.StartsWith($"error: NODE_UNREACHABLE: no node answers at {url}: ", run.Error);
        Assert.Single(run.ErrorLines);
    }

    [Theory]
    [InlineData("info")]
    [InlineData("pay", FakeNode.IdA, "5")]
    [InlineData("pay", FakeNode.IdA, "5", "--count", "2")]
    public async Task PortOfAnotherService_IsSaidToBeNoNodesApi(params string[] command)
    {
        await using FakeNode node = await FakeNode.StartAsync(serves: FakeNode.Serves.AnotherService);

        CliRun run = await CliRun.AskAsync(node, command);

        Assert.Equal(ExitCode.NodeUnreachable, run.ExitCode);
        Assert.Equal($"error: NODE_UNREACHABLE: {node.Url} is not a node's API (its peers' port?)\n", run.Error);
    }

    [Fact]
    public async Task PortThatSpeaksNoGrpc_IsSaidToBeNoNodesApi()
    {
        await using FakeNode node = await FakeNode.StartAsync(serves: FakeNode.Serves.NoGrpc);

        CliRun run = await CliRun.AskAsync(node, "info");

        Assert.Equal(ExitCode.NodeUnreachable, run.ExitCode);
        Assert.Equal($"error: NODE_UNREACHABLE: {node.Url} is not a node's API (its peers' port?)\n", run.Error);
    }

    [Fact]
    public async Task HttpsToANodeWithoutIt_HintsAtTheOption()
    {
        await using FakeNode node = await FakeNode.StartAsync();
        string url = node.Url.Replace("http:", "https:", StringComparison.Ordinal);

        CliRun run = await CliRun.AsyncOf("info", "--node", url);

        Assert.Equal(ExitCode.NodeUnreachable, run.ExitCode);
        Assert.StartsWith($"error: NODE_UNREACHABLE: no node answers at {url}: ", run.Error);
        Assert.EndsWith("; does it run with --api-tls?\n", run.Error);
    }

    [Fact]
    public async Task PayToANodeThatIsNotThere_SaysHowToAskAgain()
    {
        CliRun run = await CliRun.AsyncOf("pay", FakeNode.IdA, "5", "--key", "k1", "--node", $"http://127.0.0.1:{Ports.Free()}");

        Assert.Equal(ExitCode.NodeUnreachable, run.ExitCode);
        Assert.Contains("it may have been paid: ask again with --key k1", run.Error);
    }

    [Fact]
    public async Task Interrupted_EndsWith130()
    {
        await using FakeNode node = await FakeNode.StartAsync();
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));

        CliRun run = await CliRun.WithActionsAsync(
            CliRun.NoActions, ["payments", "follow", "--node", node.Url], stop.Token);

        Assert.Equal(ExitCode.Interrupted, run.ExitCode);
        Assert.Equal("error: INTERRUPTED: stopped before it was done\n", run.Error);
    }

    /// <summary>A job that is on disk is done whether or not somebody waits for it: nobody is to think that it was not.</summary>
    [Theory]
    [InlineData(12UL, "the node goes on with job 12")]
    [InlineData(0UL, "the node goes on with what it has begun")] // A gasless deposit that the peer has, a close that it is asked for.
    public async Task InterruptedWhileTheNodeGoesOn_SaysSo(ulong job, string goesOn)
    {
        using CancellationTokenSource stop = new();
        using ManualResetEventSlim end = new();
        IEnumerable<Progress> StoredForEver()
        {
            yield return new Progress { Stage = job > 0 ? Stage.Queued : Stage.Agreed, Note = "stored", Job = job };
            end.Wait(TimeSpan.FromSeconds(30));
        }

        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = _ => StoredForEver());

        CliRun run = await CliRun.WithActionsAsync(
            CliRun.NoActions, ["channel", "deposit", FakeNode.IdA, "--amount", "5", "--yes", "--node", node.Url], stop.Token,
            new StoppingWriter("stored", stop));
        end.Set();

        Assert.Equal(ExitCode.Interrupted, run.ExitCode);
        Assert.Equal(
            $"error: INTERRUPTED: stopped waiting; {goesOn}: look at 'channelnode chain jobs' and the channel before asking again\n", run.Error);
    }

    /// <summary>Without a key the same call would be another deposit.</summary>
    [Theory]
    [InlineData("DRAINING", true)]
    [InlineData("NOT_READY", true)]
    [InlineData("TRANSACTION_REVERTED", false)]
    public async Task NodeThatGoesAwayWithAStoredJob_SaysThatItGoesOn(string reason, bool goesOn)
    {
        IEnumerable<Progress> StoredThenGone()
        {
            yield return new Progress { Stage = Stage.Queued, Note = "stored", Job = 12 };
            throw FakeNode.Refuse(StatusCode.Unavailable, reason, "its words");
        }

        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = _ => StoredThenGone());

        CliRun run = await CliRun.AskAsync(node, "channel", "deposit", FakeNode.IdA, "--amount", "5", "--yes");

        Assert.Equal(
            $"error: {reason}: its words"
            + (goesOn ? "; the node goes on with job 12: look at 'channelnode chain jobs' and the channel before asking again\n" : "\n"),
            run.Error);
    }

    /// <summary>Interrupts what writes to it, once that has written a line.</summary>
    private sealed class StoppingWriter(string line, CancellationTokenSource stop) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value == line) stop.Cancel();
        }
    }

    [Fact]
    public async Task Info_InJson_HasEveryField()
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Info = () => new GetInfoResponse
        {
            Version = "1",
            ChainId = 31_337,
            Peers = { new PeerInfo { Signer = "0xb0", Url = "http://b", Connected = true } },
        });

        CliRun run = await CliRun.AskAsync(node, "info", "--json");

        Assert.Equal(
            """
            { "version": "1", "signer": "", "owner": "", "chainId": "31337", "contract": "", "blockNumber": "0", "blockTimeSeconds": "0", "channels": 0, "peers": [ { "signer": "0xb0", "url": "http://b", "connected": true } ], "receivedCursor": "0", "peerListen": "", "droppedCursor": "0", "eventCursor": "0", "droppedEventCursor": "0", "watchtowers": [ ], "draining": false }
            """ + "\n",
            run.Output);
    }
}
