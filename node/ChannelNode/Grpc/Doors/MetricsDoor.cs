using ChannelNode.Core;
using ChannelNode.Engine;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ChannelNode.Grpc;

/// <summary>
/// What stands before metrics. On this machine nothing does, unless access tokens are required there: but the pages of a browser, which
/// reach a node by a name of their own that is bound anew to 127.0.0.1, are sent away. For others metrics are encrypted like the API,
/// and who asks shows a token with the scope to read.
/// </summary>
/// <param name="tokens">Null for a watchtower, which has none, and is asked from its machine only.</param>
internal sealed class MetricsDoor(NodeOptions options, TlsCertificate? tls, AccessTokenBook? tokens, DoorList doors, ILoggerFactory logs)
{
    private const int ConnectionsMax = 64;

    private readonly bool _isLocal = options.MetricsListen.Length == 0 || DoorAddress.Parse(options.MetricsListen).IsLocal;
    private readonly ApiAccess? _access = tokens is null ? null : new(tokens, options, TimeProvider.System, tokensRequired: true);

    public void Configure(ListenOptions listen)
    {
        DoorCounts counts = doors.Add("metrics");
        int perAddressMax = Math.Min(options.ConnectionsPerAddressMax, ConnectionsMax / 4);
        ConnectionRoom room = new(ConnectionsMax, perAddressMax, TimeProvider.System, counts)
        {
            Refused = new RefusedConnections(counts, TimeProvider.System, logs.CreateLogger<MetricsDoor>()),
        };
        counts.Open = () => room.Open;
        ((IConnectionBuilder)listen).Use(room.Limit);
        listen.Protocols = HttpProtocols.Http1;
        if (!_isLocal && tls is not null) listen.UseHttps(Door.Encrypt(tls));
    }

    public void Guard(WebApplication app)
    {
        app.Use(ConnectionRoom.CountAsync);
        if (_access is not null && (!_isLocal || options.AccessTokenRequired == true)) DoorServer.GuardTheRest(app, _access, Reach.WholeNode);
        else app.Use(RefuseOtherHostsAsync);
    }

    private static Task RefuseOtherHostsAsync(HttpContext http, RequestDelegate next)
    {
        string host = http.Request.Host.Host;
        if (BrowserGuard.IsOfThisMachine(host))
        {
            ConnectionRoom.Use(http);
            return next(http);
        }

        http.Response.StatusCode = RefusalStatus.HttpCodeOf(Refusal.HostNotAllowed);
        return http.Response.WriteAsync(
            $"{RefusalStatus.NameOf(Refusal.HostNotAllowed)}: {BrowserGuard.Refuse(Refusal.HostNotAllowed, "host", host, "localhost or an IP address").Message}\n");
    }
}
