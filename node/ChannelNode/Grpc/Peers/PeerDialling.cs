using System.Net.Sockets;
using System.Security.Authentication;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Grpc.Net.Client;

namespace ChannelNode.Grpc;

/// <summary>Sessions that this node opens with its peers.</summary>
internal sealed class PeerDialling(NodeIdentity identity) : IAsyncDisposable
{
    /// <summary>HTTP/2's error code of a server that speaks HTTP/1.1 there.</summary>
    private const long Http11Required = 0xd;

    private readonly CancellationTokenSource _stopping = new();

    /// <summary>The node that sessions join; set before the first call.</summary>
    public Node? Node { private get; set; }

    public async Task<PeerLink> DialAsync(string url, Address? expected, CancellationToken cancel)
    {
        Node node = Node ?? throw new InvalidOperationException("dialled before the node was put together");
        SessionTls tls = SessionTls.OfCaller();
        GrpcChannel channel = OutgoingChannel.Open(url, "peer_url", node.Options.MessageBytesMax, tls);
        var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(
            PeerExchange.Method, null, new CallOptions(cancellationToken: _stopping.Token));
        MessageRoom.Part part = node.Peers.Messages.Enter();
        PeerTransport transport = new(node, identity, tls, call.ResponseStream, call.RequestStream, part);
        try
        {
            PeerSession session = await transport.HandshakeAsync(expected, _ => { }, cancel);
            part.Signer = session.Link.Signer;
            part.OnEnd(why => session.Link.End(why.Message));
            _ = RunAsync(transport, session, call, channel, part);
            return session.Link;
        }
        catch (Exception error) when (error is RpcException or HttpRequestException or SocketException)
        {
            Close();
            throw RefusalOf(error, "peer", url);
        }
        catch
        {
            Close();
            throw;
        }

        void Close()
        {
            call.Dispose();
            channel.Dispose();
            part.Dispose();
        }
    }

    private async Task RunAsync(
        PeerTransport transport,
        PeerSession session,
        AsyncDuplexStreamingCall<PeerEnvelope, PeerEnvelope> call,
        GrpcChannel channel,
        MessageRoom.Part part)
    {
        try
        {
            await transport.RunAsync(session, _stopping.Token);
        }
        catch (Exception)
        {
            // Told in the log by the engine, which dials again.
        }
        finally
        {
            call.Dispose();
            channel.Dispose();
            part.Dispose();
        }
    }

    /// <summary>Its own refusal where it gave one, PeerOffline otherwise.</summary>
    public static RefusalException RefusalOf(Exception error, string what, string url)
    {
        Refusal refusal = Refusal.PeerOffline;
        if (error is RpcException rpc && rpc.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>() is { } info)
            refusal = RefusalStatus.Parse(info.Reason);
        bool isEncrypted = url.StartsWith("https:", StringComparison.OrdinalIgnoreCase);
        return new RefusalException(refusal, $"{what} at {url}: {ReasonOf(error, isEncrypted)}", error);
    }

    /// <summary>As a server does that expects a TLS session: while it is read from, or while it is still written to.</summary>
    private static bool IsHungUp(Exception error) => error is HttpIOException or HttpRequestException
        or SocketException { SocketErrorCode: SocketError.Shutdown or SocketError.ConnectionReset or SocketError.ConnectionAborted };

    /// <summary>What the other side or the socket said, rather than what gRPC makes of it.</summary>
    private static string ReasonOf(Exception error, bool isEncrypted) => error switch
    {
        RpcException { StatusCode: StatusCode.Unimplemented } => "it answers, but does not speak this protocol (the port of an API?)",
        RpcException { Status.DebugException: { } cause } when cause.GetBaseException() is AuthenticationException tls =>
            $"no TLS session: {tls.Message.TrimEnd('.')}; the URL of a node that speaks none begins with http://",
        RpcException { Status.DebugException: { } cause } when cause.GetBaseException() is HttpProtocolException { ErrorCode: Http11Required } =>
            "it speaks HTTP/1.1 there (its port for JSON?)",
        RpcException { Status.DebugException: { } cause } when !isEncrypted && IsHungUp(cause.GetBaseException()) =>
            $"{cause.GetBaseException().Message.TrimEnd('.')}; the URL of a node that speaks TLS begins with https://",
        RpcException { StatusCode: StatusCode.Unavailable, Status.DebugException: { } cause } => cause.GetBaseException().Message,
        RpcException rpc => rpc.Status.Detail,
        _ => error.Message,
    };

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _stopping.Dispose();
    }
}
