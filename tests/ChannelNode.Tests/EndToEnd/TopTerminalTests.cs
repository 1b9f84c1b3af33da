using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>'top' where somebody watches: in a pseudo-terminal, on a real node.</summary>
[Collection(DoorsCollection.Name)]
public sealed class TopTerminalTests(AnvilFixture anvil)
{
    private const string HideCursor = "\e[?25l";
    private const string ShowCursor = "\e[?25h";

    [Theory]
    [InlineData("q")]
    [InlineData("\e")] // Escape
    [InlineData("\x03")] // Ctrl-C, of which the terminal makes SIGINT
    public async Task LiveScreen_IsDrawnAnew_EndsByKeyOrSignal_AndLeavesTheTerminalAsItWas(string typed)
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(chain);
        // A job in the background, as which tests may run, has SIGINT ignored, and so would what it starts.
        string top = $"env --default-signal=INT dotnet '{Path.Combine(AppContext.BaseDirectory, "channelnode.dll")}' top --every-ms 100 --node {node.Host.ApiUrl}";
        ProcessStartInfo start = new(
            "script", ["-qec", $"trap : INT; stty cols 100 rows 40; echo before $(stty -g); {top}; echo code $?; echo after $(stty -g)", "/dev/null"])
        { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment["TERM"] = "xterm-256color";
        start.Environment["SHELL"] = "/bin/sh";
        using Process process = Process.Start(start)!;

        string shown;
        try
        {
            shown = await WatchAsync(process, typed);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }

        Assert.Contains("0 payments/s", shown);
        Assert.Contains("code 0", shown);
        Assert.Equal(Regex.Match(shown, "before (.*)").Groups[1].Value, Regex.Match(shown, "after (.*)").Groups[1].Value);
        Assert.True(shown.LastIndexOf(ShowCursor, StringComparison.Ordinal) > shown.LastIndexOf(HideCursor, StringComparison.Ordinal));
        Assert.Contains(HideCursor, shown);
    }

    /// <summary>All that the terminal shows until the program has ended; it is typed to when it has drawn its screen three times.</summary>
    private static async Task<string> WatchAsync(Process process, string typed)
    {
        string shown = "";
        char[] part = new char[4_096];
        while (Regex.Count(shown, "q ends") < 3)
        {
            int count = await process.StandardOutput.ReadAsync(part, TestChain.Limit);
            Assert.True(count > 0, $"it ended: {shown}");
            shown += new string(part, 0, count);
        }

        await process.StandardInput.WriteAsync(typed);
        await process.StandardInput.FlushAsync();
        shown += await process.StandardOutput.ReadToEndAsync(TestChain.Limit);
        await process.WaitForExitAsync(TestChain.Limit);
        return shown;
    }
}
