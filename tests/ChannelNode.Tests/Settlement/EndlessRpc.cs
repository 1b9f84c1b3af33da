using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace ChannelNode.Tests.Settlement;

/// <summary>
/// Stands before an RPC, by HTTP or WebSocket, and answers some questions with what has no end: a result with blanks before it, which ends
/// after all, and well, when a reader has taken far more of it than it should.
/// </summary>
internal sealed class EndlessRpc : IDisposable
{
    public const int EnoughBytes = 32 * 1024 * 1024;

    private static readonly byte[] Blanks = [.. Enumerable.Repeat((byte)' ', 64 * 1024)];

    private readonly HttpListener _listener = new();
    private readonly HttpClient _upstream = new();
    private readonly string _upstreamUrl;
    private readonly Func<string, JsonElement, string?> _endless;
    private int _endlessAnswers;

    /// <param name="endless">By method and parameters, the result with which an answer would end that has none; null to pass it on.</param>
    public EndlessRpc(string upstreamUrl, string transport, Func<string, JsonElement, string?> endless)
    {
        (_upstreamUrl, _endless) = (upstreamUrl, endless);
        int port = Ports.Free();
        Url = $"{transport}://127.0.0.1:{port}";
        _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        _listener.Start();
        _ = ServeAsync();
    }

    public string Url { get; }

    public int EndlessAnswers => _endlessAnswers;

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
        try
        {
            if (context.Request.IsWebSocketRequest)
            {
                await TalkAsync((await context.AcceptWebSocketAsync(null)).WebSocket);
                return;
            }

            using var reader = new StreamReader(context.Request.InputStream);
            string body = await reader.ReadToEndAsync();
            context.Response.ContentType = "application/json";
            context.Response.SendChunked = true;
            await AnswerAsync(body, (part, _) => context.Response.OutputStream.WriteAsync(part));
            context.Response.Close();
        }
        catch (Exception cut) when (cut is HttpListenerException or IOException or WebSocketException or ObjectDisposedException)
        {
            // The reader has had enough.
        }
    }

    private async Task TalkAsync(WebSocket socket)
    {
        var buffer = new byte[64 * 1024];
        while (socket.State == WebSocketState.Open)
        {
            using MemoryStream request = new();
            WebSocketReceiveResult received;
            do
            {
                received = await socket.ReceiveAsync(buffer, CancellationToken.None);
                request.Write(buffer, 0, received.Count);
            }
            while (!received.EndOfMessage);
            if (received.MessageType == WebSocketMessageType.Close) return;
            await AnswerAsync(
                Encoding.UTF8.GetString(request.ToArray()),
                (part, isLast) => socket.SendAsync(part, WebSocketMessageType.Text, isLast, CancellationToken.None));
        }
    }

    private async Task AnswerAsync(string body, Func<ReadOnlyMemory<byte>, bool, ValueTask> write)
    {
        JsonElement request = JsonDocument.Parse(body).RootElement;
        if (_endless(request.GetProperty("method").GetString()!, request.GetProperty("params")) is not { } result)
        {
            using var content = new StringContent(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await _upstream.PostAsync(_upstreamUrl, content);
            await write(await response.Content.ReadAsByteArrayAsync(), true);
            return;
        }

        Interlocked.Increment(ref _endlessAnswers);
        await write(Encoding.UTF8.GetBytes($"{{\"jsonrpc\":\"2.0\",\"id\":{request.GetProperty("id")},\"result\":"), false);
        for (int sent = 0; sent < EnoughBytes; sent += Blanks.Length) await write(Blanks, false);
        await write(Encoding.UTF8.GetBytes(result + "}"), true);
    }
}
