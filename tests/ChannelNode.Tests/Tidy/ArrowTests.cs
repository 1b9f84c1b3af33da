using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace ChannelNode.Tests.Tidy;

/// <summary>Grpc, Storage, Settlement, Signing, Telemetry, Cli -> Engine -> Core -> nothing. Adapters never use each other.</summary>
public sealed class ArrowTests
{
    private static readonly Dictionary<string, string[]> Uses = new()
    {
        ["Engine"] = ["Core"],
        ["Storage"] = ["Core", "Engine"],
        ["Settlement"] = ["Core", "Engine"],
        ["Signing"] = ["Core", "Engine"],
        ["Grpc"] = ["Core", "Engine", "Proto"],
        ["Cli"] = ["Core", "Engine", "Proto"],
        ["Telemetry"] = ["Core", "Engine"],
        ["Backups"] = ["Core", "Engine"],
    };

    private static readonly string[] Parts = [.. Uses.Keys, "Core", "Proto"];

    private static readonly string[] InexactTypes = ["BigInteger", "Double", "Single", "Half", "Decimal"];

    [Fact]
    public void EachFolderOfTheNode_IsAPartOfTheMap()
    {
        Assert.Empty(Directory.EnumerateDirectories(Repository.PathOf("node/ChannelNode"))
            .Select(folder => Path.GetFileName(folder)!)
            .Except([.. Uses.Keys, "bin", "obj"]));
        Assert.Equal(
            ["NodeHost.cs", "Preflight.cs", "Program.cs", "ProgramLog.cs", "Trial.cs", "WatchtowerHost.cs"],
            Directory.EnumerateFiles(Repository.PathOf("node/ChannelNode"), "*.cs").Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Parts_UseOnlyWhatTheyMay()
    {
        IEnumerable<string> wrong = Uses.SelectMany(part => Repository.Files($"node/ChannelNode/{part.Key}", ".cs")
            .SelectMany(file => WrongUses(part.Key, File.ReadAllText(file))
                .Select(used => $"{Repository.NameOf(file)} uses {used}")));

        Assert.Empty(wrong);
    }

    [Fact]
    public void Core_UsesNothing()
    {
        string project = File.ReadAllText(Repository.PathOf("node/ChannelNode.Core/ChannelNode.Core.csproj"));
        Assert.DoesNotContain("Reference", project);

        IEnumerable<string> wrong = Repository.Files("node/ChannelNode.Core", ".cs")
            .SelectMany(file => Repository.Parse(File.ReadAllText(file)).DescendantNodes()
                .OfType<UsingDirectiveSyntax>()
                .Select(it => it.NamespaceOrType.ToString())
                .Where(it => it is not ("System.Buffers" or "System.Buffers.Binary" or "System.Numerics"))
                .Select(it => $"{Repository.NameOf(file)} uses {it}"));
        Assert.Empty(wrong);
    }

    [Fact]
    public void Namespace_IsThatOfTheFolder()
    {
        IEnumerable<string> wrong = Uses.Keys.SelectMany(part => Repository.Files($"node/ChannelNode/{part}", ".cs")
            .Where(file => NamespaceOf(File.ReadAllText(file)) is { } found
                && found != $"ChannelNode.{part}" && !found.StartsWith($"ChannelNode.{part}.")));

        Assert.Empty(wrong.Select(Repository.NameOf));
    }

    [Theory]
    [InlineData("node/ChannelNode.Core")]
    [InlineData("node/ChannelNode/Engine")]
    [InlineData("node/ChannelNode/Settlement")]
    public void Money_IsCountedInWholeNumbersOfKnownSize(string folder)
    {
        IEnumerable<string> wrong = Repository.Files(folder, ".cs").SelectMany(file =>
            InexactNumbers(File.ReadAllText(file)).Select(it => $"{Repository.NameOf(file)}: {it}"));

        Assert.Empty(wrong);
    }

    [Theory]
    [InlineData("using ChannelNode.Grpc;")]
    [InlineData("using static ChannelNode.Grpc.Sessions;")]
    [InlineData("using Alias = global::ChannelNode.Grpc.Sessions;")]
    [InlineData("namespace ChannelNode.Storage; class C { object F = ChannelNode.Grpc.Sessions.One; }")]
    [InlineData("namespace ChannelNode.Storage; class C { object F = Grpc.Sessions.One; }")]
    [InlineData("namespace ChannelNode.Storage; class C { Grpc.Sessions F; }")]
    [InlineData("namespace ChannelNode.Storage; class C : List<global::ChannelNode.Grpc.Sessions> { }")]
    public void WrongArrowInAnyForm_IsFound(string code) => Assert.Equal(["Grpc"], WrongUses("Storage", code).Distinct());

    [Theory]
    [InlineData("using Grpc.Core; using ChannelNode.Core; using ChannelNode.Engine; using ChannelNode.Storage.Rows;")]
    [InlineData("namespace ChannelNode.Storage; class C { object F = Core.Address.Zero; int Grpc; }")]
    public void RightArrow_IsLeftAlone(string code) => Assert.Empty(WrongUses("Storage", code));

    [Theory]
    [InlineData("class C { double F; }")]
    [InlineData("class C { object F = 1.5; }")]
    [InlineData("class C { object F = (float)1; }")]
    [InlineData("class C { decimal? F; }")]
    [InlineData("class C { object F = new System.Numerics.BigInteger(1); }")]
    public void InexactNumberInAnyForm_IsFound(string code) => Assert.NotEmpty(InexactNumbers(code));

    private static IEnumerable<string> WrongUses(string part, string code)
    {
        SyntaxNode root = Repository.Parse(code);
        IEnumerable<string> named = root.DescendantNodes()
            .Where(node => node is QualifiedNameSyntax or MemberAccessExpressionSyntax or AliasQualifiedNameSyntax)
            .Select(node => node.ToString().Replace("global::", ""))
            .Concat(root.DescendantNodes().OfType<UsingDirectiveSyntax>().Select(it => it.NamespaceOrType.ToString()))
            .Where(name => name.StartsWith("ChannelNode.", StringComparison.Ordinal))
            .Select(name => name.Split('.')[1]);

        // Inside of a namespace of ours, "Storage.X" means ChannelNode.Storage.X; in a using it does not.
        IEnumerable<string> inside = root.DescendantNodes(node => node is not UsingDirectiveSyntax)
            .Select(Leftmost)
            .OfType<string>();
        return named.Concat(inside).Where(used => Parts.Contains(used) && used != part && !Uses[part].Contains(used));
    }

    private static string? Leftmost(SyntaxNode node) => node switch
    {
        QualifiedNameSyntax { Left: IdentifierNameSyntax left } when !InNamespaceName(node) => left.Identifier.Text,
        MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax left } => left.Identifier.Text,
        _ => null,
    };

    private static bool InNamespaceName(SyntaxNode node) =>
        node.AncestorsAndSelf().Any(it => it is NameSyntax && it.Parent is BaseNamespaceDeclarationSyntax);

    private static string? NamespaceOf(string code) => Repository.Parse(code).DescendantNodes()
        .OfType<BaseNamespaceDeclarationSyntax>().FirstOrDefault()?.Name.ToString();

    private static IEnumerable<string> InexactNumbers(string code) => Repository.Parse(code).DescendantTokens()
        .Where(token => token.Kind() is SyntaxKind.DoubleKeyword or SyntaxKind.FloatKeyword or SyntaxKind.DecimalKeyword
            || token.IsKind(SyntaxKind.NumericLiteralToken) && token.Value is double or float or decimal
            || token.IsKind(SyntaxKind.IdentifierToken) && InexactTypes.Contains(token.Text))
        .Select(token => $"line {token.GetLocation().GetLineSpan().StartLinePosition.Line + 1}: {token.Text}");
}
