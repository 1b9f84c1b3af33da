using System.Diagnostics;
using System.Text.RegularExpressions;
using ChannelNode.Cli;
using ChannelNode.Tests.Cli;
using ChannelNode.Tests.Tidy;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// The commands that bring a newcomer to a node, as the README has them, on chains of their own. The first one, which takes half a
/// minute, is run by scripts/test.sh; what it leaves, publish/channelnode, is the program that was built for the tests.
/// </summary>
public sealed partial class ReadmeStartTests : IDisposable
{
    private const string Publish = "scripts/publish.sh";

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-start-").FullName;
    private readonly List<Process> _started = [];

    public ReadmeStartTests()
    {
        Directory.CreateSymbolicLink(Path.Combine(_folder, "contracts"), Repository.PathOf("contracts"));
        string program = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "publish")).FullName, "channelnode");
        File.WriteAllText(program, $"#!/bin/sh\nexec dotnet '{Path.Combine(AppContext.BaseDirectory, "channelnode.dll")}' \"$@\"\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public void Dispose()
    {
        foreach (Process process in _started)
        {
            if (!process.HasExited) process.Kill();
            process.WaitForExit();
            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The first block of commands in the README, without what is said of each.</summary>
    public static IReadOnlyList<string> Commands()
    {
        Match block = Block().Match(File.ReadAllText(Repository.PathOf("README.md")));
        return [.. Comment().Replace(block.Groups[1].Value, "").Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0)];
    }

    [Fact]
    public async Task CommandsOfTheReadme_MakeAWorkingNodeAndASecondOneThatItPays()
    {
        IReadOnlyList<string> commands = Commands();
        Assert.Equal(3, commands.Count);
        Assert.Equal(Publish, commands[0]);
        Assert.True(File.Exists(Repository.PathOf(Publish)));
        Assert.Contains($"check \"publish\" {Publish}", File.ReadAllText(Repository.PathOf("scripts/test.sh")));

        int chain = Ports.Free(), api = Ports.Free(), peers = Ports.Free(), bobs = Ports.Free();
        await UntilSaidAsync(Start($"{commands[1].TrimEnd('&')} --port {chain}"), "Listening on");
        await UntilSaidAsync(Start(commands[2], chain, api, peers), " ready: ");
        await UntilSaidAsync(Start($"{commands[2]} --data-dir bob-node", chain, 0, bobs), " ready: ");

        CliRun opened = await AskAsync(api, "channel", "open", "--peer", $"http://127.0.0.1:{bobs}", "--amount", "1 ETH", "--yes", "--json");
        Assert.True(opened.ExitCode == ExitCode.Done, opened.Error);
        string channel = Id().Match(opened.Output).Value;
        CliRun paid = await AskAsync(api, "pay", channel, "0.25 ETH");
        Assert.True(paid.ExitCode == ExitCode.Done, paid.Error);
        Assert.True(File.Exists(Path.Combine(_folder, "anvil-node", "signer.key")));
    }

    /// <summary>A chain that was started anew knows nothing of what the database knows, and the newcomer is told what to do.</summary>
    [Fact]
    public async Task ChainStartedAnew_IsRefusedByNameUntilTheFolderIsRemoved()
    {
        string node = Commands()[2];
        int first = Ports.Free(), second = Ports.Free();
        await UntilSaidAsync(Start($"{Commands()[1].TrimEnd('&')} --port {first}"), "Listening on");
        await UntilSaidAsync(Start($"{Commands()[1].TrimEnd('&')} --port {second}"), "Listening on");
        Process old = Start(node, first, 0, 0);
        await UntilSaidAsync(old, " ready: ");
        old.Kill();
        await old.WaitForExitAsync(TestChain.Limit);

        Process again = Start(node, second, 0, 0);
        await again.WaitForExitAsync(TestChain.Limit);
        string error = await again.StandardError.ReadToEndAsync();
        Assert.Contains("error: WRONG_CHAIN: ", error);
        Assert.Contains("remove anvil-node", error);
        Directory.Delete(Path.Combine(_folder, "anvil-node"), recursive: true);
        await UntilSaidAsync(Start(node, second, 0, 0), " ready: ");
    }

    /// <summary>By a shell, which becomes the program: what is killed is that. Ports of this test come by the environment.</summary>
    private Process Start(string command, int chain = 0, int api = 0, int peers = 0)
    {
        ProcessStartInfo start = new("/bin/sh", ["-c", $"exec {command}"])
        {
            WorkingDirectory = _folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["CHANNELNODE_RPC_URL"] = $"ws://127.0.0.1:{chain}";
        start.Environment["CHANNELNODE_API_LISTEN"] = $"127.0.0.1:{api}";
        start.Environment["CHANNELNODE_PEER_LISTEN"] = $"127.0.0.1:{peers}";
        Process process = Process.Start(start)!;
        _started.Add(process);
        return process;
    }

    private static async Task UntilSaidAsync(Process process, string words)
    {
        while (await process.StandardOutput.ReadLineAsync(TestChain.Limit) is { } line)
        {
            if (!line.Contains(words, StringComparison.Ordinal)) continue;
            _ = process.StandardOutput.ReadToEndAsync(); // or it waits for us when the pipe is full
            _ = process.StandardError.ReadToEndAsync();
            return;
        }

        Assert.Fail($"it ended: {await process.StandardError.ReadToEndAsync()}");
    }

    private static Task<CliRun> AskAsync(int api, params string[] arguments) =>
        CliRun.WithActionsAsync(CliRun.NoActions, [.. arguments, "--node", $"http://127.0.0.1:{api}"], TestChain.Limit);

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"\s+# .*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex("0x[0-9a-f]{64}")]
    private static partial Regex Id();
}
