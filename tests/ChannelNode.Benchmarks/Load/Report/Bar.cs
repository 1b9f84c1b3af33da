namespace ChannelNode.Benchmarks.Load.Report;

/// <summary>One line of the table of bars.</summary>
/// <param name="Class">Number in the table.</param>
/// <param name="Title">What was measured.</param>
/// <param name="Condition">The bar in words, as "at least 1.2 V".</param>
/// <param name="Limit">The bar in this run's numbers.</param>
/// <param name="Figure">What was measured.</param>
/// <param name="Unit">Of both.</param>
/// <param name="Yardstick">What the ratio is to: V, F, or the bar itself where it is a plain number.</param>
/// <param name="AtLeast">Whether more is better.</param>
internal sealed record Bar(
    string Class, string Title, string Condition, double Limit, double Figure, string Unit, double Yardstick, bool AtLeast)
{
    /// <summary>A figure that is told and not judged.</summary>
    public static Bar None(string @class, string title, double figure, string unit) =>
        new(@class, title, "no bar", double.NaN, figure, unit, double.NaN, AtLeast: true);

    /// <summary>Why it is told beside its bar and not judged by it; empty where it is judged.</summary>
    public string Doubt { get; init; } = "";

    public bool HasLimit => !double.IsNaN(Limit);

    public bool IsJudged => HasLimit && Doubt.Length == 0;

    /// <summary>What else is to be known to judge it.</summary>
    public string Beside { get; init; } = "";

    public double Ratio => Figure / Yardstick;

    public bool IsMet => !IsJudged || (AtLeast ? Figure >= Limit : Figure <= Limit);
}
