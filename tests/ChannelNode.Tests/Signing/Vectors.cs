using System.Globalization;
using System.Text.Json;
using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Signing;

/// <summary>The files of tests/vectors, which an independent implementation wrote.</summary>
internal static class Vectors
{
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The entries of one list in one file.</summary>
    public static IReadOnlyList<JsonElement> Read(string file, string list)
    {
        string path = Path.Combine(RepositoryRoot, "tests", "vectors", file + ".json");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
        List<JsonElement> entries = [.. document.RootElement.GetProperty(list).Clone().EnumerateArray()];
        Assert.NotEmpty(entries);
        return entries;
    }

    public static string Text(this JsonElement entry, string name) => entry.GetProperty(name).GetString()!;

    public static byte[] Bytes(this JsonElement entry, string name) => Hex.Parse(entry.Text(name))!;

    public static UInt128 Number(this JsonElement entry, string name) =>
        UInt128.Parse(entry.Text(name), CultureInfo.InvariantCulture);

    public static ulong UInt64(this JsonElement entry, string name) => (ulong)entry.Number(name);

    public static Address Account(this JsonElement entry, string name) =>
        Address.TryParse(entry.Text(name), out Address value) ? value : throw new FormatException(name);

    public static Bytes32 Word(this JsonElement entry, string name) =>
        Bytes32.TryParse(entry.Text(name), out Bytes32 value) ? value : throw new FormatException(name);

    public static ChannelId Channel(this JsonElement entry) => new(entry.Word("channelId"));

    public static ChannelTerms Terms(this JsonElement entry) => new(
        new Party(entry.Account("ownerA"), entry.Account("signerA")),
        new Party(entry.Account("ownerB"), entry.Account("signerB")),
        entry.Account("token"),
        (uint)entry.Number("disputeWindow"),
        entry.GetProperty("oneWay").GetBoolean(),
        entry.Word("salt"));

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "ChannelNode.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException("no ChannelNode.sln above the tests");
    }
}
