using System.Text.RegularExpressions;
using ChannelNode.Tests.Tidy;

namespace ChannelNode.Tests.Telemetry;

/// <summary>The metrics that the dashboard and the alert rules name.</summary>
internal static partial class WatchedNames
{
    public static IReadOnlyList<string> All() =>
    [
        .. Repository.Files("node/ops", ".json").Concat(Repository.Files("node/ops", "rules.yml"))
            .SelectMany(file => Name().Matches(File.ReadAllText(file)).Select(match => match.Value))
            .Distinct(),
    ];

    /// <summary>Of them those that only a node has whose signer is another program.</summary>
    public static IReadOnlyList<string> OfASigner() =>
        [.. All().Where(name => name.StartsWith("channelnode_signer_", StringComparison.Ordinal) && name != "channelnode_signer_up")];

    /// <summary>Of them those that only a node has that tells webhooks.</summary>
    public static IReadOnlyList<string> OfWebhooks() => [.. All().Where(name => name.StartsWith("channelnode_webhook_", StringComparison.Ordinal))];

    [GeneratedRegex(@"\b(channelnode|dotnet)_[a-z_]+[a-z]\b(?!:)")]
    private static partial Regex Name();
}
