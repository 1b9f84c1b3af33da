using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace ChannelNode.Tests.Tidy;

/// <summary>
/// What is renamed into place is on the disk before, and its name after: else a power cut leaves an empty file under a name that
/// says it is whole. Nothing else than the text shows that, as long as the power stays.
/// </summary>
public sealed class DurableNamesTests
{
    [Fact]
    public void FileThatIsRenamed_IsFlushedBefore_AndItsFolderAfter()
    {
        (string Name, string[] Calls)[] renaming =
        [
            .. Repository.Files("node/ChannelNode", ".cs").Select(file => (Repository.NameOf(file), CallsIn(File.ReadAllText(file))))
                .Where(it => it.Item2.Contains("File.Move")),
        ];

        Assert.InRange(renaming.Length, 2, 20);
        Assert.Equal([], renaming.Where(it => !IsDurable(it.Calls)).Select(it => it.Name));
    }

    [Theory]
    [InlineData("file.Flush(flushToDisk: true); File.Move(a, b); AtomicFile.SyncFolder(c);", true)]
    [InlineData("file.Flush(); File.Move(a, b); AtomicFile.SyncFolder(c);", false)]
    [InlineData("File.Move(a, b); AtomicFile.SyncFolder(c);", false)]
    [InlineData("file.Flush(flushToDisk: true); File.Move(a, b);", false)]
    public void Look_SeesWhatLacks(string body, bool isDurable) =>
        Assert.Equal(isDurable, IsDurable(CallsIn("class C { void M() { " + body + " } }")));

    private static bool IsDurable(string[] calls) =>
        calls.Contains("Flush(flushToDisk: true)") && (calls.Contains("SyncFolder") || calls.Contains("Synchronize"));

    /// <summary>Names of what is called, those that flush with what they are told.</summary>
    private static string[] CallsIn(string code) =>
    [
        .. Repository.Parse(code).DescendantNodes().OfType<InvocationExpressionSyntax>().Select(call => call switch
        {
            { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "Flush" } } => $"Flush{call.ArgumentList}",
            { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "Move" } renames } => renames.ToString(),
            { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: var name } } => name,
            { Expression: IdentifierNameSyntax { Identifier.Text: var name } } => name,
            _ => "",
        }),
    ];
}
