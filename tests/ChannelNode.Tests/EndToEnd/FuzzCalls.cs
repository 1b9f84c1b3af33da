using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Calls any RPC with any bytes, and says what is wrong with the answer.</summary>
internal sealed class FuzzCalls : IDisposable
{
    private static readonly Marshaller<byte[]> Raw = new(bytes => bytes, bytes => bytes);

    /// <summary>gRPC's own names for what it refuses itself.</summary>
    private static readonly StatusCode[] Own =
    [
        StatusCode.InvalidArgument, StatusCode.ResourceExhausted, StatusCode.Unimplemented, StatusCode.DeadlineExceeded, StatusCode.Cancelled,
        StatusCode.NotFound,
    ];

    /// <summary>Far above a call's deadline.</summary>
    private static readonly TimeSpan WriteMax = TimeSpan.FromSeconds(10);

    private readonly GrpcChannel _channel;
    private readonly CallInvoker _calls;

    public FuzzCalls(string url)
    {
        _channel = GrpcChannel.ForAddress(url, new GrpcChannelOptions { MaxSendMessageSize = null, MaxReceiveMessageSize = null });
        _calls = _channel.CreateCallInvoker();
    }

    /// <summary>Null where the answer is right: none in time, a result, or an error that says what was wrong.</summary>
    public async Task<string?> CallAsync(MethodDescriptor method, IReadOnlyList<byte[]> inputs, bool isAborted)
    {
        try
        {
            if (method.IsClientStreaming)
                await StreamAsync(method, inputs, isAborted);
            else
                await AskAsync(method, inputs[0]);
            return null;
        }
        catch (RpcException error) when (Own.Contains(error.StatusCode) || error.GetRpcStatus()?.GetDetail<ErrorInfo>() is { Reason: not "" })
        {
            return null;
        }
        catch (RpcException error)
        {
            return error.Status.ToString();
        }
    }

    private async Task AskAsync(MethodDescriptor method, byte[] input)
    {
        CallOptions options = new(deadline: DateTime.UtcNow.AddSeconds(1));
        if (!method.IsServerStreaming)
        {
            await _calls.AsyncUnaryCall(Of(method, MethodType.Unary), null, options, input);
            return;
        }

        using var call = _calls.AsyncServerStreamingCall(Of(method, MethodType.ServerStreaming), null, options, input);
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            // To its end, or the deadline.
        }
    }

    /// <summary>One after the other, then the end, or none: the caller is gone in the middle.</summary>
    private async Task StreamAsync(MethodDescriptor method, IReadOnlyList<byte[]> inputs, bool isAborted)
    {
        CallOptions options = new(deadline: DateTime.UtcNow.AddSeconds(1));
        using var call = _calls.AsyncDuplexStreamingCall(Of(method, MethodType.DuplexStreaming), null, options);
        try
        {
            foreach (byte[] input in inputs) await call.RequestStream.WriteAsync(input).WaitAsync(WriteMax);
            if (isAborted) return;
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception ended) when (CallWriting.IsOfEndedCall(ended) || ended is TimeoutException)
        {
            // It was refused meanwhile: the reason is what is heard next. Where that comes while a message waits for room, .NET's
            // HTTP/2 client may wait on for ever, past the deadline and the end of the connection.
        }

        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            // To its end, or the deadline.
        }
    }

    private static Method<byte[], byte[]> Of(MethodDescriptor method, MethodType type) =>
        new(type, method.Service.FullName, method.Name, Raw, Raw);

    public void Dispose() => _channel.Dispose();
}
