using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;

namespace ChannelNode.Grpc;

/// <summary>
/// The same as <see cref="MeteredBody"/> where a call is read by its whole body: every byte counts in <see cref="MessageRoom"/> until the call
/// ends, and who has to give way loses its connection.
/// </summary>
internal sealed class MeteredStream(Stream body, MessageRoom.Part part, Func<bool> isKnown) : Stream
{
    private long _bytes;

    public static async Task MeterAsync(HttpContext http, RequestDelegate next, MessageRoom room, Func<HttpContext, bool> isKnown)
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
        http.Request.Body = new MeteredStream(http.Request.Body, part, () => isKnown(http));
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
        int read = await body.ReadAsync(buffer, cancel);
        part.Add(read);
        _bytes += read;
        if (part.Why is { } why) throw why.ToRpcException();
        if (_bytes > MeteredBody.UnknownBytesMax && !isKnown()) throw MeteredBody.TooLong(_bytes).ToRpcException();
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
