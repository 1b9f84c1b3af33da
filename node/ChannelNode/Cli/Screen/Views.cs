using Spectre.Console;

namespace ChannelNode.Cli;

/// <summary>The two shapes in which people are shown things: a list of fields, and a table.</summary>
internal static class Views
{
    /// <summary>An id or address to tell apart by eye: enough digits to give to a command.</summary>
    private const int ShortLength = 10;

    public static Grid Fields(params IReadOnlyList<(string Name, string Value)> fields)
    {
        var grid = new Grid();
        grid.AddColumn(new GridColumn().NoWrap().PadRight(3));
        grid.AddColumn(new GridColumn());
        foreach ((string name, string value) in fields)
            grid.AddRow(new Text(name, new Style(decoration: Decoration.Dim)), Terminal.Cell(value));
        return grid;
    }

    /// <summary>
    /// A table that a terminal of <paramref name="width"/> columns shows without breaking a cell, which would tear
    /// numbers apart. For want of room ids are shortened first, then columns are left out, in the order of
    /// <paramref name="expendable"/>. A column whose name begins with '#' holds numbers and is aligned to the right.
    /// </summary>
    public static (Table Table, IReadOnlyList<string> LeftOut) Fitting(
        int width, IReadOnlyList<string> columns, IReadOnlyList<string[]> rows, params IReadOnlyList<string> expendable)
    {
        List<int> shown = [.. Enumerable.Range(0, columns.Count)];
        if (WidthOf(shown, columns, rows) > width) rows = [.. rows.Select(row => row.Select(Short).ToArray())];
        var leftOut = new List<string>();
        foreach (string column in expendable)
        {
            if (WidthOf(shown, columns, rows) <= width) break;
            shown.RemoveAll(index => columns[index] == column);
            leftOut.Add(column.TrimStart('#'));
        }
        return (TableOf(shown, columns, rows), leftOut);
    }

    public static string Short(string id) =>
        id.Length > ShortLength + 1 && id.StartsWith("0x", StringComparison.Ordinal) ? id[..ShortLength] + "…" : id;

    private static Table TableOf(List<int> shown, IReadOnlyList<string> columns, IReadOnlyList<string[]> rows)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (int index in shown)
        {
            var column = new TableColumn(new Text(columns[index].TrimStart('#'))).NoWrap();
            table.AddColumn(columns[index].StartsWith('#') ? column.RightAligned() : column);
        }
        foreach (string[] row in rows) table.AddRow(shown.Select(index => Terminal.Cell(row[index])));
        return table;
    }

    /// <summary>The border draws one column beside each cell and one at the end; each cell has a blank on either side.</summary>
    private static int WidthOf(List<int> shown, IReadOnlyList<string> columns, IReadOnlyList<string[]> rows) =>
        1 + shown.Sum(index => 3 + rows.Select(row => row[index].Length).Append(columns[index].TrimStart('#').Length).Max());
}
