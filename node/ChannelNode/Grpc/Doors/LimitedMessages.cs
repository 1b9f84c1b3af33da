using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;

namespace ChannelNode.Grpc;

/// <summary>
/// What a gRPC call says, where its access token limits messages: one that is too large is refused by its head, before the rest of it has
/// come. Whoever reads takes whole messages, so what is read begins with a head: a byte that says whether it is compressed, four with its
/// length.
/// </summary>
internal sealed class LimitedMessages(PipeReader body, MessageLimit limit) : PipeReader, IRequestBodyPipeFeature
{
    private const int HeadBytes = 5;

    public PipeReader Reader => this;

    /// <summary>Stands before whatever reads messages of a door's calls, also of gRPC-Web, whose bytes may be unpacked first.</summary>
    public static Task LimitAsync(HttpContext http, RequestDelegate next, ApiAccess access)
    {
        if (IsGrpc(http)) http.Features.Set<IRequestBodyPipeFeature>(new LimitedMessages(http.Request.BodyReader, new MessageLimit(access, http)));
        return next(http);
    }

    /// <summary>In one of its forms; else a call's body is one message.</summary>
    public static bool IsGrpc(HttpContext http) =>
        http.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>As gRPC's own error: of a call of one message it is not seen by interceptors.</summary>
    private ReadResult Check(in ReadResult result)
    {
        if (result.Buffer.Length < HeadBytes) return result;
        Span<byte> head = stackalloc byte[HeadBytes];
        result.Buffer.Slice(0, HeadBytes).CopyTo(head);
        return limit.Refuse(BinaryPrimitives.ReadUInt32BigEndian(head[1..])) is { } why ? throw why.ToRpcException() : result;
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!body.TryRead(out result)) return false;
        Check(result);
        return true;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancel = default)
    {
        ValueTask<ReadResult> reading = body.ReadAsync(cancel);
        return reading.IsCompletedSuccessfully ? new ValueTask<ReadResult>(Check(reading.Result)) : ReadAsync(reading);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> ReadAsync(ValueTask<ReadResult> reading) => Check(await reading);

    public override void AdvanceTo(SequencePosition consumed) => body.AdvanceTo(consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => body.AdvanceTo(consumed, examined);

    public override void CancelPendingRead() => body.CancelPendingRead();

    public override void Complete(Exception? exception = null) => body.Complete(exception);
}
