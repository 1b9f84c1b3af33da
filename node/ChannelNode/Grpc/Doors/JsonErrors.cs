using System.Globalization;
using ChannelNode.Engine;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Rpc;

namespace ChannelNode.Grpc;

/// <summary>Errors that arise before a call reaches its service, in the form of all others: google.rpc.Status as JSON.</summary>
internal static class JsonErrors
{
    private static readonly JsonFormatter Formatter =
        new(new JsonFormatter.Settings(formatDefaultValues: true, TypeRegistry.FromFiles(ErrorDetailsReflection.Descriptor)));

    /// <summary>A refusal, by its name.</summary>
    public static Task WriteAsync(HttpContext context, RefusalException refusal) => WriteAsync(context, refusal.ToStatus());

    public static Task WriteAsync(HttpContext context, Google.Rpc.Status status) =>
        WriteAsync(context, HttpStatusOf((Code)status.Code), status);

    /// <summary>What ASP.NET refused with nothing but a number gets the canonical name that goes with it.</summary>
    public static Task NameAsync(HttpContext context)
    {
        Microsoft.AspNetCore.Http.HttpResponse response = context.Response;
        if (response.HasStarted || response.StatusCode < 400) return Task.CompletedTask;
        (Code code, string message) = response.StatusCode switch
        {
            404 => (Code.NotFound, $"{context.Request.Method} of this path is nothing that the API has"),
            405 => (Code.Unimplemented, $"this path does not take {context.Request.Method}"),
            413 => (Code.ResourceExhausted, "the body is larger than --message-bytes-max"),
            < 500 => (Code.InvalidArgument, "the request has no form that the API knows"),
            _ => (Code.Internal, "the node failed at this request"),
        };
        return WriteAsync(context, response.StatusCode, new Google.Rpc.Status { Code = (int)code, Message = message });
    }

    private static Task WriteAsync(HttpContext context, int httpStatus, Google.Rpc.Status status)
    {
        if (context.Request.ContentType is { } asked && asked.StartsWith("application/grpc-web", StringComparison.OrdinalIgnoreCase))
        {
            WriteGrpcWeb(context.Response, asked, status);
            return Task.CompletedTask;
        }

        context.Response.StatusCode = httpStatus;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(Formatter.Format(status), context.RequestAborted);
    }

    /// <summary>An answer of nothing but an error has it in its headers.</summary>
    private static void WriteGrpcWeb(Microsoft.AspNetCore.Http.HttpResponse response, string contentType, Google.Rpc.Status status)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = contentType;
        response.Headers["grpc-status"] = status.Code.ToString(CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = Uri.EscapeDataString(status.Message);
        response.Headers["grpc-status-details-bin"] = Convert.ToBase64String(status.ToByteArray());
    }

    private static int HttpStatusOf(Code code) => code switch
    {
        Code.PermissionDenied => StatusCodes.Status403Forbidden,
        Code.Unauthenticated => StatusCodes.Status401Unauthorized,
        Code.ResourceExhausted => StatusCodes.Status429TooManyRequests,
        _ => StatusCodes.Status400BadRequest,
    };
}
