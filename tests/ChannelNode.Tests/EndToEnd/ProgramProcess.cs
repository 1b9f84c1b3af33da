using System.Diagnostics;
using System.Globalization;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>The program as its own process, so that it can be killed as a machine's failure would kill it.</summary>
internal sealed class ProgramProcess
{
    private readonly Process _process;
    private readonly Task _ready;

    private ProgramProcess(Process process, Task ready) => (_process, _ready) = (process, ready);

    /// <summary><paramref name="logged"/> is told every line of its log.</summary>
    public static ProgramProcess Start(Action<Process, string> logged, IReadOnlyList<string> arguments)
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
        return new ProgramProcess(process, ready.Task);
    }

    public bool IsRunning => !_process.HasExited;

    /// <summary>The most memory that it ever had, in bytes, by the system's count.</summary>
    public long ResidentBytesMax()
    {
        string line = File.ReadLines($"/proc/{_process.Id}/status").First(it => it.StartsWith("VmHWM:", StringComparison.Ordinal));
        return 1_024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    /// <summary>Returns when it says that it is ready.</summary>
    public Task WhenReadyAsync() => _ready.WaitAsync(TestChain.Limit);

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestChain.Limit);
        _process.Dispose();
    }
}
