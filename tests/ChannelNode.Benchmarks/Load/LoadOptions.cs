using System.Globalization;

namespace ChannelNode.Benchmarks.Load;

/// <summary>What the command line of the load program says.</summary>
internal sealed record LoadOptions
{
    public const string Usage = """
        load [--quick] [--only CLASS[,CLASS...]] [--seconds N] [--json FILE] [--check] [--sweep] [--node FILE]

          --quick   a look in under a minute: short runs, class 8 with 100,000 channels, class 9 with 250,000 updates,
                    class 11 without BenchmarkDotNet, class 6 after a pause only;
                    without 12 and 13, which are asked for by --only; p99s are told, and judged only where --only asks for
                    their class, which then takes 12 s
          --only    some of: 1 (with 2), 3, 4, 5, 6, 7 (runs 1 first), 8, 9, 10, 11, 12, 13, rivals
          --seconds of one measured run; 30, or 2.5 with --quick
          --json    writes every figure as JSON lines
          --check   exits with 1 when a bar is missed
          --sweep   only the points of the plots: latency against load, throughput against channels
          --node    the program to measure, a published one or a .dll; without it the one that is built beside this
        """;

    /// <summary>
    /// Less is no measure of one payment in a hundred at a modest rate: one stall of the disk or of a shared core is more than that.
    /// </summary>
    private const double TailSecondsMin = 12;

    private double? _seconds;

    public bool Quick { get; private init; }

    public bool Check { get; private init; }

    public bool Sweep { get; private init; }

    public string? Json { get; private init; }

    /// <summary>The program to measure; null for the one that is built beside this.</summary>
    public string? Node { get; private init; }

    public IReadOnlySet<string> Only { get; private init; } = new HashSet<string>();

    /// <summary>Of one measured run.</summary>
    public double Seconds => _seconds ?? (Quick ? 2.5 : 30);

    /// <summary>Of one that takes so many updates that preparing them takes longer than the run.</summary>
    public double CoalescedSeconds => Quick ? Math.Min(0.5, Seconds) : Seconds;

    public double WarmUpSeconds => Quick ? 1 : 8;

    /// <summary>One of all in a quick look, not asked for by itself.</summary>
    public bool IsALook(string @class) => Quick && !Only.Contains(@class);

    /// <summary>Of one whose p99 has a bar: in a quick look long enough for it only where the class was asked for.</summary>
    public double TailSecondsOf(string @class) =>
        _seconds ?? (IsALook(@class) ? 1 : Math.Max(TailSecondsMin, Seconds));

    /// <summary>Why such a run's p99 is no more than a look; empty where it is more.</summary>
    public string DoubtOf(double tailSeconds, string @class) => tailSeconds >= TailSecondsMin
        ? ""
        : string.Create(CultureInfo.InvariantCulture, $"{tailSeconds} s are too short to judge it, --only {@class} takes longer");

    public bool Wants(string @class) =>
        Only.Count == 0 ? !Sweep && !(Quick && @class is ("12" or "13")) : Only.Contains(@class);

    /// <summary>Null when the arguments are not understood.</summary>
    public static LoadOptions? Parse(IReadOnlyList<string> arguments)
    {
        LoadOptions options = new();
        for (int index = 0; index < arguments.Count; index++)
        {
            string? value = index + 1 < arguments.Count ? arguments[index + 1] : null;
            switch (arguments[index])
            {
                case "--quick": options = options with { Quick = true }; break;
                case "--check": options = options with { Check = true }; break;
                case "--sweep": options = options with { Sweep = true }; break;
                case "--seconds" when double.TryParse(value, CultureInfo.InvariantCulture, out double seconds) && seconds > 0:
                    options = options with { _seconds = seconds };
                    index++;
                    break;
                case "--json" when value is not null: options = options with { Json = arguments[++index] }; break;
                case "--node" when File.Exists(value): options = options with { Node = Path.GetFullPath(arguments[++index]) }; break;
                case "--only" when value is not null:
                    options = options with { Only = new HashSet<string>(arguments[++index].Split(',')) };
                    break;
                default: return null;
            }
        }

        return options;
    }
}
