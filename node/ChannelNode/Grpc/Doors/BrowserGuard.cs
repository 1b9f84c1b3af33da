using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;
using Microsoft.Net.Http.Headers;

namespace ChannelNode.Grpc;

/// <summary>
/// Keeps the pages of a browser on this machine from calling the node, but those of allowed origins. Three things that a page
/// cannot forge are looked at: the host that it believes to call (a name of its own, bound anew to 127.0.0.1, is not ours), the
/// origin, and a content type that no form can have. What calls without a browser says none of that, and passes.
/// </summary>
internal sealed class BrowserGuard(RequestDelegate next, ApplicationOptions options, int bodyBytesMax)
{
    private readonly HashSet<string> _hosts = new(options.JsonHosts, StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _origins = new(options.CorsOrigins, StringComparer.Ordinal);

    public async Task InvokeAsync(HttpContext context)
    {
        if (Check(context.Request) is { } refusal)
        {
            await JsonErrors.WriteAsync(context, refusal);
            return;
        }

        if (context.Request.ContentLength > bodyBytesMax)
            context.Response.StatusCode = StatusCodes.Status413PayloadTooLarge;
        else
            await next(context);
        await JsonErrors.NameAsync(context);
    }

    private RefusalException? Check(HttpRequest request)
    {
        if (!IsOurs(request.Host.Host))
        {
            return Refuse(Refusal.HostNotAllowed, "host", request.Host.Host, "localhost, an IP address or one of --json-host");
        }

        string origin = request.Headers.Origin.ToString();
        if (origin.Length > 0 && !_origins.Contains(origin))
            return Refuse(Refusal.OriginNotAllowed, "origin", origin, "one of --cors-origin");

        // A page's GET of an image or a script tells no origin, but every browser says that it crosses sites.
        string site = request.Headers["Sec-Fetch-Site"].ToString();
        if (origin.Length == 0 && site is not ("" or "none" or "same-origin"))
            return Refuse(Refusal.OriginNotAllowed, "sec-fetch-site", site, "none, or the header origin beside it");

        bool changes = !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method) && !HttpMethods.IsOptions(request.Method);
        return changes && !IsOurs(request.Headers.ContentType.ToString(), out string media)
            ? Refuse(Refusal.InvalidArgument, "content-type", media, "application/json or application/grpc-web")
            : null;
    }

    private bool IsOurs(string host) => _hosts.Contains(host) || IsOfThisMachine(host);

    /// <summary>No name that somebody else could have bound to this machine's address.</summary>
    public static bool IsOfThisMachine(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out _);

    private static bool IsOurs(string contentType, out string media)
    {
        media = contentType;
        if (!MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? parsed)) return false;
        string name = parsed.MediaType.ToString();
        return name.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("application/grpc-web", StringComparison.OrdinalIgnoreCase);
    }

    public static RefusalException Refuse(Refusal refusal, string field, string value, string expected) =>
        new(refusal, $"{field} is \"{(value.Length <= 80 ? value : value[..80] + "...")}\", expected {expected}") { Field = field };
}
