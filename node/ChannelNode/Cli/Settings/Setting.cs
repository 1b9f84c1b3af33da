using System.CommandLine;

namespace ChannelNode.Cli;

/// <summary>What is known of a flag beside its name, type and sentence.</summary>
internal interface ISetting
{
    /// <summary>What its value must be, in words.</summary>
    string Limit { get; }

    /// <summary>The default as it would be typed; null where there is none.</summary>
    string? Default { get; }
}

/// <summary>An option that knows its limit and how its default is written.</summary>
internal sealed class Setting<T>(string name, string limit, string? byDefault) : Option<T>(name), ISetting
{
    public string Limit => limit;

    public string? Default => byDefault;
}

/// <summary>One flag of a command that also takes its settings from a file and the environment.</summary>
internal sealed class Flag(Option option)
{
    /// <summary>Longest first: "wei per gas" is no "wei".</summary>
    private static readonly string[] Units =
    [
        "wei per gas", "smallest units", "milliseconds", "seconds", "hours", "blocks", "bytes", "wei",
    ];

    public Option Option => option;

    /// <summary>As a file names it: without the dashes before it.</summary>
    public string Key { get; } = option.Name.TrimStart('-');

    /// <summary>As the environment names it.</summary>
    public string Variable { get; } = SettingSources.Prefix + option.Name.TrimStart('-').Replace('-', '_').ToUpperInvariant();

    public bool TakesMany => option.Arity.MaximumNumberOfValues > 1;

    public string Default =>
        (option as ISetting)?.Default ?? (option.HasDefaultValue && option.GetDefaultValue() is string text ? text : "");

    public string Limit =>
        (option as ISetting)?.Limit ?? (option.ValueType == typeof(bool) ? "true or false" : option.HelpName ?? "text");

    /// <summary>The measure that the sentence speaks of first, so that it stands in one place only.</summary>
    public string Unit
    {
        get
        {
            if (option.HelpName != "n") return option.HelpName ?? (option.ValueType == typeof(bool) ? "switch" : "text");
            string sentence = option.Description ?? "";
            return Units
                .Select(unit => (Unit: unit, At: sentence.IndexOf(unit, StringComparison.OrdinalIgnoreCase)))
                .Where(found => found.At >= 0)
                .OrderBy(found => found.At)
                .Select(found => found.Unit)
                .FirstOrDefault("count");
        }
    }

    /// <summary>Names are the same whatever stands between their words, and in any case: poll-ms, PollMs, POLL_MS.</summary>
    public static string Normal(string name) => name.Replace("-", "").Replace("_", "").ToUpperInvariant();
}
