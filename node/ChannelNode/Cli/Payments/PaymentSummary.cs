using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>
/// What became of a plan. <paramref name="Paid"/> counts every payment that the peer has durably,
/// <paramref name="Repeated"/> those of them that were answered as paid before under their key. Of each refusal there are
/// the node's newest words, where it gave some. Latencies run from the first time a payment was sent, so they hold outages too;
/// sorted, in milliseconds.
/// </summary>
internal sealed record PaymentSummary(
    int Asked,
    int Paid,
    int Repeated,
    IReadOnlyDictionary<Refusal, int> Refused,
    IReadOnlyDictionary<Refusal, string> Messages,
    int NotSent,
    int Retries,
    UInt128 TotalSent,
    double Seconds,
    IReadOnlyList<double> LatenciesMs)
{
    /// <summary>For which nothing more was sent: the rest would have been refused by it too. Unspecified where nothing was left out.</summary>
    public Refusal StoppedBy { get; init; }

    /// <summary>Sent and neither paid nor refused: asking again with the same key finds out.</summary>
    public int Unknown => Asked - Paid - Refused.Values.Sum() - NotSent;

    /// <summary>Whether the same call, later, would go on with something.</summary>
    private bool IsBegun => Paid > 0 || Unknown > 0 || (StoppedBy == Refusal.Unspecified && NotSent < Asked);

    public double PaymentsPerSecond => Seconds > 0 ? Paid / Seconds : 0;

    public double Percentile(int percent) => LatenciesMs.Count == 0
        ? 0
        : LatenciesMs[Math.Min(LatenciesMs.Count - 1, LatenciesMs.Count * percent / 100)];

    /// <summary>The node's words as the end of a sentence.</summary>
    public string Why(Refusal refusal) => Messages.TryGetValue(refusal, out string? message) ? $": {message}" : "";

    public void Show(Terminal terminal, TokenUnit unit, string key)
    {
        if (terminal.Json) terminal.Document(new { summary = Document(key) });
        else ShowSentences(terminal, unit, key);
    }

    private object Document(string key) => new
    {
        asked = Asked,
        paid = Paid,
        repeated = Repeated,
        refused = Refused.ToDictionary(entry => Failure.ReasonOf(entry.Key), entry => entry.Value),
        messages = Refused.Keys.Where(Messages.ContainsKey).ToDictionary(refusal => Failure.ReasonOf(refusal), refusal => Messages[refusal]),
        notSent = NotSent,
        unknown = Unknown,
        retries = Retries,
        totalSent = TotalSent.ToString(),
        key,
        seconds = Math.Round(Seconds, 3),
        paymentsPerSecond = Math.Round(PaymentsPerSecond),
        latencyMs = new { p50 = Math.Round(Percentile(50), 1), p99 = Math.Round(Percentile(99), 1) },
    };

    private void ShowSentences(Terminal terminal, TokenUnit unit, string key)
    {
        terminal.Line(
            $"paid {Paid:N0} of {Asked:N0} in {Seconds:N1} s: {PaymentsPerSecond:N0} payments/s, "
            + $"latency p50 {Percentile(50):N0} ms, p99 {Percentile(99):N0} ms"
            + (Paid == 0 ? "" : $"; total sent {unit.Show(TotalSent.ToString())}"));
        if (Repeated > 0) terminal.Line($"of them {Repeated:N0} had been paid before under the same key");
        if (Retries > 0) terminal.Line($"{Retries:N0} {(Retries == 1 ? "time" : "times")} a payment was asked for again under its key");
        foreach ((Refusal refusal, int times) in Refused)
            terminal.Line($"refused {times:N0}: {Failure.ReasonOf(refusal)}{Why(refusal)}");
        if (NotSent > 0) terminal.Line($"not sent {NotSent:N0}");
        if (Unknown > 0) terminal.Line($"unknown {Unknown:N0}: they may be paid");
        if (Paid < Asked && IsBegun && !Refused.ContainsKey(Refusal.IdempotencyKeyReused))
            terminal.Line($"to go on without paying anything twice: the same call with --key {key}");
    }
}
