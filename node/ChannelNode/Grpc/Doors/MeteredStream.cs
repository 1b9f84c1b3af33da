using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;

namespace ChannelNode.Grpc;

/// <summary>
/// The same as <see cref="MeteredBody"/> where a call is read by its whole body: every byte counts in <see cref="MessageRoom"/> until the call
/// ends, and who has to give way loses its connection. A body that is larger than <paramref name="limit"/> allows is refused before it is read
/// where its length was told, else with the first byte too much; null where the body is gRPC-Web's, which is limited by
/// <see cref="LimitedMessages"/>.
/// </summary>
internal sealed class MeteredStream(Stream body, long? length, MessageRoom.Part part, Func<bool> isKnown, MessageLimit? limit) : Stream
{
    private long _bytes;

    public static async Task MeterAsync(HttpContext http, RequestDelegate next, MessageRoom room, ApiAccess access)
    {
        using MessageRoom.Part part = room.Enter();
        Lock ending = new();
        bool isOver = false;
        part.OnEnd(_ =>
        {
            lock (ending)
                if (!isOver) http.Abort(); // Else another call may have what it was.
        });
        http.Features.Set(part);
        http.Request.Body = new MeteredStream(
            http.Request.Body, http.Request.ContentLength, part, () => access.Knows(http),
            LimitedMessages.IsGrpc(http) ? null : new MessageLimit(access, http));
        try
        {
            await next(http);
        }
        finally
        {
            lock (ending) isOver = true;
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancel = default)
    {
        if (length is { } told && limit?.Refuse(told) is { } tooLong) throw tooLong.ToRpcException();
        int read = await body.ReadAsync(buffer, cancel);
        part.Add(read);
        _bytes += read;
        if (part.Why is { } why) throw why.ToRpcException();
        if (_bytes > MeteredBody.UnknownBytesMax && !isKnown()) throw MeteredBody.TooLong(_bytes).ToRpcException();
        if (limit?.Refuse(_bytes, isAll: false) is { } tooMuch) throw tooMuch.ToRpcException();
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancel) =>
        ReadAsync(buffer.AsMemory(offset, count), cancel).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("bodies are read asynchronously");

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
