using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// How large a message of one call may be, by the access token that it shows. Whose that is is looked up at the first message that could
/// be too large: most are smaller than any token's limit can be.
/// </summary>
internal sealed class MessageLimit(ApiAccess access, HttpContext http)
{
    private AccessTokenEntry? _token;
    private bool _isLookedUp;

    /// <summary>What speaks against a message of so many bytes, of which more may come if not <paramref name="isAll"/>; null where nothing does.</summary>
    public RefusalException? Refuse(long bytes, bool isAll = true)
    {
        if (bytes <= AccessToken.MessageBytesMin) return null;
        if (!_isLookedUp) (_token, _isLookedUp) = (access.TokenOf(http), true);
        for (TokenLine? line = _token?.Line; line is not null; line = line.Parent)
            if (line.Token is { MessageBytesMax: > 0 and var max } token && bytes > max) return TooLarge(bytes, isAll, max, _token!.Line.NameOf(token));
        return null;
    }

    private static RefusalException TooLarge(long bytes, bool isAll, uint max, string token) =>
        new(Refusal.TooManyBytes, $"a message has {bytes} bytes{(isAll ? "" : " and more")}, expected at most {max}, the limit of {token}")
        {
            Field = "message",
            Value = $"{bytes}",
            Limit = $"{max}",
        };
}
