using System.CommandLine;

namespace ChannelNode.Cli;

/// <summary>What is known of a flag beside its name, type and sentence.</summary>
internal interface ISetting
{
    /// <summary>What its value must be, in words.</summary>
    string Limit { get; }

    /// <summary>The default as it would be typed; null where there is none.</summary>
    string? Default { get; }

    /// <summary>Of an amount, what digits alone are; null where the sentence says the unit.</summary>
    string? Unit { get; }

    /// <summary>Reads an amount as it was typed; null where the setting is none.</summary>
    Func<string, SetAmount?>? AmountOf { get; }
}

/// <summary>An option that knows its limit and how its default is written.</summary>
internal sealed class Setting<T>(string name, string limit, string? byDefault) : Option<T>(name), ISetting
{
    public string Limit => limit;

    public string? Default => byDefault;

    public string? Unit { get; init; }

    public Func<string, SetAmount?>? AmountOf { get; init; }
}

/// <summary>One flag of a command that also takes its settings from a file and the environment.</summary>
internal sealed class Flag(Option option)
{
    private static readonly string[] Units = ["milliseconds", "seconds", "hours", "blocks", "bytes"];

    public Option Option => option;

    /// <summary>As a file names it: without the dashes before it.</summary>
    public string Key { get; } = option.Name.TrimStart('-');

    /// <summary>As the environment names it.</summary>
    public string Variable { get; } = SettingSources.Prefix + option.Name.TrimStart('-').Replace('-', '_').ToUpperInvariant();

    /// <summary>It is true where it is named alone.</summary>
    public bool IsSwitch => option.ValueType == typeof(bool) || option.ValueType == typeof(bool?);

    public bool TakesMany => option.Arity.MaximumNumberOfValues > 1;

    public string Default =>
        (option as ISetting)?.Default ?? (option.HasDefaultValue && option.GetDefaultValue() is string text ? text : "");

    public string Limit =>
        (option as ISetting)?.Limit ?? (IsSwitch ? "true or false" : option.HelpName ?? "text");

    /// <summary>The measure that the sentence speaks of first, so that it stands in one place only.</summary>
    public string Unit
    {
        get
        {
            if ((option as ISetting)?.Unit is { } unit) return unit;
            if (option.HelpName != "n") return option.HelpName ?? (IsSwitch ? "switch" : "text");
            string sentence = option.Description ?? "";
            return Units
                .Select(measure => (Unit: measure, At: sentence.IndexOf(measure, StringComparison.OrdinalIgnoreCase)))
                .Where(found => found.At >= 0)
                .OrderBy(found => found.At)
                .Select(found => found.Unit)
                .FirstOrDefault("count");
        }
    }

    /// <summary>Amounts say their unit themselves.</summary>
    public string ShownUnit => (option as ISetting)?.AmountOf is null ? Unit : "";

    /// <summary>A value as programs read it: an amount in smallest units.</summary>
    public string Plain(string value) => AmountOf(value)?.Units.ToString() ?? value;

    /// <summary>A value as people read it: an amount with its unit.</summary>
    public string Shown(string value) => AmountOf(value)?.ToString() ?? value;

    private SetAmount? AmountOf(string value) => (option as ISetting)?.AmountOf?.Invoke(value);

    /// <summary>Names are the same whatever stands between their words, and in any case: poll-ms, PollMs, POLL_MS.</summary>
    public static string Normal(string name) => name.Replace("-", "").Replace("_", "").ToUpperInvariant();
}
