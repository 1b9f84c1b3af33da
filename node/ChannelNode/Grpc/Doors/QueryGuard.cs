using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;

namespace ChannelNode.Grpc;

/// <summary>
/// Refuses what a query names and the request has not. ASP.NET would pass it over: a misspelt after_cursor would tell
/// everything again, and nobody would know why.
/// </summary>
internal sealed class QueryGuard(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>() is not { } call) return next(context);
        foreach (string name in context.Request.Query.Keys)
        {
            if (call.HttpRule.Body.Length == 0 && FieldOf(call.MethodDescriptor.InputType, name) is { } field)
            {
                if (Refuse(field, name, context.Request.Query[name].ToString()) is not { } refusal) continue;
                return JsonErrors.WriteAsync(context, refusal);
            }

            return JsonErrors.WriteAsync(context, new RefusalException(
                Refusal.InvalidArgument,
                $"\"{(name.Length <= 80 ? name : name[..80] + "...")}\" is in the query, expected only fields of {call.MethodDescriptor.InputType.Name}")
            {
                Field = "query",
            });
        }

        return next(context);
    }

    private static FieldDescriptor? FieldOf(MessageDescriptor message, string name) =>
        message.Fields.InDeclarationOrder().FirstOrDefault(field => field.Name == name || field.JsonName == name);

    private static RefusalException? Refuse(FieldDescriptor field, string name, string text) =>
        field.IsRepeated || FieldForms.Expected(field, text) is not { } expected
            ? null
            : new RefusalException(
                Refusal.InvalidArgument, $"{name} is \"{(text.Length <= 80 ? text : text[..80] + "...")}\" in the query, expected {expected}")
            {
                Field = field.Name,
            };
}
