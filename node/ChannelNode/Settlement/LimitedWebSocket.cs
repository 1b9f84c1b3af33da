using System.Net.WebSockets;

namespace ChannelNode.Settlement;

/// <summary>
/// A WebSocket that is broken off where a message goes on above a limit: nothing else would end it, and whoever reads keeps all of it.
/// </summary>
internal sealed class LimitedWebSocket(WebSocket inner, int messageBytesMax) : WebSocket
{
    private long _bytes;
    private volatile bool _isTooLarge;

    /// <summary>It was broken off for that.</summary>
    public bool IsTooLarge => _isTooLarge;

    public override WebSocketCloseStatus? CloseStatus => inner.CloseStatus;

    public override string? CloseStatusDescription => inner.CloseStatusDescription;

    public override WebSocketState State => inner.State;

    public override string? SubProtocol => inner.SubProtocol;

    public override async Task<WebSocketReceiveResult> ReceiveAsync(ArraySegment<byte> buffer, CancellationToken cancellationToken)
    {
        WebSocketReceiveResult received = await inner.ReceiveAsync(buffer, cancellationToken);
        Count(received.Count, received.EndOfMessage);
        return received;
    }

    public override async ValueTask<ValueWebSocketReceiveResult> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        ValueWebSocketReceiveResult received = await inner.ReceiveAsync(buffer, cancellationToken);
        Count(received.Count, received.EndOfMessage);
        return received;
    }

    public override Task SendAsync(
        ArraySegment<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
        inner.SendAsync(buffer, messageType, endOfMessage, cancellationToken);

    public override ValueTask SendAsync(
        ReadOnlyMemory<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
        inner.SendAsync(buffer, messageType, endOfMessage, cancellationToken);

    public override void Abort() => inner.Abort();

    public override Task CloseAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
        inner.CloseAsync(closeStatus, statusDescription, cancellationToken);

    public override Task CloseOutputAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
        inner.CloseOutputAsync(closeStatus, statusDescription, cancellationToken);

    public override void Dispose() => inner.Dispose();

    private void Count(int bytes, bool isLast)
    {
        _bytes += bytes;
        if (_bytes > messageBytesMax)
        {
            _isTooLarge = true;
            inner.Abort();
            throw new WebSocketException($"a message has more than {messageBytesMax} bytes");
        }

        if (isLast) _bytes = 0;
    }
}
