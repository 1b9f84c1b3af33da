using System.Diagnostics;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>The program as its own process, so that it can be killed as a machine's failure would kill it.</summary>
internal sealed class ProgramProcess
{
    private readonly Process _process;

    private ProgramProcess(Process process) => _process = process;

    /// <summary>Returns when it says that it is ready. <paramref name="logged"/> is told every line of its log.</summary>
    public static async Task<ProgramProcess> StartAsync(Action<Process, string> logged, IReadOnlyList<string> arguments)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "channelnode.dll"));
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        Process process = Process.Start(start)!;
        TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.Contains(" ready: ", StringComparison.Ordinal) == true) ready.TrySetResult();
        };
        process.ErrorDataReceived += (sender, line) =>
        {
            if (line.Data is { } text) logged((Process)sender, text);
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await ready.Task.WaitAsync(TestChain.Limit);
        return new ProgramProcess(process);
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestChain.Limit);
        _process.Dispose();
    }
}
