using System.Diagnostics;
using System.Text;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>
/// A process that ends with this object, and also when the load program dies: its shell reads our end of a pipe, which
/// the system closes then.
/// </summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    // cat ends when we close the pipe, or die. The first line is the id of the process that matters.
    private const string Script = "\"$@\" & child=$!; echo $child; cat > /dev/null; kill $child 2> /dev/null; wait $child";

    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);

    private static readonly List<ChildProcess> Running = [];

    private readonly Process _shell;
    private Task? _stopping;
    private readonly StringBuilder _output = new();
    private readonly string _name;
    private readonly Func<string, bool> _isReady;
    private readonly TaskCompletionSource<int> _id = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(string name, Func<string, bool> isReady, IReadOnlyList<string> command)
    {
        (_name, _isReady) = (name, isReady);
        ProcessStartInfo start = new("/bin/sh")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in (string[])["-c", Script, "sh", .. command]) start.ArgumentList.Add(argument);
        _shell = Process.Start(start)!;
        _shell.OutputDataReceived += (_, line) => Read(line.Data, isId: !_id.Task.IsCompleted);
        _shell.ErrorDataReceived += (_, line) => Read(line.Data, isId: false);
        _shell.BeginOutputReadLine();
        _shell.BeginErrorReadLine();
        lock (Running) Running.Add(this);
    }

    /// <summary>Of the process itself, not of its shell.</summary>
    public int Id => _id.Task.Result;

    /// <summary>The line that said it is ready.</summary>
    public string ReadyLine => _ready.Task.Result;

    /// <summary>Starts it and returns at once; await <see cref="WhenReadyAsync"/>.</summary>
    public static async Task<ChildProcess> StartAsync(string name, Func<string, bool> isReady, params IReadOnlyList<string> command)
    {
        ChildProcess child = new(name, isReady, command);
        await child._id.Task.WaitAsync(TimeSpan.FromSeconds(10));
        return child;
    }

    public async Task WhenReadyAsync(TimeSpan limit)
    {
        try
        {
            await _ready.Task.WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            throw new InvalidOperationException($"{_name} did not get ready within {limit.TotalSeconds} s:\n{Output}");
        }
    }

    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    private void Read(string? line, bool isId)
    {
        if (line is null)
        {
            _ready.TrySetException(new InvalidOperationException($"{_name} has ended:\n{Output}"));
            return;
        }

        if (isId)
        {
            _id.TrySetResult(int.Parse(line));
            return;
        }

        lock (_output)
        {
            if (_output.Length < 1 << 20) _output.AppendLine(line);
        }

        if (!_ready.Task.IsCompleted && _isReady(line)) _ready.TrySetResult(line);
    }

    /// <summary>For a program that is being stopped itself.</summary>
    public static void StopAll()
    {
        ChildProcess[] running;
        lock (Running) running = [.. Running];
        foreach (ChildProcess child in running) child.DisposeAsync().AsTask().Wait();
    }

    public ValueTask DisposeAsync()
    {
        lock (Running)
        {
            Running.Remove(this);
            return new ValueTask(_stopping ??= StopAsync());
        }
    }

    private async Task StopAsync()
    {
        _shell.StandardInput.Close();
        using CancellationTokenSource limit = new(StopLimit);
        try
        {
            await _shell.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _shell.Kill(entireProcessTree: true);
        }

        _shell.Dispose();
    }
}
