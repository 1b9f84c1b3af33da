using ChannelNode.Benchmarks.Load.Traffic;

namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>Sends as fast as acknowledgements allow, until everything on the lanes' tapes is acknowledged.</summary>
internal static class ClosedLoop
{
    /// <summary>
    /// <paramref name="frame"/>: updates in one message. <paramref name="window"/>: updates of one lane that may wait;
    /// with a window of as many as the lane has channels, no channel ever has two waiting, so that none is coalesced.
    /// </summary>
    public static Task RunAsync(IEnumerable<Lane> lanes, int frame, int window) => Task.WhenAll(
        lanes.GroupBy(lane => lane.Stream).Select(stream => Task.Run(() => PumpAsync(stream.Key, [.. stream], frame, window))));

    private static async Task PumpAsync(PeerStream stream, Lane[] lanes, int frame, int window)
    {
        while (true)
        {
            bool sent = false, done = true;
            foreach (Lane lane in lanes)
            {
                done &= lane.IsDone;
                int next = (int)Math.Min(frame, lane.Tape.Count - lane.Sent);
                if (next == 0 || lane.Waiting + next > window) continue;
                await lane.SendAsync(next);
                sent = true;
            }

            if (done) return;
            if (!sent) await stream.WhenAnsweredAsync();
        }
    }
}
