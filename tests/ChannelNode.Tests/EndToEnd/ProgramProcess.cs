using System.Diagnostics;
using System.Globalization;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>The program as its own process, so that it can be killed as a machine's failure would kill it.</summary>
internal sealed class ProgramProcess
{
    private readonly Process _process;
    private readonly Task _ready;

    private ProgramProcess(Process process, Task ready) => (_process, _ready) = (process, ready);

    /// <summary>
    /// Variables that take back what the tests' run settings change of .NET: for tests that look at how much memory or time the program takes.
    /// </summary>
    public static IReadOnlyDictionary<string, string> AsShipped { get; } = new Dictionary<string, string>
    {
        ["DOTNET_TC_QuickJit"] = "0",
        ["DOTNET_EnableWriteXorExecute"] = "1",
        ["DOTNET_gcServer"] = "1",
        ["DOTNET_GCgen0size"] = "0",
    };

    /// <summary><paramref name="logged"/> is told every line of its log.</summary>
    public static ProgramProcess Start(
        Action<Process, string> logged, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "channelnode.dll"));
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
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

    /// <summary>What a service manager sends to stop it.</summary>
    public void Terminate()
    {
        using Process kill = Process.Start("kill", ["-TERM", _process.Id.ToString()]);
        kill.WaitForExit();
    }

    /// <summary>Returns with its exit code when it has ended by itself.</summary>
    public async Task<int> WhenEndedAsync()
    {
        await _process.WaitForExitAsync(TestChain.Limit);
        int code = _process.ExitCode;
        _process.Dispose();
        return code;
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestChain.Limit);
        _process.Dispose();
    }
}
