using System.Diagnostics;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>bash itself is asked what it would complete.</summary>
public sealed class CompletionTests
{
    [Theory]
    [InlineData("channelnode chan", "channel")]
    [InlineData("channelnode channel o", "open")]
    [InlineData("channelnode channel open --am", "--amount")]
    [InlineData("channelnode --node http://127.0.0.1:1 channel start", "start-close")]
    [InlineData("channelnode channel close 0x1a2b3c --y", "--yes")]
    [InlineData("channelnode policy attest t", "trust")]
    [InlineData("channelnode pay 0x1a2b3c 5 --js", "--json")]
    [InlineData("channelnode completion ", "bash zsh fish --help")]
    public async Task Bash_CompletesCommandsAndOptions(string line, string completions)
    {
        CliRun script = await CliRun.AsyncOf("completion", "bash");
        string ask = script.Output + $$"""

            COMP_WORDS=({{line}}{{(line.EndsWith(' ') ? "''" : "")}})
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _channelnode
            echo "${COMPREPLY[*]}"
            """;

        using Process bash = Process.Start(new ProcessStartInfo("bash", ["-c", ask]) { RedirectStandardOutput = true })!;
        string said = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();

        Assert.Equal(0, bash.ExitCode);
        string[] expected = completions.Split(' ');
        Assert.Equal(expected, said.Trim().Split(' ').Where(word => expected.Length == 1 || !word.StartsWith("--") || word == "--help"));
    }

    [Theory]
    [InlineData("zsh", "bashcompinit")]
    [InlineData("fish", "complete -c channelnode -n '__fish_seen_subcommand_from channel; and not __fish_seen_subcommand_from ")]
    public async Task OtherShells_HaveScriptsOfTheSameCommands(string shell, string expected)
    {
        CliRun script = await CliRun.AsyncOf("completion", shell);

        Assert.Contains(expected, script.Output);
        Assert.Contains("start-close", script.Output);
    }
}
