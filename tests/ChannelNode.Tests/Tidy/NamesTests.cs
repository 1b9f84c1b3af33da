using System.Text.RegularExpressions;
using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Tidy;

/// <summary>One name for one thing in three languages, and everything in its place.</summary>
public sealed partial class NamesTests
{
    private static readonly string[] TopFolders = ["contracts", "node", "proto", "scripts", "tests"];

    private static readonly string[] VagueFolders = ["Models", "Helpers", "Utils", "Common", "Interfaces"];

    [Fact]
    public void Refusals_HaveTheSameNamesAndNumbersInTheProto()
    {
        string proto = File.ReadAllText(Repository.PathOf("proto/channelnode/v1/refusal.proto"));
        IEnumerable<string> spoken = ProtoRefusal().Matches(proto)
            .Select(match => $"{match.Groups["name"].Value} = {match.Groups["number"].Value}");
        IEnumerable<string> known = Enum.GetValues<Refusal>().Select(refusal => $"{ProtoName(refusal)} = {(int)refusal}");

        Assert.Equal(known, spoken);
    }

    [Fact]
    public void KindsOfEventsAndJobs_HaveTheSameNamesAndNumbersInTheProto()
    {
        AssertSame<EventKind, Wire.EventKind>();
        AssertSame<EventSeverity, Wire.EventSeverity>();
        AssertSame<JobKind, Wire.JobKind>();
        AssertSame<DeadlineKind, Wire.DeadlineKind>();

        static void AssertSame<TEngine, TWire>()
            where TEngine : struct, Enum
            where TWire : struct, Enum =>
            Assert.Equal(
                Enum.GetValues<TEngine>().Select(value => $"{value} = {value:D}"),
                Enum.GetValues<TWire>().Select(value => $"{value} = {value:D}").Skip(1));
    }

    [Fact]
    public void ContractErrors_AreRefusals()
    {
        string contract = File.ReadAllText(Repository.PathOf("contracts/src/interfaces/IPaymentChannels.sol"));
        string[] errors = [.. SolidityError().Matches(contract).Select(match => match.Groups["name"].Value)];

        Assert.NotEmpty(errors);
        Assert.Empty(errors.Except(Enum.GetNames<Refusal>()));
    }

    [Fact]
    public void NoFolder_HasAVagueName()
    {
        IEnumerable<string> vague = Repository.Folders(Repository.Root)
            .Where(folder => VagueFolders.Contains(Path.GetFileName(folder)));

        Assert.Empty(vague.Select(Repository.NameOf));
    }

    [Fact]
    public void Root_HoldsNothingElse()
    {
        IEnumerable<string> folders = Directory.EnumerateDirectories(Repository.Root)
            .Select(folder => Path.GetFileName(folder)!)
            .Where(name => !name.StartsWith('.'));
        IEnumerable<string> files = Directory.EnumerateFiles(Repository.Root)
            .Select(file => Path.GetFileName(file)!)
            .Where(name => !name.StartsWith('.') && !RootFile().IsMatch(name));

        IEnumerable<string> ignored = File.ReadLines(Repository.PathOf(".gitignore")).Select(line => line.TrimEnd('/'));
        Assert.Empty(folders.Except(TopFolders).Except(ignored)); // What the README's commands make is there when one has tried them.
        Assert.Empty(files);
    }

    private static string ProtoName(Refusal refusal) => refusal == Refusal.None
        ? "REFUSAL_UNSPECIFIED"
        : "REFUSAL_" + WordStart().Replace(refusal.ToString(), "_").ToUpperInvariant();

    [GeneratedRegex("(?<=[a-z])(?=[A-Z])")]
    private static partial Regex WordStart();

    [GeneratedRegex(@"(?<name>REFUSAL_\w+) = (?<number>\d+);")]
    private static partial Regex ProtoRefusal();

    [GeneratedRegex(@"^\s*error (?<name>\w+)\(", RegexOptions.Multiline)]
    private static partial Regex SolidityError();

    [GeneratedRegex(@"^(ChannelNode\.sln|README\.md|LICENSE|global\.json|nuget\.config|Directory\.\w+\.(props|targets))$", RegexOptions.IgnoreCase)]
    private static partial Regex RootFile();
}
