using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;

namespace ChannelNode.Grpc;

/// <summary>
/// Refuses what a JSON body names and the request has not. ASP.NET would pass it over: with a misspelt idempotency_key the same payment
/// asked for again would be paid again. What is no JSON, or gives an amount as a number, is refused here too, by name.
/// </summary>
internal sealed class BodyGuard(RequestDelegate next)
{
    private const int ShownMax = 80;
    private const int NamesShownMax = 8;

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>() is not { HttpRule.Body: { Length: > 0 } body } call)
        {
            await next(context);
            return;
        }

        MessageDescriptor message = call.MethodDescriptor.InputType;
        if (body != "*") message = message.FindFieldByName(body).MessageType;
        MemoryStream bytes = new();
        try
        {
            await context.Request.Body.CopyToAsync(bytes, context.RequestAborted);
        }
        catch (RpcException tooMuch) when (tooMuch.GetRpcStatus() is { } status)
        {
            await JsonErrors.WriteAsync(context, status);
            return;
        }

        bytes.Position = 0;
        if (Refuse(bytes, message, field => PathOf(context, body, field)) is { } refusal)
        {
            await JsonErrors.WriteAsync(context, refusal);
            return;
        }

        bytes.Position = 0;
        context.Request.Body = bytes;
        await next(context);
    }

    private static RefusalException? Refuse(MemoryStream bytes, MessageDescriptor message, Func<FieldDescriptor, string?> path)
    {
        if (bytes.Length == 0) return null;
        try
        {
            using JsonDocument body = JsonDocument.Parse(bytes);
            return Check(body.RootElement, message, "body") ?? Contradiction(body.RootElement, message, path);
        }
        catch (JsonException error)
        {
            return Wrong("body", $"the body is no JSON: line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}");
        }
        catch (InvalidOperationException)
        {
            return Wrong("body", "the body has a string that is no text: half of a surrogate pair, or bytes that are not UTF-8");
        }
    }

    private static RefusalException? Check(JsonElement value, MessageDescriptor message, string where)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return value.ValueKind == JsonValueKind.Null ? null : Wrong(where, $"{where} is {Of(value)}, expected an object with fields of {message.Name}");
        foreach (JsonProperty said in value.EnumerateObject())
        {
            FieldDescriptor? field = message.Fields.InDeclarationOrder()
                .FirstOrDefault(it => it.JsonName == said.Name || it.Name == said.Name);
            if (field is null)
            {
                string name = said.Name.Length <= ShownMax ? said.Name : said.Name[..ShownMax] + "...";
                return Wrong(where, $"\"{name}\" is in the {where}, expected only fields of {message.Name}");
            }

            if (Check(said.Value, field) is { } refusal) return refusal;
        }

        return null;
    }

    /// <summary>What the call's path says of a field of the body; null where nothing.</summary>
    private static string? PathOf(HttpContext context, string body, FieldDescriptor field) =>
        context.Request.RouteValues.GetValueOrDefault(body == "*" ? field.Name : $"{body}.{field.Name}")?.ToString();

    /// <summary>What the path says of a field counts, and the body's word of it would be passed over.</summary>
    private static RefusalException? Contradiction(JsonElement body, MessageDescriptor message, Func<FieldDescriptor, string?> path)
    {
        if (body.ValueKind != JsonValueKind.Object) return null;
        foreach (JsonProperty said in body.EnumerateObject())
        {
            FieldDescriptor field = message.Fields.InDeclarationOrder().First(it => it.JsonName == said.Name || it.Name == said.Name);
            string text = said.Value.ToString();
            if (text is "" or "0" || path(field) is not { } inPath || text.Equals(inPath, StringComparison.OrdinalIgnoreCase)) continue;
            return Wrong(field.Name, $"{field.JsonName} is {Of(said.Value)} in the body, expected it as in the path, or not at all");
        }

        return null;
    }

    private static RefusalException? Check(JsonElement value, FieldDescriptor field)
    {
        if (field.IsMap) return null;
        if (!field.IsRepeated || value.ValueKind != JsonValueKind.Array) return CheckOne(value, field);
        foreach (JsonElement one in value.EnumerateArray())
            if (CheckOne(one, field) is { } refusal) return refusal;
        return null;
    }

    private static RefusalException? CheckOne(JsonElement value, FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => Check(value, field.MessageType, field.JsonName),
        FieldType.String or FieldType.Bytes when value.ValueKind is not (JsonValueKind.String or JsonValueKind.Null) =>
            Wrong(field.Name, $"{field.JsonName} is {Of(value)}, expected it in quotes"),
        FieldType.Bytes when value.ValueKind == JsonValueKind.String && !value.TryGetBytesFromBase64(out _) => Wrong(
            field.Name, $"{field.JsonName} is {Of(value)}, expected bytes in base64, with its padding: YXJ0aWNsZS0xNw== for article-17"),
        FieldType.Bool when value.ValueKind is not (JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null) =>
            Wrong(field.Name, $"{field.JsonName} is {Of(value)}, expected true or false"),
        FieldType.UInt32 or FieldType.UInt64 or FieldType.Int32 or FieldType.Int64 when !IsWhole(value, field.FieldType) =>
            Wrong(field.Name, $"{field.JsonName} is {Of(value)}, expected a whole number{(field.FieldType is FieldType.UInt32 or FieldType.UInt64 ? ", 0 or above" : "")}"),
        FieldType.Enum when value.ValueKind == JsonValueKind.String && field.EnumType.FindValueByName(value.GetString()!) is null => Wrong(
            field.Name,
            $"{field.JsonName} is {Of(value)}, expected {string.Join(", ", field.EnumType.Values.Skip(1).Take(NamesShownMax).Select(it => it.Name))}"
            + (field.EnumType.Values.Count > NamesShownMax + 1 ? ", ..." : "")),
        _ => null,
    };

    private static bool IsWhole(JsonElement value, FieldType type) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.Number or JsonValueKind.String => FieldForms.IsWhole(value.ToString(), type),
        _ => false,
    };

    private static string Of(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= ShownMax ? text : text[..ShownMax] + "...";
    }

    private static RefusalException Wrong(string field, string message) => new(Refusal.InvalidArgument, message) { Field = field };
}
