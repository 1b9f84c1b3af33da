using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>The steps of a node's way out, in their order.</summary>
internal sealed class Draining(Node node, ILogger log)
{
    /// <summary>Nothing was received for so long after the peers were told: what comes later is offered again.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan SessionsEndWithin = TimeSpan.FromSeconds(2);

    public async Task RunAsync(CancellationToken hurry)
    {
        TimeSpan limit = TimeSpan.FromSeconds(node.Options.DrainSeconds);
        using CancellationTokenSource time = new(limit, node.Clock.Time);
        using var until = CancellationTokenSource.CreateLinkedTokenSource(hurry, time.Token);
        node.Drain.Begin();
        log.DrainBegins(node.Drain.Calls, limit);
        try
        {
            await node.Peers.SayGoingAwayAsync(until.Token);
            await node.Drain.WhenLeftAsync(until.Token);
            await WhenQuietAsync(until.Token);
            log.DrainEnds();
        }
        catch (Exception error) when (error is OperationCanceledException or RefusalException)
        {
            log.DrainCutShort(node.Drain.Calls);
        }

        node.Drain.EndStreams();
        node.Peers.EndSessions("this node stops");
        if (!hurry.IsCancellationRequested) await WhenSessionsHaveEndedAsync(hurry);
    }

    private async Task WhenQuietAsync(CancellationToken cancel)
    {
        ulong cursor = node.Ledger.ReceivedCursor;
        long since = node.Clock.Time.GetTimestamp();
        while (node.Clock.Time.GetElapsedTime(since) < Quiet)
        {
            await Task.Delay(LookEvery, node.Clock.Time, cancel);
            if (node.Ledger.ReceivedCursor == cursor && node.Ledger.IsIdle) continue;
            cursor = node.Ledger.ReceivedCursor;
            since = node.Clock.Time.GetTimestamp();
        }
    }

    private async Task WhenSessionsHaveEndedAsync(CancellationToken hurry)
    {
        using CancellationTokenSource time = new(SessionsEndWithin, node.Clock.Time);
        using var until = CancellationTokenSource.CreateLinkedTokenSource(hurry, time.Token);
        try
        {
            while (node.Peers.HasSessions) await Task.Delay(LookEvery, node.Clock.Time, until.Token);
        }
        catch (OperationCanceledException)
        {
            // They end with the process.
        }
    }
}
