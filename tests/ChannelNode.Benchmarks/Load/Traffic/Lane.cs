using System.Diagnostics;
using ChannelNode.Benchmarks.Load.Measuring;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>A tape on its way through a stream: what was sent, what was acknowledged, and how long that took.</summary>
internal sealed class Lane : IPaced
{
    private readonly long[] _covered;
    private readonly uint[] _sentAtUs;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Latencies? _latencies;
    private long _acknowledged;

    /// <summary>Without <paramref name="latencies"/> nothing is timed.</summary>
    public Lane(PeerStream stream, Tape tape, Latencies? latencies)
    {
        (Stream, Tape, _latencies) = (stream, tape, latencies);
        _covered = new long[tape.Channels.Count];
        _sentAtUs = latencies is null ? [] : new uint[tape.Count];
        stream.Attach(this);
    }

    public PeerStream Stream { get; }

    public Tape Tape { get; }

    public long Count => Tape.Count;

    public long Sent { get; private set; }

    public long Acknowledged => Volatile.Read(ref _acknowledged);

    public long Waiting => Sent - Acknowledged;

    public bool IsDone => Acknowledged == Tape.Count;

    /// <summary>Sends the next updates as one frame. Their time counts from <paramref name="dueAt"/>, a Stopwatch's, or from now.</summary>
    public Task SendAsync(int count, long? dueAt = null)
    {
        if (_latencies is not null)
            Array.Fill(_sentAtUs, SinceStartUs(dueAt ?? Stopwatch.GetTimestamp()), (int)Sent, count);
        long first = Sent;
        Sent += count;
        return Stream.SayAsync(Tape, first, count);
    }

    public Task SendDueAsync(ReadOnlySpan<long> dueAt)
    {
        for (int index = 0; index < dueAt.Length; index++) _sentAtUs[Sent + index] = SinceStartUs(dueAt[index]);
        long first = Sent;
        Sent += dueAt.Length;
        return Stream.SayAsync(Tape, first, dueAt.Length);
    }

    public async Task WhenDoneAsync()
    {
        while (!IsDone) await Stream.WhenAnsweredAsync();
    }

    /// <summary>Called by the stream's reader only.</summary>
    public void Acknowledge(int channel, ulong total)
    {
        long covered = Tape.Covered(channel, total), before = _covered[channel];
        if (covered <= before) return;
        _covered[channel] = covered;
        Tape.Channels[channel].Acknowledged = total;
        if (_latencies is not null)
        {
            uint nowUs = SinceStartUs(Stopwatch.GetTimestamp());
            for (long round = before; round < covered; round++)
                _latencies.Add(nowUs - _sentAtUs[Tape.PlaceOf(channel, round)]);
        }

        Volatile.Write(ref _acknowledged, _acknowledged + covered - before);
    }

    private uint SinceStartUs(long timestamp) =>
        (uint)Math.Max(0, (timestamp - _start) * 1_000_000 / Stopwatch.Frequency);
}
