using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace ChannelNode.Tests.Settlement;

/// <summary>Stands before an HTTP RPC and answers what a test wants instead, as poorer providers do.</summary>
internal sealed class RpcProxy : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly HttpClient _upstream = new();
    private readonly Func<string, JsonElement, (int Status, string Body)?> _instead;
    private readonly string _upstreamUrl;

    /// <param name="upstreamUrl">Where everything else goes.</param>
    /// <param name="instead">
    /// By method and whole request: the answer, or null to pass it on; status <see cref="Disconnect"/> for none at all.
    /// </param>
    public RpcProxy(string upstreamUrl, Func<string, JsonElement, (int Status, string Body)?> instead)
    {
        (_upstreamUrl, _instead) = (upstreamUrl, instead);
        Url = $"http://127.0.0.1:{Ports.Free()}";
        _listener.Prefixes.Add(Url + "/");
        _listener.Start();
        _ = ServeAsync();
    }

    /// <summary>Instead of a status: the connection is cut without an answer.</summary>
    public const int Disconnect = 0;

    public string Url { get; }

    /// <summary>Passes a request on at once, for a test that then answers otherwise.</summary>
    public static void PassOn(string upstreamUrl, JsonElement request)
    {
        using var client = new HttpClient();
        using var content = new StringContent(request.GetRawText(), Encoding.UTF8, "application/json");
        using HttpResponseMessage response = client.Send(new HttpRequestMessage(HttpMethod.Post, upstreamUrl) { Content = content });
    }

    public static (int, string) Error(JsonElement request, string message, int code = -32005) => (200, JsonSerializer.Serialize(
        new { jsonrpc = "2.0", id = request.GetProperty("id"), error = new { code, message } }));

    public void Dispose()
    {
        _listener.Close();
        _upstream.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true) _ = AnswerAsync(await _listener.GetContextAsync());
        }
        catch (Exception closed) when (closed is HttpListenerException or ObjectDisposedException)
        {
            // Disposed of.
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        using var reader = new StreamReader(context.Request.InputStream);
        string body = await reader.ReadToEndAsync();
        JsonElement request = JsonDocument.Parse(body).RootElement;
        (int status, string answer) = _instead(request.GetProperty("method").GetString()!, request)
            ?? (200, await ForwardAsync(body));
        if (status == Disconnect)
        {
            context.Response.Abort();
            return;
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(answer));
        context.Response.Close();
    }

    private async Task<string> ForwardAsync(string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await _upstream.PostAsync(_upstreamUrl, content);
        return await response.Content.ReadAsStringAsync();
    }
}

/// <summary>Passes bytes on to a port of this machine until its connections are cut.</summary>
internal sealed class TcpRelay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<TcpClient> _clients = [];
    private readonly int _target;

    public TcpRelay(int target)
    {
        _target = target;
        _listener.Start();
        _ = ServeAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int ConnectionCount { get; private set; }

    public void CutAll()
    {
        lock (_clients)
        {
            foreach (TcpClient client in _clients) client.Dispose();
            _clients.Clear();
        }
    }

    public void Dispose()
    {
        _listener.Stop();
        CutAll();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                TcpClient near = await _listener.AcceptTcpClientAsync();
                var far = new TcpClient();
                await far.ConnectAsync(IPAddress.Loopback, _target);
                ConnectionCount++;
                lock (_clients) _clients.AddRange([near, far]);
                _ = CopyAsync(near, far);
                _ = CopyAsync(far, near);
            }
        }
        catch (Exception stopped) when (stopped is SocketException or ObjectDisposedException)
        {
            // Disposed of.
        }
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to)
    {
        try
        {
            await from.GetStream().CopyToAsync(to.GetStream());
        }
        catch (Exception cut) when (cut is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // Cut.
        }
    }
}
