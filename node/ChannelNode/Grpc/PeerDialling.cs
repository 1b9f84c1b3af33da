using System.Net.Sockets;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Grpc.Net.Client;

namespace ChannelNode.Grpc;

/// <summary>Sessions that this node opens with its peers.</summary>
internal sealed class PeerDialling(NodeIdentity identity) : IAsyncDisposable
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stopping = new();

    /// <summary>The node that sessions join; set before the first call.</summary>
    public Node? Node { private get; set; }

    public async Task<PeerLink> DialAsync(string url, Address? expected, CancellationToken cancel)
    {
        Node node = Node ?? throw new InvalidOperationException("dialled before the node was put together");
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? target) || target.Scheme is not ("http" or "https"))
        {
            throw new RefusalException(
                Refusal.InvalidArgument, $"peer_url {url} is not an http:// or https:// URL")
            { Field = "peer_url" };
        }

        GrpcChannel channel = GrpcChannel.ForAddress(target, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                // A peer that lost its power must not look connected.
                KeepAlivePingDelay = KeepAlive,
                KeepAlivePingTimeout = KeepAlive,
                KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
                ConnectTimeout = KeepAlive,
                UseProxy = false,
            },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = node.Options.MessageBytesMax,
            MaxSendMessageSize = node.Options.MessageBytesMax,
        });
        var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(
            PeerExchange.Method, null, new CallOptions(cancellationToken: _stopping.Token));
        PeerTransport transport = new(node, identity, isCaller: true, call.ResponseStream, call.RequestStream);
        try
        {
            PeerSession session = await transport.HandshakeAsync(expected, cancel);
            _ = RunAsync(transport, session, call, channel);
            return session.Link;
        }
        catch (Exception error) when (error is RpcException or HttpRequestException or SocketException)
        {
            call.Dispose();
            channel.Dispose();
            throw RefusalOf(error, url);
        }
        catch
        {
            call.Dispose();
            channel.Dispose();
            throw;
        }
    }

    private async Task RunAsync(
        PeerTransport transport,
        PeerSession session,
        AsyncDuplexStreamingCall<PeerEnvelope, PeerEnvelope> call,
        GrpcChannel channel)
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
        }
    }

    /// <summary>The peer's own refusal where it gave one, PeerOffline otherwise.</summary>
    private static RefusalException RefusalOf(Exception error, string url)
    {
        Refusal refusal = Refusal.PeerOffline;
        if (error is RpcException rpc && rpc.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>() is { } info)
            refusal = RefusalStatus.Parse(info.Reason);
        string reason = error is RpcException status ? status.Status.Detail : error.Message;
        return new RefusalException(refusal, $"peer at {url}: {reason}", error);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _stopping.Dispose();
    }
}
