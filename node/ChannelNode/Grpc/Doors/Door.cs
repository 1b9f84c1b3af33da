using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using ChannelNode.Engine;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace ChannelNode.Grpc;

/// <summary>A door to be opened.</summary>
/// <param name="Flag">The option that names its address.</param>
/// <param name="Address">Where it is.</param>
/// <param name="Tls">Null for one that is not encrypted.</param>
/// <param name="ConnectionsMax">At a time; those beyond it are closed at once.</param>
internal sealed record DoorPlan(string Flag, DoorAddress Address, TlsCertificate? Tls, int ConnectionsMax)
{
    /// <summary>For JSON and browsers too, with HTTP/1.1, which limits bodies by their size; its middleware sets the guard itself.</summary>
    public bool IsWeb { get; init; }

    /// <summary>Of one address at a time; those beyond it are closed at once.</summary>
    public int ConnectionsPerAddressMax { get; init; } = int.MaxValue;

    /// <summary>What a peer's connection needs is one.</summary>
    public const int StreamsOfPeersMax = 8;

    /// <summary>Many strangers may have one: so as little as still fills a line with a delay of 50 ms with 5 MB a second.</summary>
    public static readonly (int OfCall, int OfConnection) UnreadBytesOfPeersMax = (256 * 1024, 512 * 1024);

    /// <summary>Calls of one connection at a time.</summary>
    public int StreamsPerConnectionMax { get; init; } = 128;

    /// <summary>For what its callers have sent and the node is not done with.</summary>
    public required MessageRoom Room { get; init; }

    /// <summary>Bytes of one call, and of all calls of a connection, that a caller may send before they are read.</summary>
    public (int OfCall, int OfConnection) UnreadBytesMax { get; init; } = (1024 * 1024, 4 * 1024 * 1024);

    /// <summary>What became of connections.</summary>
    public DoorCounts Counts { get; init; } = new("");

    /// <summary>Of one call; null for a door where messages and flow control limit it.</summary>
    public long? BodyBytesMax { get; init; }
}

/// <summary>How connections are served.</summary>
internal static class Door
{
    private const int HeadersMax = 64;
    private const int HeaderBytesMax = 16 * 1024;

    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(10);

    /// <summary>A connection without any call is closed then; sooner where others need its place (<see cref="ConnectionRoom"/>).</summary>
    private static readonly TimeSpan IdleMax = TimeSpan.FromMinutes(2);

    /// <summary>For a caller to agree on encryption, and for a call's headers to arrive.</summary>
    private static readonly TimeSpan BeginMax = TimeSpan.FromSeconds(10);

    /// <summary>Nothing comes from files or variables beside the node's own options, and no folder is watched for changes.</summary>
    public static WebApplicationBuilder NewBuilder(DoorPlan plan, ConnectionRoom? room = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.WebHost.UseSockets(sockets =>
        {
            // A read of nothing first would only spare idle sessions a buffer, and costs every message a system call.
            sockets.WaitForDataBeforeAllocatingBuffer = false;
            sockets.UnsafePreferInlineScheduling = true;
            sockets.CreateBoundListenSocket = endPoint => endPoint is UnixDomainSocketEndPoint
                ? DoorSocket.Bind(endPoint)
                : SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
        });
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            Limit(kestrel.Limits, plan);
            kestrel.AddServerHeader = false;
            if (plan.Address.SocketPath is { } path) kestrel.ListenUnixSocket(path, Configure);
            else kestrel.Listen(plan.Address.EndPoint, Configure);
        });
        return builder;

        void Configure(ListenOptions endpoint)
        {
            endpoint.Protocols = !plan.IsWeb ? HttpProtocols.Http2
                : plan.Tls is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
            if (room is not null) ((IConnectionBuilder)endpoint).Use(room.Limit);
            if (plan.Tls is { } tls) endpoint.UseHttps(Encrypt(tls));
        }
    }

    private static void Limit(KestrelServerLimits limits, DoorPlan plan)
    {
        limits.KeepAliveTimeout = IdleMax;
        limits.RequestHeadersTimeout = BeginMax;
        limits.MaxRequestHeaderCount = HeadersMax;
        limits.MaxRequestHeadersTotalSize = HeaderBytesMax;
        limits.Http2.MaxRequestHeaderFieldSize = HeaderBytesMax;
        limits.Http2.MaxStreamsPerConnection = plan.StreamsPerConnectionMax;
        limits.Http2.KeepAlivePingDelay = KeepAlive;
        limits.Http2.KeepAlivePingTimeout = KeepAlive;
        (limits.Http2.InitialStreamWindowSize, limits.Http2.InitialConnectionWindowSize) = plan.UnreadBytesMax;

        // A session lives as long as its peer; what it sends is bounded by flow control and by the room for messages.
        limits.MaxRequestBodySize = plan.BodyBytesMax;
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
    }

    public static TlsHandshakeCallbackOptions Encrypt(TlsCertificate tls) => new()
    {
        HandshakeTimeout = BeginMax,
        OnConnection = context =>
        {
            SslStreamCertificateContext certificate = tls.Current;
            SessionTls.Present(context.Connection.Items, certificate.TargetCertificate);
            return ValueTask.FromResult(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = certificate,
                EnabledSslProtocols = SslProtocols.Tls13,
            });
        },
    };
}
