namespace ChannelNode.Benchmarks.Load.Measuring;

/// <summary>Every single time that was taken, in microseconds; nothing is thinned out. One writer at a time.</summary>
internal sealed class Latencies
{
    private uint[] _us = new uint[1 << 12];
    private bool _sorted;

    public int Count { get; private set; }

    public void Add(uint us)
    {
        if (Count == _us.Length) Array.Resize(ref _us, 2 * Count);
        _us[Count++] = us;
        _sorted = false;
    }

    /// <summary>Of several streams, each of which took its own.</summary>
    public static Latencies Merge(IReadOnlyList<Latencies> parts)
    {
        Latencies all = new() { _us = new uint[Math.Max(1, parts.Sum(part => part.Count))] };
        foreach (Latencies part in parts)
        {
            part._us.AsSpan(0, part.Count).CopyTo(all._us.AsSpan(all.Count));
            all.Count += part.Count;
        }

        return all;
    }

    /// <summary>The time, in milliseconds, that this share of all took at most; NaN of nothing.</summary>
    public double PercentileMs(double share)
    {
        if (Count == 0) return double.NaN;
        if (!_sorted) Array.Sort(_us, 0, Count);
        _sorted = true;
        int place = (int)Math.Ceiling(share * Count) - 1;
        return _us[Math.Clamp(place, 0, Count - 1)] / 1000.0;
    }
}
