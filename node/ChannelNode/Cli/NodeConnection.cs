using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Channel = ChannelNode.Proto.V1.Channel;

namespace ChannelNode.Cli;

/// <summary>The node that a command talks to.</summary>
internal sealed class NodeConnection : IDisposable
{
    private const int PageSize = 1_000;

    private readonly string _url;
    private readonly NodeTrust _trust;
    private readonly GrpcChannel _channel;

    /// <param name="url">http://, https:// or unix:/path.</param>
    /// <param name="token">Shown with every call; null for none.</param>
    /// <param name="trust">By what a node at https:// is known.</param>
    public NodeConnection(string url, string? token, NodeTrust trust)
    {
        (_url, _trust) = (url, trust);
        SocketsHttpHandler sockets = new()
        {
            // The node speaks HTTP/2, without TLS too, which no proxy forwards; one set for the web would only break this.
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                RemoteCertificateValidationCallback = trust.Accept,
            },
        };
        bool isSocket = Fields.IsSocket(url);
        if (isSocket) sockets.ConnectCallback = (_, cancel) => OpenAsync(new UnixDomainSocketEndPoint(url["unix:".Length..]), cancel);
        _channel = GrpcChannel.ForAddress(new Uri(isSocket ? "http://localhost" : url), new GrpcChannelOptions
        {
            HttpHandler = token is null ? sockets : new Showing(token, sockets),
            DisposeHttpClient = true,
        });
        Client = new NodeService.NodeServiceClient(_channel);
    }

    private static async ValueTask<Stream> OpenAsync(EndPoint endPoint, CancellationToken cancel)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(endPoint, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Every request says who asks.</summary>
    private sealed class Showing(string token, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        private readonly AuthenticationHeaderValue _token = new("Bearer", token);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = _token;
            return base.SendAsync(request, cancellationToken);
        }
    }

    public NodeService.NodeServiceClient Client { get; }

    /// <summary>HTTP/2's error code of a server that speaks HTTP/1.1 there.</summary>
    private const long Http11Required = 0xd;

    /// <summary>The failure behind an exception, with the node's URL where no node has answered; null for a bug.</summary>
    public Failure? FailureOf(Exception exception, CancellationToken cancel)
    {
        Failure? failure = Failure.Of(exception, cancel);
        if (failure is { Reason: "ACCESS_TOKEN_MISSING" } && _url.EndsWith(DoorAddress.SocketFile, StringComparison.Ordinal))
        {
            // The operator's own socket asks for none: only what is about the token that is shown does.
            return failure with { Message = $"this command is about the access token that it shows: give --access-token-file, or set {NodeFlags.TokenVariable}" };
        }

        if (failure is { Reason: "ACCESS_TOKEN_MISSING" })
        {
            return failure with
            {
                Message = $"{_url} asks for a token: give --access-token-file (a node's first is {NodeOptions.AdminTokenFile} in its data folder), "
                    + $"or set {NodeFlags.TokenVariable}; who may read that folder needs none with {NodeFlags.DataVariable} set to it, in place of --node",
            };
        }

        if (failure is not { Reason: Failure.NodeUnreachable } || exception is not RpcException rpc) return failure;
        if (Failure.IsOfAnotherServer(rpc))
            return failure with { Message = $"{_url} is not a node's API (its peers' port?)" };
        if (_trust.Fault is { } fault) return failure with { Message = $"{_url} is not trusted: {fault}" };
        string hint = _url.StartsWith("https:", StringComparison.OrdinalIgnoreCase) ? "; does it run with --api-tls?"
            : rpc.Status.DebugException?.GetBaseException() is HttpProtocolException { ErrorCode: Http11Required }
                ? "; it speaks HTTP/1.1: is that its port for JSON, --json-listen?"
            : rpc.Status.DebugException?.GetBaseException() is HttpIOException or HttpRequestException
                or SocketException { SocketErrorCode: SocketError.Shutdown or SocketError.ConnectionReset or SocketError.ConnectionAborted } ? "; does it run with --api-tls? Then its URL begins with https://"
            : "";
        return failure with { Message = $"no node answers at {_url}: {failure.Message.TrimEnd('.')}{hint}" };
    }

    /// <summary>The whole id for a whole id or for the unique beginning of one.</summary>
    public async Task<string> ResolveAsync(string idOrPrefix, CancellationToken cancel)
    {
        if (ChannelId.TryParse(idOrPrefix, out ChannelId id)) return id.ToString();
        string prefix = Fields.WithHexPrefix(idOrPrefix);
        var found = await ListAsync(new ListChannelsRequest { ChannelIdPrefix = prefix }, cancel).ToListAsync(cancel);
        return found.Count switch
        {
            1 => found[0].ChannelId,
            0 => throw new CommandException(new(
                ExitCode.Refused, "UNKNOWN_CHANNEL", $"no channel's id begins with {prefix}", "channel")),
            _ => throw new CommandException(new(
                ExitCode.WrongUsage, Failure.InvalidArgument,
                $"channel: {found.Count} channels' ids begin with {prefix}; give more digits", "channel")),
        };
    }

    /// <summary>All pages of a list, one after the other.</summary>
    public async IAsyncEnumerable<Channel> ListAsync(
        ListChannelsRequest request, [EnumeratorCancellation] CancellationToken cancel)
    {
        request.PageSize = PageSize;
        do
        {
            ListChannelsResponse page = await Client.ListChannelsAsync(request, cancellationToken: cancel);
            foreach (Channel channel in page.Channels) yield return channel;
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
    }

    public void Dispose() => _channel.Dispose();
}
