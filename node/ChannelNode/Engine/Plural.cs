using System.Numerics;

namespace ChannelNode.Engine;

/// <summary>Numbers of things in sentences for people: 1 channel, 2 channels.</summary>
internal static class Plural
{
    /// <param name="one">What one is called; an s makes it many, unless <paramref name="many"/> says else.</param>
    public static string Of<T>(T count, string one, string? many = null)
        where T : INumberBase<T> => $"{count} {(count == T.One ? one : many ?? one + "s")}";
}
