using ChannelNode.Engine;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace ChannelNode.Grpc;

/// <summary>
/// At NodeService's door while the node stops: what only reads goes on, payments' calls are waited for, and nothing else is
/// begun.
/// </summary>
internal sealed class DrainInterceptor(Drain drain) : Interceptor
{
    private static readonly string[] Reading = ["Get", "List", "Subscribe"];

    private static bool IsReading(ServerCallContext context)
    {
        ReadOnlySpan<char> name = context.Method.AsSpan(context.Method.LastIndexOf('/') + 1);
        foreach (string begin in Reading)
            if (name.StartsWith(begin, StringComparison.Ordinal)) return true;
        return !context.Method.StartsWith("/channelnode.", StringComparison.Ordinal); // Health and reflection.
    }

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        if (IsReading(context)) return await continuation(request, context);
        drain.Enter();
        try
        {
            return await continuation(request, context);
        }
        finally
        {
            drain.Leave();
        }
    }

    /// <summary>What tells of a job's progress is not waited for: the job goes on at the next start.</summary>
    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        if (!IsReading(context)) drain.ThrowIfOn();
        return continuation(request, responseStream, context);
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        drain.ThrowIfOn();
        return await continuation(requestStream, context);
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        if (IsReading(context))
        {
            await continuation(requestStream, responseStream, context);
            return;
        }

        drain.Enter();
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        finally
        {
            drain.Leave();
        }
    }
}
