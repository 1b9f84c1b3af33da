using System.Globalization;
using System.Text.Json;
using ChannelNode.Benchmarks.Load.Measuring;

namespace ChannelNode.Benchmarks.Load.Report;

/// <summary>What people read on the screen while it comes, and programs as JSON lines in a file.</summary>
internal sealed class RunReport : IDisposable
{
    private const string RunHeader =
        "     run                                          updates        s    updates/s     p50 ms     p99 ms   p99.9 ms  node us  load us  disk B  RSS MiB  others";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly List<Bar> _bars = [];
    private readonly StreamWriter? _json;
    private bool _headed;

    public RunReport(string? jsonFile) => _json = jsonFile is null ? null : new StreamWriter(jsonFile, append: false);

    public bool AllMet => _bars.All(bar => bar.IsMet);

    public void Say(string line) => Console.WriteLine(line);

    /// <summary>One JSON line; <paramref name="kind"/> says of which form.</summary>
    public void Write(string kind, object content)
    {
        if (_json is null) return;
        Dictionary<string, object?> line = new() { ["kind"] = kind };
        foreach (JsonProperty property in JsonSerializer.SerializeToElement(content, Json).EnumerateObject())
            line[property.Name] = property.Value;
        _json.WriteLine(JsonSerializer.Serialize(line, Json));
        _json.Flush();
    }

    public void Add(Bar bar)
    {
        _bars.Add(bar);
        Write("bar", bar);
    }

    /// <summary>One measured run. <paramref name="perUpdate"/>: payments that each update stands for.</summary>
    public void Add(string @class, string title, Measurement run, int perUpdate = 1)
    {
        if (!_headed) Say(RunHeader);
        _headed = true;
        double units = (double)run.Updates * perUpdate;
        double nodeUs = run.NodeCpuSeconds / units * 1e6, ownUs = run.OwnCpuSeconds / units * 1e6;
        double p50 = run.Latencies.PercentileMs(0.5), p99 = run.Latencies.PercentileMs(0.99), p999 = run.Latencies.PercentileMs(0.999);
        Say(string.Create(
            CultureInfo.InvariantCulture,
            $"{@class,4} {title,-38} {units,13:N0} {run.Seconds,8:N1} {units / run.Seconds,12:N0} {p50,10:N2} {p99,10:N2} {p999,10:N2} "
            + $"{nodeUs,8:N2} {ownUs,8:N2} {run.DiskBytes / units,7:N1} {run.ResidentBytes >> 20,8:N0} {run.OtherShare,7:P0}"));
        Write("run", new
        {
            Class = @class,
            Title = title,
            Count = units,
            run.Seconds,
            PerSecond = units / run.Seconds,
            P50Ms = p50,
            P99Ms = p99,
            P999Ms = p999,
            NodeCpuUs = nodeUs,
            LoadCpuUs = ownUs,
            DiskBytesEach = run.DiskBytes / units,
            WrittenBytesEach = run.WrittenBytes / units,
            run.ResidentBytes,
            run.OtherShare,
        });
    }

    public void Conclude()
    {
        Say("");
        Say("     class                                              bar                              here          figure       ratio");
        foreach (Bar bar in _bars.OrderBy(bar => int.Parse(bar.Class, CultureInfo.InvariantCulture)))
        {
            string limit = bar.HasLimit ? Number(bar.Limit) : "";
            string judged = bar.HasLimit ? string.Create(CultureInfo.InvariantCulture, $"{bar.Ratio,7:N2}  {Judgement(bar)}") : "";
            Say(string.Create(
                CultureInfo.InvariantCulture,
                $"{bar.Class,4} {bar.Title,-50} {bar.Condition,-22} {limit,14} {Number(bar.Figure),14} {bar.Unit,-9} {judged} {bar.Beside}").TrimEnd());
        }
    }

    private static string Judgement(Bar bar)
    {
        if (!bar.IsJudged) return bar.Beside.Length == 0 ? $"unsure: {bar.Doubt}" : $"unsure: {bar.Doubt};";
        return bar.IsMet ? "met" : "MISSED";
    }

    private static string Number(double value) =>
        value.ToString(value is >= 100 or <= -100 ? "N0" : "0.##", CultureInfo.InvariantCulture);

    public void Dispose() => _json?.Dispose();
}
