using System.Buffers.Binary;
using System.Net.Sockets;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>
/// What waits to go out on one connection, and what the node's windows still allow. Frames are put together under a
/// lock; whoever finds nobody sending sends everything that waits with one system call.
/// </summary>
internal sealed class Http2Output(Socket socket)
{
    private readonly Lock _lock = new();
    private byte[] _waiting = new byte[64 << 10];
    private byte[] _sending = new byte[64 << 10];
    private int _waitingBytes;
    private int _sendingBytes;
    private int _sentBytes;
    private bool _isSending;
    private byte[] _message = new byte[16 << 10];
    private int _frameBytesMax = 16_384;
    private int _initialWindow = 65_535;
    private long _streamCredit = 65_535;
    private long _connectionCredit = 65_535;
    private TaskCompletionSource? _credited;
    private Exception? _ended;

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        lock (_lock) Append(bytes);
    }

    public void Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        lock (_lock) AppendFrame(new Http2Frame(type, flags, stream), payload);
    }

    /// <summary>Where the next message is put together, before <see cref="SendMessageAsync"/>.</summary>
    public byte[] NewMessage(int bytes)
    {
        if (_message.Length < bytes) _message = new byte[2 * bytes];
        return _message;
    }

    public Task SendMessageAsync(int stream, int bytes)
    {
        int sent = Take(stream, 0, bytes);
        Flush();
        return sent == bytes ? Task.CompletedTask : SendRestAsync(stream, sent, bytes);
    }

    private async Task SendRestAsync(int stream, int sent, int bytes)
    {
        while (sent < bytes)
        {
            Task credited;
            lock (_lock)
            {
                if (_ended is not null) throw new InvalidOperationException("the call has ended", _ended);
                credited = Math.Min(_streamCredit, _connectionCredit) > 0
                    ? Task.CompletedTask
                    : (_credited ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await credited;
            sent = Take(stream, sent, bytes);
            Flush();
        }
    }

    /// <summary>Puts as much of the message into frames as the windows allow; answers how far that went.</summary>
    private int Take(int stream, int from, int to)
    {
        lock (_lock)
        {
            if (_ended is not null) throw new InvalidOperationException("the call has ended", _ended);
            while (from < to)
            {
                int part = (int)Math.Min(Math.Min(to - from, _frameBytesMax), Math.Min(_streamCredit, _connectionCredit));
                if (part <= 0) break;
                AppendFrame(new Http2Frame(Http2Frame.Data, 0, stream), _message.AsSpan(from, part));
                _streamCredit -= part;
                _connectionCredit -= part;
                from += part;
            }

            return from;
        }
    }

    public void TakeSettings(ReadOnlySpan<byte> settings)
    {
        lock (_lock)
        {
            for (; settings.Length >= 6; settings = settings[6..])
            {
                int value = BinaryPrimitives.ReadInt32BigEndian(settings[2..]);
                switch (BinaryPrimitives.ReadUInt16BigEndian(settings))
                {
                    case 4:
                        _streamCredit += value - _initialWindow;
                        _initialWindow = value;
                        break;
                    case 5: _frameBytesMax = value; break;
                }
            }

            Wake();
        }
    }

    public void TakeCredit(int stream, int bytes)
    {
        lock (_lock)
        {
            if (stream == 0) _connectionCredit += bytes;
            else _streamCredit += bytes;
            Wake();
        }
    }

    /// <summary>Nobody waits for credit any more.</summary>
    public void End() => End(new ObjectDisposedException(nameof(Http2Call)));

    private void End(Exception reason)
    {
        lock (_lock)
        {
            _ended ??= reason;
            Wake();
        }
    }

    public void Flush()
    {
        lock (_lock)
        {
            if (_isSending || _waitingBytes == 0) return;
            _isSending = true;
        }

        SendAll();
    }

    /// <summary>For the poller: the kernel has room again.</summary>
    public void SendOn()
    {
        SocketPoller.Shared.Watch(socket, writable: false);
        SendAll();
    }

    private void SendAll()
    {
        while (true)
        {
            if (_sentBytes == _sendingBytes && !TryTakeWaiting()) return;
            int sent = socket.Send(_sending.AsSpan(_sentBytes, _sendingBytes - _sentBytes), SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
            {
                SocketPoller.Shared.Watch(socket, writable: true);
                return;
            }

            if (error != SocketError.Success)
            {
                End(new SocketException((int)error));
                return;
            }

            _sentBytes += sent;
        }
    }

    private bool TryTakeWaiting()
    {
        lock (_lock)
        {
            (_waiting, _sending) = (_sending, _waiting);
            (_sentBytes, _sendingBytes, _waitingBytes) = (0, _waitingBytes, 0);
            _isSending = _sendingBytes > 0;
            return _isSending;
        }
    }

    private void Wake()
    {
        _credited?.TrySetResult();
        _credited = null;
    }

    private void AppendFrame(Http2Frame frame, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[Http2Frame.HeaderBytes];
        frame.Write(head, payload.Length);
        Append(head);
        Append(payload);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (_waitingBytes + bytes.Length > _waiting.Length) Array.Resize(ref _waiting, 2 * (_waitingBytes + bytes.Length));
        bytes.CopyTo(_waiting.AsSpan(_waitingBytes));
        _waitingBytes += bytes.Length;
    }
}
