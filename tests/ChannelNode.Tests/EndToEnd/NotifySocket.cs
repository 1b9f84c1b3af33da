using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What systemd listens on.</summary>
internal sealed class NotifySocket : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"channelnode-{Guid.NewGuid():N}.sock");
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    public NotifySocket() => _socket.Bind(new UnixDomainSocketEndPoint(_path));

    public string Address => _path;

    /// <summary>Those that a service is started with.</summary>
    public Dictionary<string, string> Variables(TimeSpan watchdog) => new()
    {
        ["NOTIFY_SOCKET"] = _path,
        ["WATCHDOG_USEC"] = ((long)watchdog.TotalMicroseconds).ToString(CultureInfo.InvariantCulture),
    };

    public async Task<string> NextAsync(CancellationToken cancel)
    {
        var buffer = new byte[4_096];
        int length = await _socket.ReceiveAsync(buffer, SocketFlags.None, cancel);
        return Encoding.UTF8.GetString(buffer, 0, length);
    }

    /// <summary>Returns when datagrams that begin so have come, in this order.</summary>
    public async Task UntilToldAsync(params string[] states)
    {
        CancellationToken limit = TestChain.Limit;
        foreach (string state in states)
            while (!(await NextAsync(limit)).StartsWith(state, StringComparison.Ordinal)) { }
    }

    public void Dispose()
    {
        _socket.Dispose();
        File.Delete(_path);
    }
}
