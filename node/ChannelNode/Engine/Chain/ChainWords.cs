using System.Globalization;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What the chain says of a channel, for people: in the channel's own unit, times in UTC.</summary>
internal static class ChainWords
{
    private static readonly ulong LastSeconds = (ulong)DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    public static string Of(Channel channel, in Pots pots, bool wasFunded)
    {
        if (!wasFunded && pots.IsBlank) return "no deposit";
        Address token = channel.Terms.Token;
        string unit = token.IsZero ? "wei" : $"units of {token}";
        string closing = pots.IsClosing ? $"closing until {Time(pots.ClosesAtSeconds)}" : pots.IsEmpty ? "paid out" : "open";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{closing}, in {unit}: side a has {pots.PotA} and is recorded with {pots.SentA} sent, side b has {pots.PotB} and "
            + $"{pots.SentB} sent");
    }

    public static string Of(ChainBlock? block) => block is null ? "none" : $"block {block.Number}, {block.Hash}";

    /// <summary>Unix time; one that no calendar has, as a caller may name, is said to be that.</summary>
    public static string Time(ulong seconds) => seconds > LastSeconds
        ? "after the year 9999"
        : DateTimeOffset.FromUnixTimeSeconds((long)seconds).ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
}
