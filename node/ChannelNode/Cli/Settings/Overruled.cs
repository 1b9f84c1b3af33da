using System.CommandLine;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>
/// Settings that were given and would count for nothing, because another one allows less, or asks for more. A default gives way to what
/// is given beside it, and is no fault.
/// </summary>
internal static class Overruled
{
    /// <summary>Faults where <paramref name="option"/> is above <paramref name="bound"/>; where that has no value, nothing is.</summary>
    public static IEnumerable<SettingFault> Above<T>(ParseResult parsed, Option<T> option, Option<T> bound, string why)
        where T : IComparable<T> =>
        Apart(parsed, option, bound, "more", why, (value, limit) => value.CompareTo(limit) > 0);

    public static IEnumerable<SettingFault> Below<T>(ParseResult parsed, Option<T> option, Option<T> bound, string why)
        where T : IComparable<T> =>
        Apart(parsed, option, bound, "less", why, (value, limit) => value.CompareTo(limit) < 0);

    /// <summary>The same of limits that 0 takes away.</summary>
    public static IEnumerable<SettingFault> AboveUnlessNone(
        ParseResult parsed, Option<SetAmount> option, Option<SetAmount> bound, string why) =>
        parsed.GetValue(bound).Units == UInt128.Zero ? [] : Above(parsed, option, bound, why);

    private static IEnumerable<SettingFault> Apart<T>(
        ParseResult parsed, Option<T> option, Option<T> bound, string more, string why, Func<T, T, bool> isWrong)
    {
        if (parsed.GetResult(option) is not { Implicit: false } || parsed.GetResult(bound) is null) yield break;
        T value = parsed.GetValue(option)!, limit = parsed.GetValue(bound)!;
        if (!isWrong(value, limit)) yield break;
        yield return new SettingFault(option.Name, $"{option.Name}: {value} is {more} than {bound.Name}, {limit}: {why}", bound.Name);
    }
}
