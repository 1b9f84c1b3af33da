using System.Globalization;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>How often the tests kill nodes: 20 times in all, or as CHANNELNODE_KILLS says.</summary>
internal static class Kills
{
    private const int All = 20;

    private static readonly int Wanted =
        int.Parse(Environment.GetEnvironmentVariable("CHANNELNODE_KILLS") ?? "20", CultureInfo.InvariantCulture);

    /// <summary>A test's share of the 20, at least one, in proportion when more are wanted.</summary>
    public static int Share(int of20) => Math.Max(1, of20 * Wanted / All);
}
