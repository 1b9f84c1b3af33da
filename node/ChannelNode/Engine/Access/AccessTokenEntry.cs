using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>A token in memory, with what hangs on it.</summary>
internal sealed class AccessTokenEntry(TokenLine line, PaymentBudget budget)
{
    private readonly CancellationTokenSource _ended = new(); // Never disposed of: a timer or a call may hold it still, and it has nothing to let go.
    private readonly Lock _changing = new();
    private RefusalException? _why;

    public TokenLine Line { get; } = line;

    public AccessToken Token => Line.Token;

    public PaymentBudget Budget { get; } = budget;

    /// <summary>Cancelled when the token, or one that it was narrowed from, is revoked or its time is over: calls that are open end with it.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>What calls are told that ended with it; null while they go on.</summary>
    public RefusalException? Why
    {
        get
        {
            lock (_changing) return _why;
        }
    }

    /// <summary>Whether the token is another one now; not where calls were told, or are being told, that it has ended: then it is to be entered anew.</summary>
    public bool TryChange(AccessToken next)
    {
        lock (_changing)
        {
            if (_why is not null) return false;
            Line.Token = next;
            return true;
        }
    }

    /// <summary>The same token again, where calls were told that it has ended; with what it has spent.</summary>
    public AccessTokenEntry Renew(AccessToken next)
    {
        Line.Token = next;
        return new AccessTokenEntry(Line, Budget);
    }

    public void EndIfOver(long nowMs)
    {
        lock (_changing)
        {
            if (_why is not null || Refuse(nowMs) is not { } over) return;
            _why = over;
        }

        _ended.Cancel(); // Outside: whoever waits for it goes on here.
    }

    /// <summary>What speaks against it; null while nothing does.</summary>
    public RefusalException? Refuse(long nowMs)
    {
        if (Line.EndedAt(nowMs, out AccessToken which) is not (not Refusal.None and var ended)) return null;
        string how = ended == Refusal.AccessTokenExpired
            ? $"expired at {DateTimeOffset.FromUnixTimeSeconds((long)which.ExpiresAtSeconds):u}"
            : "was revoked";
        return new RefusalException(ended, $"access {Line.NameOf(which)} {how}") { Field = "authorization" };
    }
}
