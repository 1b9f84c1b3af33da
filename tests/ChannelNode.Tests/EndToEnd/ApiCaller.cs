using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Core;
using Grpc.Net.Client;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>An application at a node's API, in any of its forms; takes any certificate and shows any token.</summary>
internal sealed class ApiCaller : IDisposable
{
    /// <param name="token">Shown with every call; none where null.</param>
    public ApiCaller(string url, string? token = null)
    {
        SocketsHttpHandler sockets = new()
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                RemoteCertificateValidationCallback = (_, _, _, _) => true,
            },
        };
        const string unix = "unix:";
        if (url.StartsWith(unix, StringComparison.Ordinal))
        {
            UnixDomainSocketEndPoint endPoint = new(url[unix.Length..]);
            sockets.ConnectCallback = async (_, cancel) =>
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(endPoint, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            };
            url = "http://localhost";
        }

        HttpMessageHandler handler = token is null ? sockets : new TokenHandler(token, sockets);
        Channel = GrpcChannel.ForAddress(url, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        Api = new Wire.NodeService.NodeServiceClient(Channel);
    }

    public GrpcChannel Channel { get; }

    public Wire.NodeService.NodeServiceClient Api { get; }

    public static Metadata Showing(params string[] tokens)
    {
        Metadata metadata = [];
        foreach (string token in tokens) metadata.Add("authorization", $"Bearer {token}");
        return metadata;
    }

    public async Task<Wire.CreateAccessTokenResponse> CreateAccessTokenAsync(string admin, Action<Wire.CreateAccessTokenRequest> fill)
    {
        Wire.CreateAccessTokenRequest request = new() { Name = "test" };
        fill(request);
        return await Api.CreateAccessTokenAsync(request, admin.Length == 0 ? [] : Showing(admin));
    }

    /// <summary>What a call with these metadata is told: a refusal's name, or "OK".</summary>
    public async Task<string> InfoAsync(Metadata metadata)
    {
        try
        {
            await Api.GetInfoAsync(new Wire.GetInfoRequest(), metadata);
            return "OK";
        }
        catch (RpcException error)
        {
            return Refusals.NameOf(error);
        }
    }

    public void Dispose() => Channel.Dispose();
}

/// <summary>Shows an access token with every request.</summary>
internal sealed class TokenHandler(string token, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        request.Headers.TryAddWithoutValidation("authorization", $"Bearer {token}");
        return base.SendAsync(request, cancel);
    }
}
