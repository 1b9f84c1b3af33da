using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Measuring;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>Class 8: a node with a great many open channels, of which few are used.</summary>
internal static class ManyChannels
{
    private const int Payers = 10;
    private const int ChannelsEach = 1_000;
    private const double StartSecondsMax = 5;
    private const double ResidentBytesMax = 1L << 30;
    private const double ChannelBytesMax = 400;

    private static readonly TimeSpan SettledAfter = TimeSpan.FromSeconds(15);

    public static async Task RunAsync(Bench bench)
    {
        int channels = bench.Options.Quick ? 100_000 : 1_000_000;
        await using NodeUnderTest node = await bench.NewNodeAsync();
        StoredChannels stored = new(node, bench.Anvil);
        LoadKey[] payers = [.. Enumerable.Range(0, Payers).Select(_ => new LoadKey())];
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<IReadOnlyList<PaidChannel>> paid = await stored.WriteAsync(payers, ChannelsEach, channels - (Payers * ChannelsEach));
        stored.DropFromCache();
        double writing = Stopwatch.GetElapsedTime(start).TotalSeconds;

        long begun = start = Stopwatch.GetTimestamp();
        await node.StartAsync();
        double ready = Stopwatch.GetElapsedTime(start).TotalSeconds;
        PeerContext context = new(node.PeerUrl, Anvil.ChainId, bench.Anvil.Contract);
        List<PayingPeer> peers = [];
        try
        {
            PeerStream first = new(payers[0], context);
            await first.ConnectAsync();
            peers.Add(new PayingPeer(first, paid[0]));
            await PayOnceAsync(first, [paid[0][0]], context);
            double firstAck = Stopwatch.GetElapsedTime(start).TotalSeconds;
            long resident = ProcessReadings.Of(node.ProcessId).ResidentBytes;

            start = Stopwatch.GetTimestamp();
            await PayOnceAsync(first, [.. paid[0].Skip(1)], context);
            for (int payer = 1; payer < Payers; payer++)
            {
                PeerStream stream = new(payers[payer], context);
                await stream.ConnectAsync();
                peers.Add(new PayingPeer(stream, paid[payer]));
                await PayOnceAsync(stream, paid[payer], context);
            }

            double touching = Stopwatch.GetElapsedTime(start).TotalSeconds;
            int every = bench.Options.Quick ? 10 : 1;
            await Parallel.ForEachAsync(paid.SelectMany(some => some).Where((_, index) => index % every == 0), async (channel, _) =>
            {
                if (channel.Acknowledged != 1 || (await node.ChannelAsync(channel.Id)).Received != "1")
                    throw new InvalidDataException($"channel {channel.Id} was not paid");
            });

            bench.Report.Say(
                $"   8 {channels:N0} open channels (written in {writing:N1} s by the node's storage code, out of the file cache): ready in {ready:N2} s, "
                + $"first ack after {firstAck:N2} s with {resident >> 20} MiB; {(Payers * ChannelsEach) - 1:N0} more touched in {touching:N1} s");
            // What the node does once, seconds after its start, counts in its memory too; a quick look does not wait for it.
            TimeSpan more = SettledAfter - Stopwatch.GetElapsedTime(begun);
            if (!bench.Options.Quick && more > TimeSpan.Zero) await Task.Delay(more);
            Conclude(bench, channels, firstAck, ProcessReadings.Of(node.ProcessId).ResidentBytes, Folders.BytesOf(node.DataFolder));
        }
        finally
        {
            foreach (PayingPeer peer in peers) await peer.DisposeAsync();
        }
    }

    private static void Conclude(Bench bench, int channels, double firstAck, long resident, long disk)
    {
        string title = $"{channels:N0} open channels";
        bench.Report.Add(new Bar(
            "8", $"{title}: start to first ack", "at most 5 s", StartSecondsMax, firstAck, "s", StartSecondsMax, AtLeast: false));
        bench.Report.Add(new Bar(
            "8", $"{title}: memory, 10,000 touched", "at most 1 GiB", ResidentBytesMax, resident, "bytes", ResidentBytesMax, AtLeast: false));
        bench.Report.Add(new Bar(
            "8", $"{title}: disk for each", "at most 400 bytes", ChannelBytesMax, (double)disk / channels, "bytes", ChannelBytesMax, AtLeast: false));
    }

    private static async Task PayOnceAsync(PeerStream stream, IReadOnlyList<PaidChannel> channels, PeerContext context)
    {
        using Tape tape = new(channels, channels.Count, context.Typed);
        await ClosedLoop.RunAsync([new Lane(stream, tape, latencies: null)], frame: 64, window: channels.Count);
    }
}
