using ChannelNode.Engine;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace ChannelNode.Grpc;

/// <summary>
/// Stands before every gRPC method of the API's door, in whatever form it was called: asks <see cref="ApiAccess"/> once for
/// each call, by the method that the server resolved. A call that goes on ends when its token does.
/// </summary>
internal sealed class AccessInterceptor(ApiAccess access) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        using Caller caller = Admit(context);
        return await continuation(request, context);
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        TResponse response = null!;
        await StreamAsync(context, async within => response = await continuation(requestStream, within));
        return response;
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        StreamAsync(context, within => continuation(request, responseStream, within));

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        StreamAsync(context, within => continuation(requestStream, responseStream, within));

    private Caller Admit(ServerCallContext context)
    {
        (Scopes scope, string method) = MethodScopes.Of(context.Method);
        Caller caller = access.Admit(context.GetHttpContext(), scope, method, MethodReach.Of(context.Method));
        caller.Attach(context);
        // A stranger may ask for the node's health, and is in nobody's way for it.
        if (caller.Token is not null || !access.TokensRequired) ConnectionRoom.Use(context.GetHttpContext());
        return caller;
    }

    private async Task StreamAsync(ServerCallContext context, Func<ServerCallContext, Task> run)
    {
        using Caller caller = Admit(context);
        if (caller.Token is not { } token)
        {
            await run(context);
            return;
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, token.Ended);
        context.UserState[EndingCallContext.HttpContextKey] = context.GetHttpContext();
        try
        {
            await run(new EndingCallContext(context, ending.Token));
        }
        catch (Exception) when (token.Ended.IsCancellationRequested)
        {
            // The reason is the one below, whatever came of it.
        }

        if (token.Ended.IsCancellationRequested) throw token.Why!;
    }
}

/// <summary>The same call with another end.</summary>
internal sealed class EndingCallContext(ServerCallContext call, CancellationToken ending) : ServerCallContext
{
    /// <summary>Where ASP.NET looks for it in a context that is not its own.</summary>
    public const string HttpContextKey = "__HttpContext";

    protected override string MethodCore => call.Method;

    protected override string HostCore => call.Host;

    protected override string PeerCore => call.Peer;

    protected override DateTime DeadlineCore => call.Deadline;

    protected override Metadata RequestHeadersCore => call.RequestHeaders;

    protected override CancellationToken CancellationTokenCore => ending;

    protected override Metadata ResponseTrailersCore => call.ResponseTrailers;

    protected override Status StatusCore
    {
        get => call.Status;
        set => call.Status = value;
    }

    protected override WriteOptions? WriteOptionsCore
    {
        get => call.WriteOptions;
        set => call.WriteOptions = value;
    }

    protected override AuthContext AuthContextCore => call.AuthContext;

    protected override IDictionary<object, object> UserStateCore => call.UserState;

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) =>
        call.CreatePropagationToken(options);

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) =>
        call.WriteResponseHeadersAsync(responseHeaders);
}
