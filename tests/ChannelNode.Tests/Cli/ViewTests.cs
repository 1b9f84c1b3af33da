using ChannelNode.Cli;
using Spectre.Console;
using Xunit;

namespace ChannelNode.Tests.Cli;

public sealed class ViewTests
{
    private const string Ether = "1000000000000000000";

    private static readonly string[] Columns = ["channel", "status", "kind", "#we can send", "#sent", "peer"];
    private static readonly string[] Row = [FakeNode.IdA, "open", "one-way, we receive", Ether, Ether, "connected"];

    [Theory]
    [InlineData(157, FakeNode.IdA, "")]
    [InlineData(156, "0xaaaaaa11…", "")]
    [InlineData(102, "0xaaaaaa11…", "")]
    [InlineData(101, "0xaaaaaa11…", "kind")]
    [InlineData(80, "0xaaaaaa11…", "kind")]
    [InlineData(79, "0xaaaaaa11…", "kind, sent")]
    public void Table_BreaksNoCellAndGivesUpNoMoreThanItMust(int width, string id, string leftOut)
    {
        var (table, without) = Views.Fitting(width, Columns, [Row], "kind", "#sent");

        string[] lines = Render(table, width);
        Assert.Equal(leftOut, string.Join(", ", without));
        Assert.All(lines, line => Assert.True(line.TrimEnd().Length <= width));
        string row = Assert.Single(lines, line => line.Contains("0xaaaaaa", StringComparison.Ordinal));
        Assert.Contains($" {id} ", row);
        Assert.Contains($" {Ether} ", row);
        Assert.EndsWith("connected", row.TrimEnd());
        Assert.Equal(3, lines.Count(line => line.Trim().Length > 0));
    }

    [Fact]
    public void IdIsShortened_ANumberIsNot()
    {
        Assert.Equal("0xaaaaaa11…", Views.Short(FakeNode.IdA));
        Assert.Equal("1000000000000000000", Views.Short(Ether));
        Assert.Equal("0xaaaaaa", Views.Short("0xaaaaaa"));
    }

    private static string[] Render(Table table, int width)
    {
        var output = new StringWriter { NewLine = "\n" };
        IAnsiConsole screen = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(output),
        });
        screen.Profile.Width = width;
        screen.Write(table);
        return output.ToString().Split('\n');
    }
}
