using System.CommandLine;
using System.Text.RegularExpressions;
using ChannelNode.Cli;
using ChannelNode.Tests.Cli;
using ChannelNode.Tests.Tidy;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// Every example of every --help, and every command of the README and of OPERATING.md, as they stand there, on a real chain and
/// real nodes. What is only known when they run is put in by a few rules (<see cref="ExampleRig.Known"/>).
/// </summary>
[Collection(DoorsCollection.Name)]
public sealed partial class DocumentedCommandTests(AnvilFixture anvil) : IAsyncLifetime
{
    /// <summary>What these pages have beside our own commands. Each has a test elsewhere, or needs none; a new one has to be told here.</summary>
    private static readonly string[] OfOthers =
    [
        "scripts/publish.sh --precompiled", // scripts/test.sh
        "openssl rand -hex 32 > hook.secret && chmod 600 hook.secret",
        "curl --header \"authorization: Bearer $(cat shop.token)\" http://127.0.0.1:9806/v1/info", // ExamplesTests
    ];

    private ExampleRig _rig = null!;

    public async Task InitializeAsync() => _rig = await ExampleRig.StartAsync(anvil);

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    [Fact]
    public async Task EveryExampleOfEveryHelp_Runs()
    {
        CommandShell shell = new(CliRun.NoActions, TimeProvider.System, TextWriter.Null, TextWriter.Null);
        List<string> examples = [.. ExamplesOf(CommandLine.Root(shell)).Distinct()];

        Assert.True(examples.Count > 60);
        foreach (string example in examples) await _rig.RunAsync(example);
    }

    private static IEnumerable<string> ExamplesOf(Command command) =>
        Lines(CliCommand.ExampleOf(command)).Concat(command.Subcommands.SelectMany(ExamplesOf));

    [Fact]
    public async Task EveryCommandOfTheReadme_Runs()
    {
        List<string> commands = [.. CommandsOf("README.md").Except(ReadmeStartTests.Commands())];

        Assert.True(commands.Count > 12);
        foreach (string command in commands) await _rig.RunAsync(command);
    }

    [Fact]
    public async Task EveryCommandOfTheOperatorsPage_Runs()
    {
        List<string> commands = CommandsOf("node/OPERATING.md");

        Assert.True(commands.Count > 35);
        Assert.Equal(OfOthers.Order(), commands.Where(it => !IsOurs(it)).Order());
        foreach (string command in commands.Where(IsOurs)) await _rig.RunAsync(command);
    }

    /// <summary>What stands in blocks of commands, and between back quotes in sentences.</summary>
    private static List<string> CommandsOf(string page)
    {
        string text = File.ReadAllText(Repository.PathOf(page));
        IEnumerable<string> inBlocks = Block().Matches(text)
            .SelectMany(block => Lines(Comment().Replace(block.Groups[1].Value, "")))
            .Where(line => !line.StartsWith("alias ", StringComparison.Ordinal));
        IEnumerable<string> inSentences = Quoted().Matches(Fenced().Replace(text, "")).Select(it => it.Groups[1].Value.ReplaceLineEndings(" "));
        return [.. inBlocks, .. inSentences.Where(it => IsOurs(it) && !it.Contains("http://127.0.0.1:9801", StringComparison.Ordinal))
            .Select(it => it.Replace("publish/", ""))];
    }

    private static bool IsOurs(string command) => Ours().IsMatch(command);

    private static IEnumerable<string> Lines(string text) => text.ReplaceLineEndings("\n").Replace("\\\n", " ").Split('\n')
        .Select(line => line.Trim()).Where(line => line.Length > 0);

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("```.*?```", RegexOptions.Singleline)]
    private static partial Regex Fenced();

    [GeneratedRegex(@"\s+# .*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"^([A-Z_]+=\S+ |source <\()?(publish/)?(channelnode|alice|bob) ")]
    private static partial Regex Ours();
}
