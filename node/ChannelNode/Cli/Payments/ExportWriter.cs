using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChannelNode.Cli;

/// <summary>How rows are written for other programs.</summary>
internal enum ExportForm : byte
{
    Csv = 0,
    JsonLines = 1,
}

/// <summary>
/// Rows for other programs. CSV as RFC 4180 has it: a header, lines that end in CR LF, quotes where they are needed. Words
/// that peers or callers choose never begin as a formula does: a spreadsheet would run them. JSON lines: a document each.
/// </summary>
internal sealed class ExportWriter
{
    private const string FormulaStarts = "=+-@\t\r";

    private static readonly SearchValues<char> NeedQuotes = SearchValues.Create(",\"\r\n");

    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Terminal _terminal;
    private readonly string[] _names;
    private readonly bool _asJson;
    private readonly StringBuilder _rows = new();
    private long _count;

    /// <summary>Told of how many rows have left.</summary>
    public Action<long>? Tell { get; set; }

    public ExportWriter(Terminal terminal, string[] header, bool asJson)
    {
        (_terminal, _asJson) = (terminal, asJson);
        _names = asJson ? [.. header.Select(CamelCase)] : header;
        if (!asJson) _rows.AppendJoin(',', header).Append("\r\n");
        Flush();
    }

    /// <summary>As many values as the header has names.</summary>
    public void Write(params ReadOnlySpan<string> values)
    {
        _count++;
        if (_asJson)
        {
            WriteJson(values);
            return;
        }

        for (int column = 0; column < values.Length; column++)
        {
            if (column > 0) _rows.Append(',');
            AppendField(values[column]);
        }

        _rows.Append("\r\n");
    }

    /// <summary>What was written so far leaves.</summary>
    public void Flush()
    {
        _terminal.Raw(_rows.ToString());
        _rows.Clear();
        Tell?.Invoke(_count);
    }

    private static string CamelCase(string name) =>
        string.Concat(name.Split('_').Select((word, place) => place == 0 ? word : char.ToUpperInvariant(word[0]) + word[1..]));

    private void AppendField(string value)
    {
        if (value.Length > 0 && FormulaStarts.Contains(value[0])) value = "'" + value;
        if (value.AsSpan().IndexOfAny(NeedQuotes) < 0) _rows.Append(value);
        else _rows.Append('"').Append(value.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
    }

    private void WriteJson(ReadOnlySpan<string> values)
    {
        for (int column = 0; column < values.Length; column++)
        {
            _rows.Append(column == 0 ? '{' : ',').Append('"').Append(_names[column]).Append("\":")
                .Append(JsonSerializer.Serialize(values[column], Json));
        }

        _rows.Append("}\n");
    }
}
