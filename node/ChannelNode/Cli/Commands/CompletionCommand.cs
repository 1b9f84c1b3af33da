using System.CommandLine;
using System.Text;

namespace ChannelNode.Cli;

/// <summary>completion bash, zsh, fish: written from the commands as they are, so they never name one that is not there.</summary>
internal static class CompletionCommand
{
    public static CliCommand Create(CommandShell shell) =>
        new("completion", "Prints what makes a shell complete commands and options.", "channelnode completion bash")
        {
            For(shell, "bash", "source <(channelnode completion bash)", Bash),
            For(shell, "zsh", "source <(channelnode completion zsh)", Zsh),
            For(shell, "fish", "channelnode completion fish | source", Fish),
        };

    private static CliCommand For(CommandShell shell, string name, string example, Func<RootCommand, string> script) => shell.Does(
        new CliCommand(name, $"For {name}; put the example into its start-up file.", example),
        (parsed, terminal, _) =>
        {
            terminal.RawLine(script((RootCommand)parsed.RootCommandResult.Command));
            return Task.FromResult(ExitCode.Done);
        });

    /// <summary>Every command with the words that lead to it, and what may follow: commands, then options.</summary>
    private static IEnumerable<(string Path, Command Command, string[] Words)> Commands(Command command, string path, Option[] above)
    {
        Option[] known = [.. above, .. command.Options.Where(option => option.Recursive)];
        IEnumerable<string> options = command.Options.Concat(above).Where(option => !option.Hidden).Select(option => option.Name)
            .Where(name => name.StartsWith('-')).Append("--help").Distinct();
        yield return (path, command, [.. command.Subcommands.Select(it => it.Name), .. options]);
        foreach (Command below in command.Subcommands)
        {
            foreach (var it in Commands(below, path.Length == 0 ? below.Name : $"{path} {below.Name}", known)) yield return it;
        }
    }

    /// <summary>The words that are neither options nor follow one name the command, as far as they are commands.</summary>
    private static string Bash(RootCommand root)
    {
        StringBuilder script = new(
            """
            _channelnode() {
              local word path="" next i
              local -A words=(
            """);
        script.Append('\n');
        foreach ((string path, _, string[] words) in Commands(root, "", [])) script.Append($"    [\"_{path}\"]=\"{string.Join(' ', words)}\"\n");
        script.Append(
            """
              )
              for ((i = 1; i < COMP_CWORD; i++)); do
                word="${COMP_WORDS[i]}"
                next="${path:+$path }$word"
                [[ "$word" != -* && -n "${words[_$next]+known}" ]] && path="$next"
              done
              COMPREPLY=($(compgen -W "${words[_$path]}" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _channelnode channelnode
            """);
        return script.ToString();
    }

    /// <summary>zsh runs bash's own completions.</summary>
    private static string Zsh(RootCommand root) =>
        "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + Bash(root);

    private static string Fish(RootCommand root)
    {
        StringBuilder script = new("complete -c channelnode -f\n");
        foreach ((string path, Command command, _) in Commands(root, "", []))
        {
            string[] at = path.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string below = string.Join(' ', command.Subcommands.Select(it => it.Name));
            string here = string.Join("; and ", at.Select(word => $"__fish_seen_subcommand_from {word}"));
            string notBelow = below.Length == 0 ? "" : $"not __fish_seen_subcommand_from {below}";
            string when = (here, notBelow) switch
            {
                ("", _) => notBelow,
                (_, "") => here,
                _ => $"{here}; and {notBelow}",
            };
            foreach (Command next in command.Subcommands)
                script.Append($"complete -c channelnode -n '{when}' -a {next.Name} -d {Quoted(next.Description)}\n");
            foreach (Option option in command.Options.Where(option => !option.Hidden && option.Name.StartsWith("--", StringComparison.Ordinal)))
            {
                string place = option.Recursive || path.Length == 0 ? "" : $" -n '{when}'";
                script.Append($"complete -c channelnode{place} -l {option.Name[2..]} -d {Quoted(option.Description)}\n");
            }
        }

        return script.ToString().TrimEnd('\n');
    }

    private static string Quoted(string? text) => $"'{(text ?? "").Replace("\\", "\\\\").Replace("'", "\\'")}'";
}
