using System.Reflection;
using ChannelNode.Engine;
using Google.Protobuf.Reflection;
using Google.Rpc;

namespace ChannelNode.Grpc;

/// <summary>
/// NodeService as JSON over HTTP, by the google.api.http rules of the proto, and as gRPC-Web. A port of its own, with HTTP/1.1:
/// without TLS nobody negotiates which HTTP a connection speaks, and Kestrel takes a port that may speak both for HTTP/1.1.
/// </summary>
internal static class JsonDoor
{
    /// <summary>Where the description of the API is served; a GET like any other.</summary>
    public const string OpenApiPath = "/openapi/v1.json";

    private const int ConnectionsMax = 1_024;

    private static readonly string[] ExposedHeaders = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

    public static DoorPlan Plan(DoorAddress listen, TlsCertificate? tls, MessageRoom room, NodeOptions options) =>
        new("--json-listen", listen, tls, ConnectionsMax) { IsWeb = true, Room = room, BodyBytesMax = options.MessageBytesMax };

    public static void Add(IServiceCollection services, ApplicationOptions options)
    {
        services.AddGrpc().AddJsonTranscoding(json =>
        {
            // Else a reader in JavaScript loses what is above 2^53.
            json.JsonSettings.WriteInt64sAsStrings = true;
            json.TypeRegistry = TypeRegistry.FromFiles(ErrorDetailsReflection.Descriptor);
        });
        services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
            .WithOrigins([.. options.CorsOrigins])
            .WithMethods(HttpMethods.Get, HttpMethods.Post, HttpMethods.Patch)
            .AllowAnyHeader()
            .WithExposedHeaders(ExposedHeaders)
            .SetPreflightMaxAge(TimeSpan.FromHours(1))));
    }

    public static void Map(WebApplication app, NodeOptions options, ApiAccess access)
    {
        app.UseMiddleware<BrowserGuard>(options.Applications, options.MessageBytesMax);
        app.UseRouting();
        app.UseCors();
        DoorServer.GuardTheRest(app, access, Reach.NoChannel, asJson: true); // After CORS: a browser asks whether it may without a token.
        app.UseMiddleware<QueryGuard>();
        app.UseMiddleware<BodyGuard>();
        app.UseGrpcWeb(new GrpcWebOptions { DefaultEnabled = true });
        app.Use((http, next) => LimitedMessages.LimitAsync(http, next, access)); // After what unpacks base64.
        app.MapGrpcService<NodeGrpcService>();
        byte[] description = ReadDescription();
        app.MapGet(OpenApiPath, context =>
        {
            context.Response.ContentType = "application/json";
            return context.Response.Body.WriteAsync(description, context.RequestAborted).AsTask();
        });
    }

    private static byte[] ReadDescription()
    {
        using Stream resource = Assembly.GetExecutingAssembly().GetManifestResourceStream("openapi.json")
            ?? throw new InvalidOperationException("openapi.json is not embedded");
        using MemoryStream bytes = new();
        resource.CopyTo(bytes);
        return bytes.ToArray();
    }
}
