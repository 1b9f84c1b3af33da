namespace ChannelNode.Benchmarks.Load;

/// <summary>The working copy that the program was built from.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    public static string PathOf(string name) => Path.Combine(Root, name);

    private static string Find(string from)
    {
        for (string? path = from; path is not null; path = Path.GetDirectoryName(path))
            if (File.Exists(Path.Combine(path, "ChannelNode.sln"))) return path;
        throw new DirectoryNotFoundException($"No ChannelNode.sln above {from}.");
    }
}
