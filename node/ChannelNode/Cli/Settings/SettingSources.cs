using System.CommandLine;
using Microsoft.Extensions.Configuration;

namespace ChannelNode.Cli;

/// <summary>Where a value came from. <see cref="Name"/> is a file, a variable, a preset; "flag" or "default".</summary>
internal sealed record SettingSource(string Name, IReadOnlyList<string> Values)
{
    public static readonly SettingSource ByDefault = new("default", []);
    public static readonly SettingSource ByFlag = new("flag", []);
}

/// <summary>
/// The values of a command's flags from elsewhere than the command line: a network's preset, a file, the environment, each
/// above the one before. They are given to the same parser as if they had been typed, so whoever adds a flag has it in all
/// places, with the same checks and the same words.
/// </summary>
internal sealed class SettingSources
{
    public const string Prefix = "CHANNELNODE_";
    public const string FileName = "appsettings.json";
    public const string ConfigFlag = "--config";
    public const string NetworkFlag = "--network";

    private readonly Command _command;
    private readonly Dictionary<string, Flag> _flags;
    private readonly Dictionary<Flag, SettingSource> _values = [];
    private readonly List<Failure> _wrong = [];

    private SettingSources(Command command)
    {
        _command = command;
        _flags = Flags(command).ToDictionary(flag => Flag.Normal(flag.Key));
    }

    /// <summary>The file that was read, if any.</summary>
    public string? File { get; private set; }

    public Network? Network { get; private set; }

    public IReadOnlyCollection<Flag> All => _flags.Values;

    /// <summary>What is wrong with the sources themselves: unknown names, a file that cannot be read.</summary>
    public IReadOnlyList<Failure> Wrong => _wrong;

    /// <summary>To be typed behind what was typed.</summary>
    public IEnumerable<string> Arguments =>
        _values.SelectMany(entry => entry.Value.Values.Select(value => $"{entry.Key.Option.Name}={value}"));

    public static IEnumerable<Flag> Flags(Command command) =>
        command.Options.Where(option => option is not System.CommandLine.Help.HelpOption && option.Name != ConfigFlag)
            .Select(option => new Flag(option));

    /// <summary><paramref name="parsed"/>: what was typed; <paramref name="others"/>: commands with settings of their own.</summary>
    public static SettingSources Read(ParseResult parsed, CommandShell shell, IEnumerable<Command> others)
    {
        SettingSources sources = new(parsed.CommandResult.Command);
        sources.ReadAll(parsed, shell, [.. others.Where(other => other != sources._command)]);
        return sources;
    }

    private void ReadAll(ParseResult parsed, CommandShell shell, IReadOnlyList<Command> others)
    {
        Dictionary<Flag, SettingSource> variables = ReadVariables(shell.Variables);
        Dictionary<Flag, SettingSource> file = [];
        if (FindFile(parsed, shell, variables) is { } path) file = ReadFile(path, others);
        foreach (Flag flag in All)
        {
            if (parsed.GetResult(flag.Option) is { Implicit: false }) continue;
            if (variables.GetValueOrDefault(flag) is { } variable) _values[flag] = variable;
            else if (file.GetValueOrDefault(flag) is { } written) _values[flag] = written;
        }

        Network = FindNetwork(parsed);
        foreach ((string key, string[] values) in Network?.Values ?? new Dictionary<string, string[]>())
        {
            if (!_flags.TryGetValue(Flag.Normal(key), out Flag? flag)) continue;
            if (parsed.GetResult(flag.Option) is { Implicit: false }) continue;
            _values.TryAdd(flag, new SettingSource($"preset {Network!.Name}", values));
        }
    }

    /// <summary>Of a flag by its name with dashes; null for one that is not there.</summary>
    public SettingSource? SourceOf(string? option) =>
        _values.FirstOrDefault(entry => entry.Key.Option.Name == option).Value;

    private Network? FindNetwork(ParseResult parsed)
    {
        Flag? flag = All.FirstOrDefault(flag => flag.Option.Name == NetworkFlag);
        if (flag is null) return null;
        string? typed = parsed.GetResult(flag.Option) is { Implicit: false } result ? result.Tokens.FirstOrDefault()?.Value : null;
        return Network.Find(typed ?? _values.GetValueOrDefault(flag)?.Values.FirstOrDefault());
    }

    /// <summary>A file that is named must be there; else the one in the working folder, else the one beside the database.</summary>
    private string? FindFile(ParseResult parsed, CommandShell shell, Dictionary<Flag, SettingSource> variables)
    {
        Option? config = _command.Options.FirstOrDefault(option => option.Name == ConfigFlag);
        string? named = config is null ? null : parsed.GetResult(config) is { Implicit: false } given
            ? given.Tokens.FirstOrDefault()?.Value
            : shell.Variables.GetValueOrDefault(Prefix + "CONFIG");
        if (named is { Length: > 0 }) return named;
        string here = Path.Combine(shell.Folder, FileName);
        if (System.IO.File.Exists(here)) return here;
        Flag? dataDirectory = All.FirstOrDefault(flag => flag.Key == "data-dir");
        if (dataDirectory is null) return null;
        string? folder = parsed.GetResult(dataDirectory.Option) is { Implicit: false } data
            ? data.Tokens.FirstOrDefault()?.Value
            : variables.GetValueOrDefault(dataDirectory)?.Values.FirstOrDefault();
        string beside = Path.Combine(shell.Folder, folder ?? "", FileName);
        return folder is not null && System.IO.File.Exists(beside) ? beside : null;
    }

    private Dictionary<Flag, SettingSource> ReadVariables(IReadOnlyDictionary<string, string> variables)
    {
        Dictionary<Flag, SettingSource> found = [];
        IConfiguration configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(variables.Where(it => it.Key.StartsWith(Prefix, StringComparison.Ordinal))
                .Select(it => new KeyValuePair<string, string?>(it.Key[Prefix.Length..], it.Value)))
            .Build();
        foreach (IConfigurationSection entry in configuration.GetChildren())
        {
            if (_flags.TryGetValue(Flag.Normal(entry.Key), out Flag? flag))
                found[flag] = new SettingSource(Prefix + entry.Key, Split(flag, entry.Value ?? ""));
        }

        return found;
    }

    private static string[] Split(Flag flag, string value) => flag.TakesMany
        ? value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        : [value];

    private Dictionary<Flag, SettingSource> ReadFile(string path, IReadOnlyList<Command> others)
    {
        Dictionary<Flag, SettingSource> found = [];
        if (SettingsText.FaultOf(path) is { } unread)
        {
            _wrong.Add(Unknown(ConfigFlag, $"{ConfigFlag}: {unread}"));
            return found;
        }

        IConfiguration configuration;
        try
        {
            configuration = new ConfigurationBuilder()
                .AddJsonFile(Path.GetFullPath(path), optional: false, reloadOnChange: false)
                .Build();
        }
        catch (Exception error) when (
            error is IOException or InvalidDataException or FormatException or UnauthorizedAccessException)
        {
            _wrong.Add(Unknown(ConfigFlag, $"{ConfigFlag}: {path} cannot be read: {error.GetBaseException().Message}"));
            return found;
        }

        File = path;
        foreach (IConfigurationSection entry in configuration.GetChildren())
        {
            string name = Flag.Normal(entry.Key);
            List<IConfigurationSection> items = [.. entry.GetChildren()];
            if (!_flags.TryGetValue(name, out Flag? flag))
            {
                _wrong.Add(Unknown(entry.Key, WhyUnknown(path, entry.Key, name, items, others)));
                continue;
            }

            string? fault = found.ContainsKey(flag) ? $"{flag.Key} stands there twice"
                : items.Count == 0 || (flag.TakesMany && items.All(item => int.TryParse(item.Key, out _))) ? null
                : $"{entry.Key} is a list or group, expected {flag.Limit}";
            if (fault is not null) _wrong.Add(Unknown(flag.Option.Name, $"{path}: {fault}"));
            else if (items.Count > 0) found[flag] = new SettingSource(path, [.. items.Select(item => item.Value ?? "")]);
            else if (entry.Value is { } value) found[flag] = new SettingSource(path, flag.TakesMany && value == "" ? [] : [value]);
        }

        return found;
    }

    private string WhyUnknown(
        string path, string key, string name, List<IConfigurationSection> items, IReadOnlyList<Command> others)
    {
        if (others.FirstOrDefault(other => Flags(other).Any(flag => Flag.Normal(flag.Key) == name)) is { } other)
            return $"{path}: {key} is a setting of '{other.Name}', not of '{_command.Name}'";
        string grouped = items.Count > 0 ? "; settings stand at the top, in no group" : "";
        return $"{path}: {key} is no setting; the nearest is {Nearest(name).Key}{grouped}";
    }

    private static Failure Unknown(string field, string message) =>
        new(ExitCode.WrongUsage, Failure.InvalidArgument, message, field);

    private Flag Nearest(string name) => All.MinBy(flag => Spelling.Distance(name, Flag.Normal(flag.Key)))!;
}
