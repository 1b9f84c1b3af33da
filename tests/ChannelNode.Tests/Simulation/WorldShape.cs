namespace ChannelNode.Tests.Simulation;

/// <summary>What can go wrong.</summary>
internal enum WorldFault
{
    PowerCut,
    Rpc,
    Partition,
    Censorship,
    BaseFee,
    FullBlocks,
    Reorganization,
    Pool,
    SlowDisk,
    Attack,
    Repeat,
    Stranger,
    SmallCloses,
    Restore,
}

/// <summary>
/// A seed's run, or less of it: fewer steps, and without some faults. With the same shape it is the same run; a smaller shape
/// is another run of the same kind, which is easier to read where it fails as well.
/// </summary>
internal sealed record WorldShape(int Seed, int Steps, IReadOnlyList<WorldFault> Without)
{
    public static WorldShape Whole(int seed) => new(seed, int.MaxValue, []);

    /// <summary>As the environment variable of replays has it: seed, steps, and the faults to leave out.</summary>
    public static WorldShape Parse(string text)
    {
        string[] parts = text.Split('/');
        return new WorldShape(
            int.Parse(parts[0]), parts.Length > 1 ? int.Parse(parts[1]) : int.MaxValue,
            [.. parts.Skip(2).Select(Enum.Parse<WorldFault>)]);
    }

    public override string ToString() => string.Join('/', new[] { $"{Seed}", $"{Steps}" }.Concat(Without.Select(it => $"{it}")));

    /// <summary>The smallest that still fails, found by leaving out what it fails without.</summary>
    public WorldShape Shrink(Func<WorldShape, bool> fails)
    {
        WorldShape best = this with { Steps = Math.Min(Steps, ChannelWorld.StepsMax) };
        foreach (WorldFault fault in Enum.GetValues<WorldFault>())
        {
            WorldShape smaller = best with { Without = [.. best.Without, fault] };
            if (!best.Without.Contains(fault) && fails(smaller)) best = smaller;
        }

        for (int cut = best.Steps / 2; cut > 0;)
        {
            WorldShape shorter = best with { Steps = best.Steps - cut };
            if (shorter.Steps > 0 && fails(shorter)) best = shorter;
            else cut /= 2;
        }

        return best;
    }
}
