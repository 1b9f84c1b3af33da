using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Engine;
using Microsoft.AspNetCore.Http.Features;

namespace ChannelNode.Grpc;

/// <summary>
/// What a call says, with what of it waits to be whole counted in <see cref="MessageRoom"/>: Kestrel lets a caller send on what is looked at and
/// not taken, up to the largest message. Before it is known who calls that is <see cref="UnknownBytesMax"/> at most.
/// </summary>
internal sealed class MeteredBody(PipeReader body, MessageRoom.Part part, Func<bool> isKnown) : PipeReader, IRequestBodyPipeFeature
{
    /// <summary>Of a caller that has shown neither key nor token.</summary>
    public const int UnknownBytesMax = 16 * 1024;

    private ReadOnlySequence<byte> _read;
    private readonly Lock _ending = new();
    private long _counted;
    private long _rest;
    private bool _isOver;
    private volatile RefusalException? _refusal;

    public PipeReader Reader => this;

    /// <summary>Stands before whatever reads of a door's calls.</summary>
    public static async Task MeterAsync(HttpContext http, RequestDelegate next, MessageRoom room, Func<HttpContext, bool>? isKnown)
    {
        using MessageRoom.Part part = room.Enter();
        MeteredBody body = new(
            http.Request.BodyReader, part, isKnown is null ? () => !part.Signer.IsZero : () => isKnown(http));
        part.OnEnd(body.End);
        http.Features.Set(part);
        http.Features.Set<IRequestBodyPipeFeature>(body);
        try
        {
            await next(http);
        }
        finally
        {
            body.Finish();
        }
    }

    /// <summary>The part of the room that a metered call has.</summary>
    public static MessageRoom.Part PartOf(HttpContext http) => http.Features.GetRequiredFeature<MessageRoom.Part>();

    public static RefusalException TooLong(long bytes) => new(
        Refusal.TooManyBytes, $"a message has {bytes} bytes and more, expected at most {UnknownBytesMax} before it is known who sends it")
    {
        Field = "message",
        Value = $"{bytes}",
        Limit = $"{UnknownBytesMax}",
    };

    /// <summary>On whatever thread finds that this caller has to give way.</summary>
    private void End(RefusalException why)
    {
        lock (_ending)
        {
            if (_isOver) return; // Kestrel may have given the pipe to another call.
            _refusal = why;
            try
            {
                body.CancelPendingRead();
            }
            catch (Exception)
            {
                // The call was reset just now: it ends by itself.
            }
        }
    }

    private void Finish()
    {
        lock (_ending) _isOver = true;
    }

    private ReadResult Take(in ReadResult result)
    {
        ThrowIfRefused();
        _read = result.Buffer;
        return result;
    }

    /// <summary>As gRPC's own error: of a call of one message it is not seen by interceptors.</summary>
    private void ThrowIfRefused()
    {
        if (_refusal is { } why) throw why.ToRpcException();
    }

    public override bool TryRead(out ReadResult result)
    {
        Count(_rest);
        if (!body.TryRead(out result)) return false;
        result = Take(result);
        return true;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancel = default)
    {
        ThrowIfRefused(); // Perhaps nothing more comes to be read.
        Count(_rest);
        ValueTask<ReadResult> reading = body.ReadAsync(cancel);
        return reading.IsCompletedSuccessfully ? new ValueTask<ReadResult>(Take(reading.Result)) : ReadAsync(reading);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> ReadAsync(ValueTask<ReadResult> reading) => Take(await reading);

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        long read = _read.Length, rest = _read.IsEmpty ? 0 : _read.Slice(consumed).Length;
        bool hasGrown = rest > _rest;
        (_read, _rest) = (default, rest);
        body.AdvanceTo(consumed, examined);
        if (rest > UnknownBytesMax && hasGrown && !isKnown()) _refusal = TooLong(rest);
        Count(read); // What was taken is in some hands until the next is asked for.
    }

    private void Count(long bytes)
    {
        part.Add(bytes - _counted);
        _counted = bytes;
    }

    public override void CancelPendingRead() => body.CancelPendingRead();

    public override void Complete(Exception? exception = null) => body.Complete(exception);
}
