using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace ChannelNode.Tests.Tidy;

/// <summary>Everything is read at one glance.</summary>
public sealed class SizeTests
{
    private const int FileLinesMax = 400;
    private const int FunctionLinesMax = 70;
    private const int ReadmeLinesMax = 150;
    private const int FolderFilesMax = 40;
    private const int ExampleLinesMax = 40;

    private static readonly string[] CodeFolders = ["node", "tests", "contracts"];

    [Theory]
    [InlineData(".cs")]
    [InlineData(".sol")]
    public void File_HasAtMost400Lines(string ending)
    {
        IEnumerable<string> tooLong = CodeFolders.SelectMany(folder => Repository.Files(folder, ending))
            .Select(file => (Name: Repository.NameOf(file), Lines: File.ReadLines(file).Count()))
            .Where(file => file.Lines > FileLinesMax)
            .Select(file => $"{file.Name} has {file.Lines} lines");

        Assert.Empty(tooLong);
    }

    [Fact]
    public void Function_HasAtMost70Lines()
    {
        IEnumerable<string> tooLong = CodeFolders.SelectMany(folder => Repository.Files(folder, ".cs"))
            .SelectMany(file => LongFunctions(File.ReadAllText(file)).Select(it => $"{Repository.NameOf(file)}: {it}"));

        Assert.Empty(tooLong);
    }

    [Fact]
    public void LongFunctionOfAnyKind_IsFound()
    {
        string body = "{" + new string('\n', FunctionLinesMax) + "}";
        Assert.Single(LongFunctions($"class C {{ void M() {body} }}"));
        Assert.Single(LongFunctions($"class C {{ C() {body} }}"));
        Assert.Single(LongFunctions($"class C {{ int P {{ get {body} }} }}"));
        Assert.Equal(2, LongFunctions($"class C {{ void M() {{ void L() {body} }} }}").Count());
        Assert.Single(LongFunctions($"class C {{ object F = () => {body}; }}"));
        Assert.Empty(LongFunctions("class C { void M() {" + new string('\n', FunctionLinesMax - 1) + "} }"));
    }

    [Fact]
    public void Readme_HasAtMost150Lines() =>
        Assert.InRange(File.ReadLines(Repository.PathOf("README.md")).Count(), 1, ReadmeLinesMax);

    /// <summary>Blank lines and comments too: whoever copies one has read it first.</summary>
    [Theory]
    [InlineData("csharp", ".cs", "Program.cs")]
    [InlineData("typescript/src", ".ts", "main.ts")]
    [InlineData("curl", ".sh", "pay.sh")]
    public void Example_HasAtMost40Lines(string folder, string ending, string thatPays)
    {
        string[] files = [.. Repository.Files($"node/examples/{folder}", ending)];
        IEnumerable<string> tooLong = files
            .Select(file => (Name: Repository.NameOf(file), Lines: File.ReadLines(file).Count()))
            .Where(file => file.Lines > ExampleLinesMax)
            .Select(file => $"{file.Name} has {file.Lines} lines");

        Assert.Contains(thatPays, files.Select(Path.GetFileName));
        Assert.Empty(tooLong);
    }

    [Fact]
    public void FolderOfTheNode_HasAtMost40Files()
    {
        IEnumerable<string> tooFull = Repository.Files("node", ".cs")
            .GroupBy(file => Path.GetDirectoryName(Repository.NameOf(file)))
            .Where(folder => folder.Count() > FolderFilesMax)
            .Select(folder => $"{folder.Key} has {folder.Count()} files");

        Assert.Empty(tooFull);
    }

    private static IEnumerable<string> LongFunctions(string code) => Repository.Parse(code).DescendantNodes()
        .Where(node => node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax
            or AnonymousFunctionExpressionSyntax)
        .Select(node => (Span: node.SyntaxTree.GetLineSpan(node.Span), Text: node.ToString()))
        .Where(it => it.Span.EndLinePosition.Line - it.Span.StartLinePosition.Line + 1 > FunctionLinesMax)
        .Select(it => $"line {it.Span.StartLinePosition.Line + 1}: {it.Text.Split('\n')[0]}");
}
