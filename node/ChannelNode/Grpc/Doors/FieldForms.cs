using System.Globalization;
using Google.Protobuf.Reflection;

namespace ChannelNode.Grpc;

/// <summary>How fields are written in JSON's numbers and in queries.</summary>
internal static class FieldForms
{
    public static bool IsWhole(string text, FieldType type) => type switch
    {
        FieldType.UInt32 => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _),
        FieldType.UInt64 => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _),
        FieldType.Int32 => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        FieldType.Int64 => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        _ => true,
    };

    /// <summary>What a query's value should be; null where it may be it.</summary>
    public static string? Expected(FieldDescriptor field, string text) => field.FieldType switch
    {
        FieldType.Bool when !bool.TryParse(text, out _) => "true or false",
        FieldType.Enum when !int.TryParse(text, out _) && field.EnumType.FindValueByName(text) is null => $"a name of {field.EnumType.Name}",
        FieldType.UInt32 or FieldType.UInt64 or FieldType.Int32 or FieldType.Int64 when !IsWhole(text, field.FieldType) =>
            field.FieldType is FieldType.UInt32 or FieldType.UInt64 ? "a whole number, 0 or above" : "a whole number",
        _ => null,
    };
}
