using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// The sessions of a watchtower that are up. Their number is limited, and a key costs nothing: so the place of a client without
/// a funded channel is its own only until somebody needs it. A client with one always gets in, and nobody takes its last session.
/// </summary>
internal sealed class GuardSessions
{
    /// <summary>
    /// Sessions of one signer. Beyond them its newest is taken and its longest idle one ends: where a connection broke unseen, the
    /// node is back before the watchtower knows.
    /// </summary>
    public const int PerSignerMax = 4;

    private readonly Lock _lock = new();

    /// <summary>The longest idle first.</summary>
    private readonly LinkedList<GuardSession> _sessions = [];
    private readonly GuardBook _guards;
    private readonly int _sessionsMax;
    private readonly ILogger _log;

    public GuardSessions(GuardBook guards, int sessionsMax, ILogger log)
    {
        (_guards, _sessionsMax, _log) = (guards, sessionsMax, log);
        guards.LetGo = EndAll;
    }

    public int Count
    {
        get
        {
            lock (_lock) return _sessions.Count;
        }
    }

    /// <summary>
    /// A session of a signer begins, to be disposed at its end. Refuses with NotParty for a signer that is not named, with
    /// TooManyInFlight when every session is one that nobody may end.
    /// </summary>
    public GuardSession Begin(Address signer)
    {
        GuardClient client = _guards.Join(signer);
        GuardSession session = new(client, End);
        GuardSession? leaving = null;
        lock (_lock)
        {
            bool isFull = _sessions.Count >= _sessionsMax;
            leaving = LongestIdleOf(client) ?? (isFull ? LongestIdleFor(client) : null);
            if (isFull && leaving is null)
            {
                _guards.Leave(client);
                throw Refused($"{_sessions.Count} sessions are up, expected at most {_sessionsMax}");
            }

            if (leaving is not null) Remove(leaving);
            session.Place = _sessions.AddLast(session);
        }

        if (leaving is not null)
        {
            bool isOwn = leaving.Client == client;
            _log.GuardSessionEnded(leaving.Client.Signer, _sessionsMax);
            leaving.End(Refused(
                isOwn ? $"another session of {signer} is up, expected at most {PerSignerMax} of one signer"
                    : $"its place is needed, expected at most {_sessionsMax} sessions or a channel with a deposit"));
        }

        return session;
    }

    /// <summary>Where the signer has as many as it may.</summary>
    private GuardSession? LongestIdleOf(GuardClient client) =>
        _sessions.Count(session => session.Client == client) < PerSignerMax
            ? null
            : _sessions.First(session => session.Client == client);

    /// <summary>A stranger's; for a client with a funded channel and no session else one of several that another such client has.</summary>
    private GuardSession? LongestIdleFor(GuardClient client)
    {
        GuardSession? stranger = _sessions.FirstOrDefault(session => session.Client.IsStranger);
        if (stranger is not null || client.IsStranger || _sessions.Any(session => session.Client == client)) return stranger;
        HashSet<GuardClient> seen = [];
        return _sessions.Reverse().Where(session => !seen.Add(session.Client)).LastOrDefault();
    }

    /// <summary>Something was heard in the session: it is the last to be idle for long.</summary>
    public void Hear(GuardSession session)
    {
        lock (_lock)
        {
            if (session.Place is not { } place) return;
            _sessions.Remove(place);
            _sessions.AddLast(place);
        }
    }

    /// <summary>
    /// Channels of a signer were let go of to make room. Its node believes that they are guarded until a new session tells
    /// it what is.
    /// </summary>
    private void EndAll(Address signer)
    {
        List<GuardSession> leaving;
        lock (_lock)
        {
            leaving = [.. _sessions.Where(session => session.Client.Signer == signer)];
            foreach (GuardSession session in leaving) Remove(session);
        }

        foreach (GuardSession session in leaving)
        {
            session.End(new RefusalException(
                Refusal.TooManyChannels, "a channel without a deposit is not guarded any more, its place was needed: say again what is to be")
            {
                Field = "channels without a deposit",
            });
        }
    }

    private void End(GuardSession session)
    {
        lock (_lock) Remove(session);
        _guards.Leave(session.Client);
    }

    private void Remove(GuardSession session)
    {
        if (session.Place is { } place) _sessions.Remove(place);
        session.Place = null;
    }

    private static RefusalException Refused(string message) => new(Refusal.TooManyInFlight, message) { Field = "session" };
}

/// <summary>One session of a client. Disposed by whoever began it, once.</summary>
internal sealed class GuardSession(GuardClient client, Action<GuardSession> left) : IDisposable
{
    private readonly CancellationTokenSource _ending = new();
    private volatile RefusalException? _why;

    public GuardClient Client { get; } = client;

    /// <summary>Among those that are up; null for one that is not any more. Under the lock of them all.</summary>
    public LinkedListNode<GuardSession>? Place { get; set; }

    /// <summary>Cancelled when its place is somebody else's, for <see cref="Why"/>.</summary>
    public CancellationToken Ended => _ending.Token;

    public RefusalException? Why => _why;

    /// <summary>To be called once; what is on its way to disk goes on.</summary>
    public void End(RefusalException why)
    {
        _why = why;
        _ = _ending.CancelAsync();
    }

    public void Dispose() => left(this);
}
