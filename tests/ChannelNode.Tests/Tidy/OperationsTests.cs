using System.Diagnostics;
using System.Text.RegularExpressions;
using ChannelNode.Tests.Cli;
using Xunit;

namespace ChannelNode.Tests.Tidy;

/// <summary>What operators run the node with names only what there is.</summary>
public sealed partial class OperationsTests
{
    private const string Unit = "node/ops/systemd/channelnode.service";
    private const string Image = "node/ops/docker/Dockerfile";
    private const string Compose = "node/ops/docker/compose.yaml";

    /// <summary>As the engine copies them: what is copied is there, in the project and in the stage before.</summary>
    [Fact]
    public void Dockerfile_CopiesWhatIsThere()
    {
        string[] lines = File.ReadAllLines(Repository.PathOf(Image));
        string[] copied =
        [
            .. lines.Where(line => line.StartsWith("COPY ") && !line.Contains("--from"))
                .SelectMany(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..^1]),
        ];

        Assert.Equal([], copied.Where(path => !Path.Exists(Repository.PathOf(path))));

        // What the program's build reads, and no more: everything that its project and the files above it name.
        string project = File.ReadAllText(Repository.PathOf("node/ChannelNode/ChannelNode.csproj"));
        foreach (Match reads in ReadsElsewhere().Matches(project))
            Assert.Contains(copied, path => reads.Groups["path"].Value.StartsWith(path, StringComparison.Ordinal));
        Assert.Equal(
            ["Directory.Build.props", "Directory.Packages.props", "global.json"],
            copied.Where(path => path.StartsWith("Directory") || path == "global.json").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Image_RunsAsNobody_WithoutAShell_AndIsAskedForItsHealth()
    {
        string[] lines = File.ReadAllLines(Repository.PathOf(Image));
        int last = Array.FindLastIndex(lines, line => line.StartsWith("FROM "));

        Assert.Contains("chiseled", lines[last]);
        Assert.Contains(lines[last..], line => line == "USER 1654:1654");
        Assert.Contains(lines[last..], line => line == "ENTRYPOINT [\"/app/channelnode\"]");
        Assert.Contains(lines[last..], line => line.Contains("HEALTHCHECK") && line.EndsWith("CMD [\"/app/channelnode\", \"info\"]"));
        Assert.DoesNotContain(lines[last..], line => line.StartsWith("RUN "));
    }

    /// <summary>Every flag that the unit and the compose file pass is one of 'run'.</summary>
    [Theory]
    [InlineData(Unit)]
    [InlineData(Compose)]
    public async Task Flags_AreThoseOfRun(string file)
    {
        CliRun help = await CliRun.AsyncOf("run", "--help");
        string text = string.Join('\n', File.ReadLines(Repository.PathOf(file))
            .Where(line => !line.TrimStart().StartsWith('#') && (line.Contains("ExecStart") || line.Contains("- --"))));

        Assert.NotEmpty(Flag().Matches(text));
        Assert.All(Flag().Matches(text), flag => Assert.Contains(flag.Value + " ", help.Output));
    }

    /// <summary>systemd-analyze, where it is: nothing unknown in the unit, and as locked in as the file says.</summary>
    [Fact]
    public void Unit_IsUnderstoodAndLockedIn()
    {
        string unit = File.ReadAllText(Repository.PathOf(Unit));
        foreach (string line in (string[])["Type=notify", "DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "WatchdogSec=60"])
            Assert.Contains("\n" + line + "\n", unit);
        if (!File.Exists("/usr/bin/systemd-analyze")) return;

        string verified = Analyze("verify");
        Assert.DoesNotContain("Unknown", verified);
        Assert.DoesNotContain("Failed to parse", verified);
        Match exposure = Exposure().Match(Analyze("security", "--offline=yes", "--no-pager"));
        if (exposure.Success) Assert.InRange(int.Parse(exposure.Groups["tenths"].Value.Replace(".", "")), 0, 20);
    }

    private static string Analyze(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("systemd-analyze", [.. arguments, Repository.PathOf(Unit)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output + errors.Result;
    }

    [GeneratedRegex(@"--[a-z-]+")]
    private static partial Regex Flag();

    [GeneratedRegex(@"Include=""\.\./\.\./(?<path>[^*""]+)")]
    private static partial Regex ReadsElsewhere();

    [GeneratedRegex(@"exposure level for channelnode\.service: (?<tenths>\d+\.\d)")]
    private static partial Regex Exposure();
}
