using ChannelNode.Core;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// A node process killed with SIGKILL again and again in a channel's life, and a subscriber that resumes from the newest
/// cursor that it has handled: it hears everything once, in order.
/// </summary>
[Collection(KillsCollection.Name)]
public sealed class KilledEventsTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly List<Wire.OperatorEvent> _heard = [];
    private TestChain _chain = null!;
    private NodeProcess _node = null!;
    private TestNode _peer = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await NodeProcess.StartAsync(_chain);
        _peer = await TestNode.StartAsync(_chain);
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        await _peer.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private async Task ListenAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                ulong cursor = _heard.Count == 0 ? 0 : _heard[^1].Cursor;
                using var call = _node.Api.SubscribeEvents(
                    new Wire.SubscribeEventsRequest { AfterCursor = cursor }, cancellationToken: cancel);
                while (await call.ResponseStream.MoveNext(cancel)) _heard.AddRange(call.ResponseStream.Current.Events);
            }
            catch (Exception gone) when (gone is ObjectDisposedException or OperationCanceledException
                || (gone is RpcException rpc && rpc.GetRpcStatus() is null))
            {
                await Task.Delay(50, CancellationToken.None);
            }
        }
    }

    [Fact]
    public async Task KilledAtEachStep_TheSubscriberMissesNothingAndHearsNothingTwice()
    {
        using CancellationTokenSource stop = new();
        Task listening = ListenAsync(stop.Token);
        string id = await _peer.OpenAsync(_node.PeerUrl, "1000", oneWay: false);
        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        await _peer.PayAsync(id, "300");

        Task killed = _node.WhenKilledAt("is closing");
        using (_peer.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id })) await killed;
        killed = RestartAndKillAt("dispute/", "sent with nonce");
        await killed;
        await RestartAndKillAt("dispute/", "done, block");
        await _node.StartAsync();
        await _node.UntilAsync(id, channel => channel.TheirRecordedSent == "300");
        await _peer.StopAsync(); // It would settle too.
        killed = _node.WhenKilledAt("settled after its window");
        await anvil.PassTimeAsync(601 + Lifecycle.SettleGraceSeconds); // The peer, which is paid more, would be first.
        await killed;
        await _node.StartAsync();
        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Closed);
        await UntilSettledAsync();
        await stop.CancelAsync();
        await listening;
        await _peer.StartAsync();

        Assert.Equal(Enumerable.Range(1, _heard.Count).Select(cursor => (ulong)cursor), _heard.Select(what => what.Cursor));
        Assert.Equal(_heard, await KeptAsync());
        Assert.Equal(
            [
                Wire.EventKind.ChannelOpened, Wire.EventKind.DepositCredited, Wire.EventKind.ChannelClosing,
                Wire.EventKind.ChannelDisputed, Wire.EventKind.ChannelSettled,
            ],
            _heard.Where(what => what.JobNumber == 0).Select(what => what.Kind));
        foreach (Wire.JobKind kind in (Wire.JobKind[])[Wire.JobKind.Dispute, Wire.JobKind.Settle])
        {
            Assert.Equal(
                [Wire.EventKind.TransactionSent, Wire.EventKind.TransactionMined, Wire.EventKind.TransactionConfirmed],
                _heard.Where(what => what.JobKind == kind && what.Kind != Wire.EventKind.TransactionStuck).Select(what => what.Kind));
        }
    }

    private async Task RestartAndKillAt(params string[] words)
    {
        Task killed = _node.WhenKilledAt(words);
        Task starting = _node.StartAsync();
        await killed;
        await Task.WhenAny(starting, Task.Delay(100));
    }

    private async Task UntilSettledAsync()
    {
        for (int look = 0; look < 1_200; look++)
        {
            bool isDone = (await _node.Api.ListJobsAsync(new Wire.ListJobsRequest())).Jobs.Count == 0;
            if (isDone && _heard.Count == (await KeptAsync()).Count) return;
            await Task.Delay(50);
        }
    }

    private async Task<List<Wire.OperatorEvent>> KeptAsync()
    {
        using var call = _node.Api.SubscribeEvents(new Wire.SubscribeEventsRequest { KeptOnly = true });
        List<Wire.OperatorEvent> events = [];
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) events.AddRange(call.ResponseStream.Current.Events);
        return events;
    }
}
