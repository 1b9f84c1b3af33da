using System.Diagnostics;
using ChannelNode.Tests.Tidy;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>One of the programs in node/examples, run as its reader would run it.</summary>
/// <param name="payerToken">The access token that the payer's node is shown; none where null.</param>
/// <param name="payeeToken">The same of the payee's.</param>
internal sealed class ExampleProgram(string? payerToken = null, string? payeeToken = null)
{
#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif

    private static readonly Lazy<Task> TypeScriptIsBuilt = new(BuildTypeScriptAsync);

    public static string Folder(string language) => Repository.PathOf($"node/examples/{language}");

    public Task<string> CSharpAsync(string input, params string[] arguments) => RunAsync(
        input, "dotnet", [Path.Combine(Folder("csharp"), "bin", Configuration, "net10.0", "Example.dll"), .. arguments]);

    /// <param name="program">main, refused or webhook.</param>
    public async Task<string> TypeScriptAsync(string program, string input, params string[] arguments)
    {
        await TypeScriptIsBuilt.Value;
        return await RunAsync(input, "node", [Path.Combine(Folder("typescript"), "dist", "src", program + ".js"), .. arguments]);
    }

    /// <param name="program">pay, refused or verify-webhook.</param>
    public Task<string> CurlAsync(string program, string input, params string[] arguments) =>
        RunAsync(input, "bash", [Path.Combine(Folder("curl"), program + ".sh"), .. arguments]);

    /// <summary>What it wrote, and the exit code where that is not 0.</summary>
    private async Task<string> RunAsync(string input, string program, string[] arguments, string? folder = null)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? Path.GetTempPath(),
        };
        if (payerToken is not null) start.Environment["PAYER_TOKEN"] = payerToken;
        if (payeeToken is not null) start.Environment["PAYEE_TOKEN"] = payeeToken;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            await process.WaitForExitAsync(TestChain.Limit);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} does not end");
        }

        return await output.WaitAsync(TestChain.Limit) + await error.WaitAsync(TestChain.Limit) + (process.ExitCode == 0 ? "" : $"exit code {process.ExitCode}\n");
    }

    /// <summary>Only when something that it is made of is newer than what is there: it takes some seconds.</summary>
    private static async Task BuildTypeScriptAsync()
    {
        string[] sources =
        [
            .. Directory.GetFiles(Path.Combine(Folder("typescript"), "src")),
            .. Directory.GetFiles(Repository.PathOf("proto/channelnode/v1")),
            Path.Combine(Folder("typescript"), "package-lock.json"),
        ];
        string built = Path.Combine(Folder("typescript"), "dist", "src", "webhook.js");
        if (File.Exists(built) && sources.All(source => File.GetLastWriteTimeUtc(source) < File.GetLastWriteTimeUtc(built))) return;
        string said = await new ExampleProgram().RunAsync("", "npm", ["run", "build"], Folder("typescript"));
        Assert.True(File.Exists(built) && !said.Contains("exit code"), said);
    }
}
