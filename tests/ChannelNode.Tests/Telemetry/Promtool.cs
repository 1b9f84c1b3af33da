using System.Diagnostics;
using ChannelNode.Tests.Tidy;
using Xunit;

namespace ChannelNode.Tests.Telemetry;

/// <summary>Prometheus' own checks, by the program that scripts/setup.sh installs.</summary>
internal static class Promtool
{
    private static string FileName =>
        Repository.PathOf(".tools/promtool") is var ours && File.Exists(ours) ? ours : "promtool";

    /// <summary>Fails with what it says, when it says that something is wrong.</summary>
    public static async Task CheckAsync(string input, params string[] arguments)
    {
        ProcessStartInfo start = new(FileName)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"promtool {string.Join(' ', arguments)}: {await output}{await error}\n{input}");
    }
}
