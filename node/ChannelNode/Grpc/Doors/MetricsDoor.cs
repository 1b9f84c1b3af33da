using ChannelNode.Engine;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ChannelNode.Grpc;

/// <summary>
/// What stands before a node's metrics. On this machine nothing does, unless access tokens are required there; for others they
/// are encrypted like the API, and who asks shows a token with the scope to read.
/// </summary>
internal sealed class MetricsDoor(NodeOptions options, TlsCertificate? tls, AccessTokenBook tokens, DoorList doors)
{
    private const int ConnectionsMax = 64;

    private readonly bool _isLocal = options.MetricsListen.Length == 0 || DoorAddress.Parse(options.MetricsListen).IsLocal;
    private readonly ApiAccess _access = new(tokens, options, TimeProvider.System, tokensRequired: true);

    public void Configure(ListenOptions listen)
    {
        DoorCounts counts = doors.Add("metrics");
        int perAddressMax = Math.Min(options.ConnectionsPerAddressMax, ConnectionsMax / 4);
        ConnectionRoom room = new(ConnectionsMax, perAddressMax, TimeProvider.System, counts);
        counts.Open = () => room.Open;
        ((IConnectionBuilder)listen).Use(room.Limit);
        listen.Protocols = HttpProtocols.Http1;
        if (!_isLocal && tls is not null) listen.UseHttps(Door.Encrypt(tls));
    }

    public void Guard(WebApplication app)
    {
        app.Use(ConnectionRoom.CountAsync);
        if (!_isLocal || options.AccessTokenRequired) DoorServer.GuardTheRest(app, _access);
        else app.Use(async (http, next) =>
        {
            ConnectionRoom.Use(http);
            await next(http);
        });
    }
}
