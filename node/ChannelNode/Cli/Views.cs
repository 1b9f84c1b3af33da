using Spectre.Console;

namespace ChannelNode.Cli;

/// <summary>The two shapes in which people are shown things: a list of fields, and a table.</summary>
internal static class Views
{
    public static Grid Fields(params IReadOnlyList<(string Name, string Value)> fields)
    {
        var grid = new Grid();
        grid.AddColumn(new GridColumn().NoWrap().PadRight(3));
        grid.AddColumn(new GridColumn());
        foreach ((string name, string value) in fields)
            grid.AddRow(new Text(name, new Style(decoration: Decoration.Dim)), Terminal.Cell(value));
        return grid;
    }

    /// <summary>A column whose name begins with '#' holds numbers and is aligned to the right.</summary>
    public static Table Table(params IReadOnlyList<string> columns)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (string column in columns)
        {
            var shown = new TableColumn(new Text(column.TrimStart('#'))).NoWrap();
            table.AddColumn(column.StartsWith('#') ? shown.RightAligned() : shown);
        }
        return table;
    }
}
