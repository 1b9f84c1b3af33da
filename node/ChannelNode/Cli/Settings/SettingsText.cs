using System.Text;
using System.Text.Json;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>Why a file of settings cannot be read: what is wrong in it and where, in words of its own.</summary>
internal static class SettingsText
{
    private const string Expected = "expected {\"name\": value, ...}";

    private static readonly JsonDocumentOptions Reading = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };

    /// <summary>Null where it can be read.</summary>
    public static string? FaultOf(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"{path} {FileTrouble.WhyUnread(path, error)}";
        }

        if (string.IsNullOrWhiteSpace(text)) return $"{path} is empty, {Expected}";
        try
        {
            using JsonDocument document = JsonDocument.Parse(text, Reading);
            if (document.RootElement.ValueKind == JsonValueKind.Object) return FaultIn(path, document.RootElement);
            return $"{path}: the file is {Named(document.RootElement.ValueKind)}, {Expected}";
        }
        catch (JsonException error)
        {
            return OpenIn(text) is { } open
                ? $"{path}, line {text.TrimEnd().Count(letter => letter == '\n') + 1}: the file ends here, before all that it opens is closed: {open}"
                : At(path, text, error);
        }
    }

    private static string? FaultIn(string path, JsonElement settings)
    {
        HashSet<string> names = new(StringComparer.OrdinalIgnoreCase);
        foreach (JsonProperty setting in settings.EnumerateObject())
            if (!names.Add(setting.Name)) return $"{path}: {setting.Name} stands there twice";
        return null;
    }

    /// <summary>What is still open where the text ends; null where no more text could make it whole.</summary>
    private static string? OpenIn(string text)
    {
        Utf8JsonReader reader = NewReader(text);
        Stack<JsonTokenType> open = [];
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray) open.Push(reader.TokenType);
                else if (reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray) open.Pop();
            }
        }
        catch (JsonException)
        {
            return null;
        }

        return !open.TryPeek(out JsonTokenType innermost) ? null
            : $"{(innermost == JsonTokenType.StartObject ? "a }" : "a ]")} is missing, or more";
    }

    private static Utf8JsonReader NewReader(string text) => new(
        Encoding.UTF8.GetBytes(text), isFinalBlock: false,
        new JsonReaderState(new JsonReaderOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip }));

    /// <summary>The place is told in bytes and from nought; people count letters from one.</summary>
    private static string At(string path, string text, JsonException error)
    {
        int number = (int)(error.LineNumber ?? 0);
        string line = text.Split('\n').ElementAtOrDefault(number)?.TrimEnd('\r') ?? "";
        byte[] bytes = Encoding.UTF8.GetBytes(line);
        int before = Encoding.UTF8.GetCharCount(bytes, 0, (int)Math.Min(error.BytePositionInLine ?? 0, bytes.Length));
        string what = before < line.Length
            ? $"'{Terminal.Printable(line[before..(before + 1)])}' cannot stand here"
            : "the line cannot end here";
        string hint = line.Contains('\'') ? "texts stand between \" and \"" : "is a comma or a \" missing before it, or one too many?";
        return $"{path}, line {number + 1}, column {before + 1}: {what}: {hint}";
    }

    private static string Named(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        _ => "a single value",
    };
}
