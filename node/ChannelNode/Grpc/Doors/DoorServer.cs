using System.Globalization;
using System.Net.Sockets;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ChannelNode.Grpc;

/// <summary>An open door: serves until it is disposed of.</summary>
internal sealed class DoorServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly DoorPlan _plan;

    private DoorServer(WebApplication app, DoorPlan plan) => (_app, _plan) = (app, plan);

    /// <summary>What callers dial: http://, https:// or unix:/path.</summary>
    public string Url => _plan.Address.SocketPath is not null
        ? _plan.Address.Text
        : _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Throws <see cref="RefusalException"/>, naming the option, where it cannot be opened.</summary>
    /// <param name="access">Who may call; null for a door whose callers prove themselves in what they say.</param>
    public static async Task<DoorServer> OpenAsync(
        DoorPlan plan, NodeOptions options, ChainView view, Drain drain, ILoggerFactory logs, ApiAccess? access,
        Action<IServiceCollection> add, Action<WebApplication> map)
    {
        DoorSocket.TakeStaleAway(plan.Address, plan.Flag);
        ConnectionRoom room = new(plan.ConnectionsMax, plan.ConnectionsPerAddressMax, TimeProvider.System, plan.Counts)
        {
            Refused = new RefusedConnections(plan.Counts, TimeProvider.System, logs.CreateLogger<DoorServer>()),
        };
        (plan.Counts.Open, plan.Counts.Room) = (() => room.Open, plan.Room);
        WebApplicationBuilder builder = Door.NewBuilder(plan, room);
        builder.Services.AddSingleton(logs);
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.MessageBytesMax;
            grpc.MaxSendMessageSize = options.MessageBytesMax;
            grpc.Interceptors.Add<RefusalInterceptor>();
            if (access is not null) grpc.Interceptors.Add<AccessInterceptor>(access);
        });
        RefuseCompressed(builder.Services);
        MalformedMessages.RefuseByName(builder.Services);
        builder.Services.AddGrpcReflection();
        builder.Services.AddGrpcHealthChecks().AddCheck("chain", () =>
            drain.IsOn ? HealthCheckResult.Unhealthy("the node is stopping: it begins nothing new")
            : view.IsCurrent ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy("the chain was not seen for too long: nothing is paid or accepted"));
        add(builder.Services);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));

        WebApplication app = builder.Build();
        app.Use(ConnectionRoom.CountAsync);
        Meter(app, plan, access);
        app.Use((http, next) => RefuseToBeWatchedAsync(http, next, access));
        if (access is not null && !plan.IsWeb) GuardTheRest(app, access, Reach.NoChannel);
        map(app);
        app.MapGrpcHealthChecksService();
        DoorServer server = new(app, plan);
        try
        {
            await app.StartAsync();
            return server;
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            await app.DisposeAsync();
            throw new RefusalException(
                Refusal.InvalidArgument, $"{plan.Flag} {plan.Address.Text} cannot be listened on: {error.Message}", error)
            {
                Field = plan.Flag,
            };
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// All limits of what a caller may say are of what comes: of who is not known, of an access token, of what waits in memory. Unpacked it could be
    /// a thousand times as much, up to the node's largest message.
    /// </summary>
    private static void RefuseCompressed(IServiceCollection services) =>
        services.PostConfigure<GrpcServiceOptions>(grpc => grpc.CompressionProviders.Clear());

    private static void Meter(WebApplication app, DoorPlan plan, ApiAccess? access)
    {
        if (plan.IsWeb)
        {
            app.Use((http, next) => MeteredStream.MeterAsync(http, next, plan.Room, access!));
            return;
        }

        if (access is not null) app.Use((http, next) => LimitedMessages.LimitAsync(http, next, access));
        app.Use((http, next) => MeteredBody.MeterAsync(http, next, plan.Room, access is null ? null : access.Knows));
    }

    /// <summary>Strangers may ask once for a door's health. To watch it has no end, and proves nothing of who does.</summary>
    private static Task RefuseToBeWatchedAsync(HttpContext http, RequestDelegate next, ApiAccess? access)
    {
        if (http.Request.Path != "/grpc.health.v1.Health/Watch" || access?.Knows(http) == true) return next(http);
        http.Response.ContentType = "application/grpc";
        http.Response.Headers["grpc-status"] = ((int)StatusCode.Unimplemented).ToString(CultureInfo.InvariantCulture);
        http.Response.Headers["grpc-message"] = "here health is to be asked for by Check";
        return Task.CompletedTask;
    }

    /// <summary>Whatever else is asked of the API's door, known or not, has the same guard: it needs the scope to read.</summary>
    /// <param name="reach">What it is about: what the door has beside gRPC.</param>
    /// <param name="asJson">Whether callers are told in the form of the API's JSON; else in a line of text.</param>
    public static void GuardTheRest(WebApplication app, ApiAccess access, Reach reach, bool asJson = false) => app.Use(async (http, next) =>
    {
        if (http.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is not null)
        {
            await next(http); // AccessInterceptor's.
            return;
        }

        try
        {
            using Caller caller = access.Admit(http, Scopes.Read, http.Request.Path, reach);
            ConnectionRoom.Use(http);
            await next(http);
        }
        catch (RefusalException refusal) when (!http.Response.HasStarted)
        {
            if (asJson)
            {
                await JsonErrors.WriteAsync(http, refusal);
                return;
            }

            http.Response.StatusCode = RefusalStatus.HttpCodeOf(refusal.Refusal);
            await http.Response.WriteAsync($"{RefusalStatus.NameOf(refusal.Refusal)}: {refusal.Message}\n");
        }
    });

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        if (_plan.Address.SocketPath is { } path) File.Delete(path);
    }
}
