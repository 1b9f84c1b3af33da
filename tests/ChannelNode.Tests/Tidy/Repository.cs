using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace ChannelNode.Tests.Tidy;

/// <summary>The working copy that the tests were built from.</summary>
internal static class Repository
{
    private static readonly string[] NotOurs =
    [
        "bin", "obj", "node_modules", "out", "cache", "lib", "artifacts", "broadcast", "TestResults",
        "BenchmarkDotNet.Artifacts",
    ];

    public static string Root { get; } = FindRoot(AppContext.BaseDirectory);

    public static string PathOf(string name) => Path.Combine(Root, name);

    /// <summary>Path from the root, with slashes.</summary>
    public static string NameOf(string path) => Path.GetRelativePath(Root, path).Replace('\\', '/');

    /// <summary>All our files below a folder of the root whose names end so; none when the folder is missing.</summary>
    public static IEnumerable<string> Files(string folder, string ending)
    {
        string path = PathOf(folder);
        if (!Directory.Exists(path)) return [];
        return Folders(path).Prepend(path)
            .SelectMany(Directory.EnumerateFiles)
            .Where(file => file.EndsWith(ending, StringComparison.Ordinal));
    }

    /// <summary>All our folders below a path.</summary>
    public static IEnumerable<string> Folders(string path) => Directory.EnumerateDirectories(path)
        .Where(folder => !NotOurs.Contains(Path.GetFileName(folder)) && !Path.GetFileName(folder).StartsWith('.'))
        .SelectMany(folder => Folders(folder).Prepend(folder));

    public static SyntaxNode Parse(string code) => CSharpSyntaxTree.ParseText(code).GetRoot();

    private static string FindRoot(string from)
    {
        for (string? path = from; path is not null; path = Path.GetDirectoryName(path))
            if (File.Exists(Path.Combine(path, "ChannelNode.sln"))) return path;
        throw new DirectoryNotFoundException($"No ChannelNode.sln above {from}.");
    }
}
