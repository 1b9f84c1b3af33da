using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>
/// One gRPC call that streams both ways, alone on an HTTP/2 connection of its own (RFC 9113), with as little work as the
/// protocol allows: whatever the generator burns, the node on the same cores has not. Grpc.Net.Client took three times
/// as much of them for each message.
/// </summary>
internal sealed class Http2Call : IPolled, IDisposable
{
    private const int StreamId = 1;
    private const int PrefixBytes = 5; // gRPC: not compressed, length
    private const int ReceiveBytes = 64 << 10;

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly Http2Output _output;
    private readonly Uri _url;
    private readonly int _windowBytes;
    private byte[] _received = new byte[ReceiveBytes];
    private int _receivedBytes;
    private byte[] _messages = new byte[ReceiveBytes];
    private int _messageBytes;
    private int _uncredited;
    private MessageHandler? _handle;
    private Action? _afterEach;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isDisposed;
    private volatile bool _stalled;

    /// <summary><paramref name="windowBytes"/>: what the node may send ahead of our reading.</summary>
    public Http2Call(string url, int windowBytes)
    {
        (_url, _windowBytes) = (new Uri(url), windowBytes);
        _output = new Http2Output(_socket);
    }

    /// <summary>Called for every message, from the one reader; the bytes are valid during the call.</summary>
    public delegate void MessageHandler(ReadOnlySpan<byte> message);

    public void Start(string path)
    {
        _socket.Connect(IPEndPoint.Parse(_url.Authority));
        _socket.Blocking = false;
        _output.Raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        Span<byte> settings = stackalloc byte[18];
        Setting(settings, 1, 0); // No header table: the node's headers stay readable.
        Setting(settings[6..], 2, 0); // No push.
        Setting(settings[12..], 4, (uint)_windowBytes);
        _output.Frame(Http2Frame.Settings, 0, 0, settings);
        Credit(0, 1 << 30);
        _output.Frame(Http2Frame.Headers, Http2Frame.EndHeaders, StreamId, Headers(path));
        _output.Flush();
    }

    /// <summary>Sends one message; completes when the node's windows have let it go. One at a time.</summary>
    public Task SendAsync(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, int? claimedBytes = null)
    {
        byte[] message = _output.NewMessage(PrefixBytes + head.Length + body.Length);
        message[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), claimedBytes ?? head.Length + body.Length);
        head.CopyTo(message.AsSpan(PrefixBytes));
        body.CopyTo(message.AsSpan(PrefixBytes + head.Length));
        return _output.SendMessageAsync(StreamId, PrefixBytes + head.Length + body.Length);
    }

    /// <summary>
    /// Reads on the poller's thread, until the node ends the call, which faults the task. Not to be called twice.
    /// </summary>
    public Task ReadAsync(MessageHandler handle, Action afterEach)
    {
        (_handle, _afterEach) = (handle, afterEach);
        SocketPoller.Shared.Add(_socket, this);
        return _ended.Task;
    }

    void IPolled.Readable()
    {
        try
        {
            int count = _socket.Receive(_received.AsSpan(_receivedBytes), SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock) return;
            if (error != SocketError.Success) throw new SocketException((int)error);
            if (count == 0) throw new InvalidDataException("the node closed the connection");
            _receivedBytes += count;
            TakeFrames(_handle!);
            _output.Flush();
            _afterEach!();
        }
        catch (Exception ended)
        {
            _ended.TrySetException(ended);
            Dispose();
        }
    }

    void IPolled.Writable() => _output.SendOn();

    /// <summary>From now on nothing that the node says is taken: its window stays full. Pings are still answered.</summary>
    public void Stall() => _stalled = true;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1) return;
        _output.End();
        SocketPoller.Shared.Remove(_socket);
        _socket.Dispose();
        _ended.TrySetException(new ObjectDisposedException(nameof(Http2Call)));
    }

    private void TakeFrames(MessageHandler handle)
    {
        int taken = 0;
        while (Http2Frame.TryRead(_received.AsSpan(taken, _receivedBytes - taken), out Http2Frame frame, out ReadOnlySpan<byte> payload))
        {
            Take(frame, payload, handle);
            taken += Http2Frame.HeaderBytes + payload.Length;
        }

        _received.AsSpan(taken, _receivedBytes - taken).CopyTo(_received);
        _receivedBytes -= taken;
        if (_receivedBytes == _received.Length) Array.Resize(ref _received, 2 * _received.Length);
    }

    private void Take(Http2Frame frame, ReadOnlySpan<byte> payload, MessageHandler handle)
    {
        switch (frame.Type)
        {
            case Http2Frame.Data: TakeData(payload, handle); break;
            case Http2Frame.Settings when (frame.Flags & Http2Frame.Ack) == 0:
                _output.TakeSettings(payload);
                _output.Frame(Http2Frame.Settings, Http2Frame.Ack, 0, []);
                break;
            case Http2Frame.Ping when (frame.Flags & Http2Frame.Ack) == 0:
                _output.Frame(Http2Frame.Ping, Http2Frame.Ack, 0, payload);
                break;
            case Http2Frame.WindowUpdate:
                _output.TakeCredit(frame.StreamId, BinaryPrimitives.ReadInt32BigEndian(payload));
                break;
            case Http2Frame.Headers when (frame.Flags & Http2Frame.EndStream) != 0:
            case Http2Frame.ResetStream:
            case Http2Frame.GoAway:
                throw new InvalidDataException($"the node ended the session: {Readable(payload)}");
        }
    }

    private void TakeData(ReadOnlySpan<byte> payload, MessageHandler handle)
    {
        if (_stalled) return;
        if (_messageBytes + payload.Length > _messages.Length) Array.Resize(ref _messages, 2 * (_messageBytes + payload.Length));
        payload.CopyTo(_messages.AsSpan(_messageBytes));
        _messageBytes += payload.Length;
        int taken = 0;
        while (_messageBytes - taken >= PrefixBytes)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(_messages.AsSpan(taken + 1));
            if (_messageBytes - taken - PrefixBytes < length) break;
            handle(_messages.AsSpan(taken + PrefixBytes, length));
            taken += PrefixBytes + length;
        }

        _messages.AsSpan(taken, _messageBytes - taken).CopyTo(_messages);
        _messageBytes -= taken;
        _uncredited += payload.Length;
        if (_uncredited < _windowBytes / 4) return;
        Credit(0, (uint)_uncredited);
        Credit(StreamId, (uint)_uncredited);
        _uncredited = 0;
    }

    private void Credit(int stream, uint bytes)
    {
        Span<byte> increment = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(increment, bytes);
        _output.Frame(Http2Frame.WindowUpdate, 0, stream, increment);
    }

    private static void Setting(Span<byte> target, ushort number, uint value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(target, number);
        BinaryPrimitives.WriteUInt32BigEndian(target[2..], value);
    }

    /// <summary>HPACK's plainest form: every field a literal with a new name, no Huffman code.</summary>
    private byte[] Headers(string path)
    {
        (string Name, string Value)[] fields =
        [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", _url.Authority),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ];
        List<byte> block = [];
        foreach ((string name, string value) in fields)
        {
            block.Add(0);
            block.Add((byte)name.Length);
            block.AddRange(Encoding.ASCII.GetBytes(name));
            block.Add((byte)value.Length);
            block.AddRange(Encoding.ASCII.GetBytes(value));
        }

        return [.. block];
    }

    private static string Readable(ReadOnlySpan<byte> payload)
    {
        StringBuilder text = new();
        foreach (byte each in payload) text.Append(each is >= 32 and < 127 ? (char)each : ' ');
        return text.ToString();
    }
}
