using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// A token as it is now, and those it was narrowed from: what ends one of them ends it too, and what limits one of them limits it.
/// </summary>
internal sealed class TokenLine(AccessToken token, TokenLine? parent = null)
{
    private volatile AccessToken _token = token;

    public AccessToken Token
    {
        get => _token;
        set => _token = value;
    }

    public TokenLine? Parent { get; } = parent;

    /// <summary>The one that was made by whoever may make tokens.</summary>
    public TokenLine Root => Parent?.Root ?? this;

    /// <summary>How many it was narrowed from.</summary>
    public int Depth => Parent is null ? 0 : Parent.Depth + 1;

    /// <summary>Whether one of them is for some channels only.</summary>
    public bool IsConfined => Token.IsConfined || Parent?.IsConfined == true;

    public bool AllowsChannel(ChannelId channel) => WhichRefuses(channel) is null;

    /// <summary>Null where none of them does.</summary>
    public AccessToken? WhichRefuses(ChannelId channel)
    {
        for (TokenLine? line = this; line is not null; line = line.Parent)
            if (line.Token is var token && !token.AllowsChannel(channel)) return token;
        return null;
    }

    /// <summary>The channels that it is for; none where it is for all.</summary>
    public IEnumerable<ChannelId> Channels() =>
        Token.IsConfined ? Token.Channels.Where(AllowsChannel) : Parent?.Channels() ?? [];

    /// <summary>None while all of them are good; else what ends the nearest that is not.</summary>
    public Refusal EndedAt(long nowMs) => EndedAt(nowMs, out _);

    public Refusal EndedAt(long nowMs, out AccessToken which)
    {
        for (TokenLine? line = this; line is not null; line = line.Parent)
            if ((which = line.Token).EndedAt(nowMs) is not Refusal.None and var ended) return ended;
        which = Token;
        return Refusal.None;
    }

    public bool DescendsFrom(ulong number) => Parent is not null && (Parent.Token.Number == number || Parent.DescendsFrom(number));

    /// <summary>One of them, as its bearer is told of it.</summary>
    public string NameOf(AccessToken which) =>
        which.Number == Token.Number ? $"token {which.Number}" : $"token {which.Number} (which token {Token.Number} was narrowed from)";
}
