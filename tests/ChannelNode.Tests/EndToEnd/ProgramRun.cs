using System.Diagnostics;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>One call of the program, in a process of its own and without a terminal, to its end.</summary>
internal sealed record ProgramRun(int ExitCode, string Output, string Error)
{
    public string All => Output + Error;

    public static Task<ProgramRun> AsyncOf(params string[] arguments) => WithAsync(new Dictionary<string, string>(), arguments);

    /// <summary>With variables of the environment beside those of this process.</summary>
    public static Task<ProgramRun> WithAsync(IReadOnlyDictionary<string, string> variables, params string[] arguments) =>
        RunAsync(variables, [], "dotnet", [Path.Combine(AppContext.BaseDirectory, "channelnode.dll"), .. arguments]);

    /// <summary>
    /// In a terminal. Each line is typed when the program has asked for it, by a text that ends in a colon; the output is what
    /// the terminal shows.
    /// </summary>
    public static Task<ProgramRun> AtTerminalAsync(string[] typed, params string[] arguments)
    {
        string command = string.Join(
            ' ', ["dotnet", Path.Combine(AppContext.BaseDirectory, "channelnode.dll"), .. arguments.Select(it => $"'{it}'")]);
        return RunAsync(new Dictionary<string, string>(), typed, "script", ["-qec", command, "/dev/null"]);
    }

    private static async Task<ProgramRun> RunAsync(
        IReadOnlyDictionary<string, string> variables, string[] typed, string program, string[] arguments)
    {
        ProcessStartInfo start = new(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        foreach ((string name, string value) in variables) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = "";
        foreach (string line in typed)
        {
            output += await UntilAskedAsync(process.StandardOutput);
            await process.StandardInput.WriteAsync(line + "\r");
            await process.StandardInput.FlushAsync();
        }

        if (typed.Length == 0) process.StandardInput.Close();
        output += await process.StandardOutput.ReadToEndAsync(TestChain.Limit);
        await process.WaitForExitAsync(TestChain.Limit);
        return new ProgramRun(process.ExitCode, output, await error);
    }

    private static async Task<string> UntilAskedAsync(StreamReader output)
    {
        string heard = "";
        char[] part = new char[256];
        while (!heard.TrimEnd().EndsWith(':'))
        {
            int count = await output.ReadAsync(part, TestChain.Limit);
            if (count == 0) break;
            heard += new string(part, 0, count);
        }

        return heard;
    }
}
