using ChannelNode.Engine;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace ChannelNode.Grpc;

/// <summary>Turns the engine's refusals into gRPC errors with their names, at the one place where calls leave.</summary>
internal sealed class RefusalInterceptor : Interceptor
{
    /// <summary>Null for a fault of this program, which goes on as it is. A caller that hangs up is none.</summary>
    private static RpcException? Answer(Exception error, ServerCallContext context) => error switch
    {
        RefusalException refusal => refusal.ToRpcException(),
        OperationCanceledException when context.CancellationToken.IsCancellationRequested =>
            new RpcException(new Status(StatusCode.Cancelled, "the caller has ended the call")),
        _ => null,
    };

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception error) when (Answer(error, context) is { } answer)
        {
            throw answer;
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception error) when (Answer(error, context) is { } answer)
        {
            throw answer;
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(requestStream, context);
        }
        catch (Exception error) when (Answer(error, context) is { } answer)
        {
            throw answer;
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception error) when (Answer(error, context) is { } answer)
        {
            throw answer;
        }
    }
}
