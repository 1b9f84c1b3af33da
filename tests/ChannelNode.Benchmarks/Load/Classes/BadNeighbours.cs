using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>
/// Class 10: what an honest peer at a modest rate notices of others: one that sends and reads nothing, one that floods
/// with updates that must be verified and are wrong, and a channel whose payer closes with an old state.
/// </summary>
internal sealed class BadNeighbours(Bench bench)
{
    private const int HonestChannels = 32;
    private const double HonestPerSecond = 400;
    private const int FramesPerSecond = 200;
    private const double ClosingSecondsMax = 10;
    private const int FloodChannels = 64;
    private const int FloodFrame = 256;

    private static readonly TimeSpan DisputeLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan DisputePoll = TimeSpan.FromMilliseconds(100);

    private readonly double _seconds = bench.Options.TailSecondsOf("10");
    private readonly CancellationTokenSource _over = new();

    public static Task RunAsync(Bench bench) => new BadNeighbours(bench).MeasureAsync();

    private async Task MeasureAsync()
    {
        Site site = await bench.SiteAsync();
        Task rehearsal = RehearseAsync(site);
        IReadOnlyList<PayingPeer>[] opened = await Task.WhenAll(
            site.OpenAsync(1, HonestChannels),
            site.OpenAsync([new PeerStream(new LoadKey(), site.Context, windowBytes: 65_535)], 1),
            site.OpenAsync([new PeerStream(new LoadKey(), site.Context) { MayBeRefused = true }], FloodChannels),
            ClosingAsync(site));
        await rehearsal;
        (PayingPeer honest, PayingPeer stalled, PayingPeer flooding, PayingPeer closing) =
            (opened[0][0], opened[1][0], opened[2][0], opened[3][0]);
        await PayAsync(site, honest, bench.Options.WarmUpSeconds);
        Measurement alone = await PayAsync(site, honest, _seconds);
        Task[] neighbours = [StallAsync(site, stalled), SubscribeAndStallAsync(site), FloodAsync(site, flooding)];
        await PayAsync(site, honest, bench.Options.WarmUpSeconds);
        SignedTransaction close = await bench.Anvil.SignStartCloseAsync(closing.Channels[0]);
        Measurement among = await PayAsync(site, honest, _seconds, () => bench.Anvil.SendAsync(close));
        Wire.Channel disputed = await DisputedAsync(site, closing.Channels[0].Id); // A quick look may be over before it is.
        await _over.CancelAsync();
        await Task.WhenAll(neighbours);
        bench.Report.Add("10", "an honest peer by itself", alone);
        bench.Report.Add("10", "among bad neighbours", among);
        Latencies byItself = bench.Options.IsALook("10") ? alone.Latencies : await AgainAsync(site, honest, alone);
        Report(byItself, among, flooding.Stream.Refusals / among.Seconds, disputed);
    }

    /// <summary>Before and after: by itself the same figure differs by more than a half from one minute to the next.</summary>
    private async Task<Latencies> AgainAsync(Site site, PayingPeer honest, Measurement before)
    {
        await PayAsync(site, honest, bench.Options.WarmUpSeconds);
        Measurement after = await PayAsync(site, honest, _seconds);
        bench.Report.Add("10", "by itself again, when they are gone", after);
        return Latencies.Merge([before.Latencies, after.Latencies]);
    }

    private void Report(Latencies alone, Measurement among, double refusedPerSecond, Wire.Channel disputed)
    {
        bench.Report.Say(
            $"     meanwhile the flood had {refusedPerSecond:N0} wrong updates/s refused; the disputed channel is {disputed.Status}, "
            + $"{disputed.TheirRecordedSent} of {disputed.Received} recorded");
        double aloneMs = alone.PercentileMs(0.99);
        bench.Report.Add(new Bar(
            "10", "an honest peer's p99 among bad neighbours", "less than 2 x its own", 2 * aloneMs,
            among.Latencies.PercentileMs(0.99), "ms", aloneMs, AtLeast: false)
        {
            Doubt = bench.Options.DoubtOf(_seconds, "10"),
        });
    }

    /// <summary>A peer that has paid 100 in its one channel.</summary>
    private async Task<IReadOnlyList<PayingPeer>> ClosingAsync(Site site)
    {
        IReadOnlyList<PayingPeer> peers = await site.OpenAsync([new PeerStream(new LoadKey(), site.Context)], 1);
        await bench.RunAsync(
            site, [new TapePlan(peers[0].Stream, peers[0].Channels, ItemPlan.OnePayment)], 100, lanes => ClosedLoop.RunAsync(lanes, 10, 10));
        return peers;
    }

    /// <summary>The dispute's warm-up: another one, with which both processes compile what it takes.</summary>
    private async Task RehearseAsync(Site site)
    {
        PaidChannel channel = (await ClosingAsync(site))[0].Channels[0];
        await bench.Anvil.SendAsync(await bench.Anvil.SignStartCloseAsync(channel));
        await DisputedAsync(site, channel.Id);
    }

    /// <summary>The channel, once the chain has what was paid in it.</summary>
    private static async Task<Wire.Channel> DisputedAsync(Site site, ChannelId id)
    {
        using CancellationTokenSource limit = new(DisputeLimit);
        while (true)
        {
            Wire.Channel channel = await site.Node.ChannelAsync(id);
            if (channel.TheirRecordedSent == channel.Received) return channel;
            await Task.Delay(DisputePoll, limit.Token);
        }
    }

    /// <summary>What comes with it is done once the clock runs.</summary>
    private Task<Measurement> PayAsync(Site site, PayingPeer honest, double seconds, Func<Task>? with = null) => bench.RunAsync(
        site,
        [new TapePlan(honest.Stream, honest.Channels, ItemPlan.OnePayment)],
        (long)(HonestPerSecond * seconds),
        lanes => Task.WhenAll(OpenLoop.RunAsync(lanes, HonestPerSecond), with?.Invoke() ?? Task.CompletedTask));

    /// <summary>Pays on and reads no acknowledgement, until the node has had enough of it.</summary>
    private async Task StallAsync(Site site, PayingPeer peer)
    {
        const int frame = 16;
        long most = (long)(FramesPerSecond * frame * (bench.Options.WarmUpSeconds + _seconds + ClosingSecondsMax));
        using Tape tape = new(peer.Channels, most, site.Context.Typed);
        peer.Stream.Stall();
        try
        {
            for (long sent = 0; sent + frame <= tape.Count && !_over.IsCancellationRequested; sent += frame)
            {
                await peer.Stream.SayAsync(tape, sent, frame).WaitAsync(_over.Token);
                await Task.Delay(1_000 / FramesPerSecond);
            }
        }
        catch (Exception ended) when (ended is InvalidOperationException or OperationCanceledException)
        {
            // The node ended its session, or the run is over.
        }
    }

    private async Task SubscribeAndStallAsync(Site site)
    {
        using var call = site.Node.Api.SubscribePayments(new Wire.SubscribePaymentsRequest());
        try
        {
            await call.ResponseStream.MoveNext(_over.Token);
            await Task.Delay(Timeout.Infinite, _over.Token);
        }
        catch (Exception ended) when (ended is RpcException or OperationCanceledException)
        {
            // The run is over.
        }
    }

    /// <summary>Well-formed signatures, all by another key: each has to be verified to be refused. As fast as the node takes them.</summary>
    private async Task FloodAsync(Site site, PayingPeer peer)
    {
        LoadKey another = new();
        PaidChannel[] forged = [.. peer.Channels.Select(channel => new PaidChannel(another, channel.Terms, channel.Id))];
        using Tape tape = new(forged, 64 * FloodFrame, site.Context.Typed);
        try
        {
            for (long sent = 0; !_over.IsCancellationRequested; sent += FloodFrame)
                await peer.Stream.SayAsync(tape, sent % tape.Count, FloodFrame).WaitAsync(_over.Token);
        }
        catch (Exception ended) when (ended is InvalidOperationException or OperationCanceledException)
        {
            // The node ended its session, or the run is over.
        }
    }
}
