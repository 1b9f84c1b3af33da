using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace ChannelNode.Cli;

/// <summary>
/// What a program tells the service manager that started it (systemd's sd_notify): that it is ready, that it stops, and again and
/// again that it lives. Does nothing where nobody asked to be told.
/// </summary>
internal sealed class ServiceManager(string? socketPath, TimeSpan? watchdog, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Of the time after which a silent service is taken for dead: one ping may be late.</summary>
    private const int PingsPerWatchdog = 3;

    private readonly CancellationTokenSource _stopping = new();
    private Task _pinging = Task.CompletedTask;

    /// <summary>As systemd's variables say; another process's watchdog is not ours.</summary>
    public static ServiceManager FromEnvironment(TimeProvider time)
    {
        bool isOurs = Environment.GetEnvironmentVariable("WATCHDOG_PID") is not { Length: > 0 } pid
            || pid == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        TimeSpan? watchdog = isOurs
            && long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), CultureInfo.InvariantCulture, out long microseconds)
            && microseconds > 0
                ? TimeSpan.FromMicroseconds(microseconds)
                : null;
        return new ServiceManager(SocketPath, watchdog, time);
    }

    private static string? SocketPath => Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is { Length: > 0 } socket ? socket : null;

    /// <summary>What the program is at before it is ready.</summary>
    public static void Status(string status) => Status(SocketPath, status);

    internal static void Status(string? socketPath, string status) => Tell(socketPath, $"STATUS={status.ReplaceLineEndings(" ")}");

    /// <summary>
    /// The program serves. From now on the watchdog is pinged whenever <paramref name="isAlive"/> says so within the given time,
    /// and only then.
    /// </summary>
    public void Ready(string status, Func<TimeSpan, Task<bool>> isAlive)
    {
        Tell($"READY=1\nSTATUS={status}");
        if (watchdog is { } limit && socketPath is not null) _pinging = PingAsync(limit / PingsPerWatchdog, isAlive);
    }

    public void Stopping() => Tell("STOPPING=1\nSTATUS=draining");

    private async Task PingAsync(TimeSpan every, Func<TimeSpan, Task<bool>> isAlive)
    {
        using PeriodicTimer timer = new(every, time);
        try
        {
            do
            {
                if (await isAlive(every)) Tell("WATCHDOG=1");
            }
            while (await timer.WaitForNextTickAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // The program ends.
        }
    }

    private void Tell(string state) => Tell(socketPath, state);

    /// <summary>A manager that does not listen any more is no reason to stop.</summary>
    private static void Tell(string? socketPath, string state)
    {
        if (socketPath is null) return;
        try
        {
            using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            string path = socketPath[0] == '@' ? '\0' + socketPath[1..] : socketPath;
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            // As above.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _pinging;
        _stopping.Dispose();
    }
}
