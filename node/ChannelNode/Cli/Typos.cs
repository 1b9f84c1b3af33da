using System.CommandLine;
using System.CommandLine.Parsing;

namespace ChannelNode.Cli;

/// <summary>What somebody may have meant who typed a word that no command knows.</summary>
internal static class Typos
{
    /// <summary>The option or the subcommand that is named most like it; null where none is.</summary>
    public static string? Meant(string typed, CommandResult command)
    {
        string? best = null;
        int fewest = int.MaxValue;
        foreach (string name in typed.StartsWith('-') ? OptionsOf(command) : command.Command.Subcommands.Where(it => !it.Hidden).Select(it => it.Name))
        {
            int distance = SharesWords(typed, name) ? 1 : Spelling.Distance(typed, name);
            if (distance < fewest) (best, fewest) = (name, distance);
        }

        return fewest <= Math.Max(1, typed.Trim('-').Length / 3) ? best : null;
    }

    private static IEnumerable<string> OptionsOf(CommandResult command)
    {
        foreach (Option option in command.Command.Options.Where(it => !it.Hidden)) yield return option.Name;
        for (SymbolResult? at = command.Parent; at is CommandResult above; at = at.Parent)
            foreach (Option option in above.Command.Options.Where(it => it.Recursive && !it.Hidden)) yield return option.Name;
    }

    /// <summary>One is made of the other's words and more: --dispute-window and --window.</summary>
    private static bool SharesWords(string one, string other)
    {
        string[] ones = one.Split('-', StringSplitOptions.RemoveEmptyEntries), others = other.Split('-', StringSplitOptions.RemoveEmptyEntries);
        return ones.Length > 0 && others.Length > 0 && (ones.All(others.Contains) || others.All(ones.Contains));
    }
}
