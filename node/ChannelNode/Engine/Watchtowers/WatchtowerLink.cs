using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// How a watchtower stands: whether it is connected, how many channels it has the newest update of, how many it lacks, since
/// when, and how many it refuses to guard.
/// </summary>
internal sealed record WatchtowerStatus(
    string Url, Address Signer, bool IsConnected, int Guarded, int Lagging, long LaggingMs, int Refused, Refusal NewestRefusal);

/// <summary>
/// What one watchtower has and what it lacks. While it is away only the lack grows, one entry for a channel. What is sent is
/// read and signed when it leaves: always the newest that is committed. For any thread.
/// </summary>
internal sealed class WatchtowerLink(
    string url, ChannelBook book, IChannelStore store, ISignatureScheme scheme, NodeClock clock, ILogger log)
{
    /// <summary>Channels read at a time when all are looked through.</summary>
    private const int ChannelsPerLook = 4_096;

    /// <summary>After an answer that says nothing of something sent; twice as long after each more in a row.</summary>
    private static readonly TimeSpan PauseMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(60);

    /// <summary>Where there was no room for a channel there may be some later.</summary>
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Signal _noted = new();
    private readonly HashSet<ChannelId> _held = [];
    private readonly Dictionary<ChannelId, Refusal> _refused = [];
    private readonly Dictionary<ChannelId, (GuardedTotals Totals, long Since, bool WithTerms)> _sending = [];
    private Dictionary<ChannelId, long> _lacking = [];
    private Address _signer;
    private Refusal _newestRefusal;
    private bool _isConnected;
    private TimeSpan _pause;
    private long _askedAgain = clock.Time.GetTimestamp();

    public string Url { get; } = url;

    public WatchtowerStatus Status
    {
        get
        {
            lock (_lock)
            {
                long oldest = long.MaxValue;
                foreach (long since in _lacking.Values) oldest = Math.Min(oldest, since);
                foreach ((_, long since, _) in _sending.Values) oldest = Math.Min(oldest, since);
                int lagging = _lacking.Count + _sending.Count;
                return new WatchtowerStatus(
                    Url, _signer, _isConnected, _held.Count, lagging, lagging == 0 ? 0 : clock.NowMs - oldest, _refused.Count,
                    _refused.Count == 0 ? Refusal.None : _newestRefusal);
            }
        }
    }

    /// <summary>Something was committed in these channels. Told to the watchtower with the next <see cref="Wake"/>.</summary>
    public void Note(IReadOnlyList<ChannelId> channels)
    {
        if (channels.Count == 0) return;
        long now = clock.NowMs;
        lock (_lock)
            foreach (ChannelId id in channels) _lacking.TryAdd(id, now);
    }

    public void Wake() => _noted.Raise();

    /// <summary>To be called now and then: what there was no room for is asked for again after a while.</summary>
    public void AskAgain()
    {
        lock (_lock)
        {
            if (clock.Time.GetElapsedTime(_askedAgain) < AskAgainAfter) return;
            _askedAgain = clock.Time.GetTimestamp();
            long now = clock.NowMs;
            foreach ((ChannelId id, Refusal reason) in _refused)
                if (reason is Refusal.TooManyChannels or Refusal.DiskLow) _lacking.TryAdd(id, now);
            if (_lacking.Count == 0) return;
        }

        _noted.Raise();
    }

    /// <summary>Before the first session: it has nothing, as far as is known.</summary>
    public void Count() => Compare(new Dictionary<ChannelId, GuardedTotals>());

    /// <summary>Whether this node has the channel: what a watchtower says of others is of no interest.</summary>
    public bool Knows(ChannelId id) => book.Peek(id) is not null || store.FindChannel(id) is not null;

    /// <summary>A session is up, in which the watchtower has told what it has. Looks through all channels.</summary>
    public void Begin(Address signer, IReadOnlyDictionary<ChannelId, GuardedTotals> holdings)
    {
        Compare(holdings);
        lock (_lock) (_signer, _isConnected) = (signer, true);
        WatchtowerStatus status = Status;
        log.TowerConnected(signer, Url, status.Guarded, status.Lagging);
        _noted.Raise();
    }

    /// <summary>The session is over; what it did not answer is lacking.</summary>
    public void End()
    {
        lock (_lock)
        {
            _isConnected = false;
            foreach ((ChannelId id, (_, long since, _)) in _sending) _lacking[id] = since;
            _sending.Clear();
        }
    }

    private void Compare(IReadOnlyDictionary<ChannelId, GuardedTotals> holdings)
    {
        Dictionary<ChannelId, long> before;
        lock (_lock)
        {
            (before, _lacking) = (_lacking, []);
            _held.Clear();
            _refused.Clear();
        }

        long now = clock.NowMs;
        foreach (IReadOnlyList<StoredChannel> page in book.Pages(ChannelsPerLook))
        {
            lock (_lock)
                foreach (StoredChannel stored in page) Compare(stored, holdings, before, now);
        }
    }

    private void Compare(
        StoredChannel stored, IReadOnlyDictionary<ChannelId, GuardedTotals> holdings, Dictionary<ChannelId, long> before, long now)
    {
        ChannelId id = stored.Channel.Id;
        GuardedTotals has = holdings.GetValueOrDefault(id);
        bool isHeld = holdings.ContainsKey(id);
        if (isHeld) _held.Add(id);
        if (isHeld && (has.Sent > stored.State.TheirSent || has.Received > stored.State.TheirReceived))
            log.TowerKnowsMore(Url, id, has.Sent, stored.State.TheirSent);
        if (!NeedsGuard(stored) || (isHeld && has.Covers(stored.State.TheirSent, stored.State.TheirReceived))) return;
        _lacking.TryAdd(id, before.GetValueOrDefault(id, now));
    }

    /// <summary>There is something that only the peer's newest update gives us.</summary>
    private static bool NeedsGuard(StoredChannel stored) =>
        stored.State.HasTheirUpdate && !(stored.Channel.Terms.OneWay && stored.Channel.OurSide == Side.A);

    /// <summary>
    /// What the watchtower lacks, at most so many at once; waits until it lacks something, and longer where it has let things
    /// unanswered: one that answers nothing costs nothing.
    /// </summary>
    public async Task<IReadOnlyList<GuardRequest>> NextFrameAsync(int countMax, CancellationToken cancel)
    {
        if (_pause > TimeSpan.Zero) await Task.Delay(_pause, clock.Time, cancel);
        while (true)
        {
            await _noted.WhenAsync(LacksSomething, cancel);
            List<Task<GuardRequest>> frame = [];
            foreach ((ChannelId id, long since) in Take(countMax))
            {
                if (Newest(id) is { } stored && NeedsGuard(stored)) frame.Add(RequestAsync(stored, since, cancel));
                else Drop(id);
            }

            if (frame.Count > 0) return await Task.WhenAll(frame);
        }
    }

    private bool LacksSomething()
    {
        lock (_lock) return _lacking.Count > 0;
    }

    /// <summary>Before its state is read, so that what is committed later lacks again. It lags also while it is read and signed.</summary>
    private List<KeyValuePair<ChannelId, long>> Take(int countMax)
    {
        lock (_lock)
        {
            List<KeyValuePair<ChannelId, long>> taken = [.. _lacking.Take(countMax)];
            foreach ((ChannelId id, long since) in taken)
            {
                _lacking.Remove(id);
                _sending[id] = (default, since, default);
            }

            return taken;
        }
    }

    private void Drop(ChannelId id)
    {
        lock (_lock) _sending.Remove(id);
    }

    /// <summary>As committed; brings no channel into memory.</summary>
    private StoredChannel? Newest(ChannelId id) =>
        book.Peek(id) is { } slot ? new StoredChannel(slot.Channel, slot.State) : store.FindChannel(id);

    private async Task<GuardRequest> RequestAsync(StoredChannel stored, long since, CancellationToken cancel)
    {
        ChannelState state = stored.State;
        BalanceUpdate update = new(stored.Channel.Id, state.TheirSent, state.TheirReceived);
        GuardedUpdate guarded = new(update, state.TheirSignature, await scheme.SignConsentAsync(update, cancel));
        lock (_lock)
        {
            bool withTerms = !_held.Contains(update.Channel);
            _sending[update.Channel] = (new GuardedTotals(update.Channel, update.Sent, update.Received), since, withTerms);
            return new GuardRequest(guarded, withTerms ? stored.Channel.Terms : null);
        }
    }

    /// <summary>The watchtower has answered what was sent.</summary>
    public void Take(GuardAnswer answer)
    {
        lock (_lock)
        {
            foreach (GuardedTotals stored in answer.Stored)
            {
                if (!_sending.Remove(stored.Channel, out var sent)) continue;
                _held.Add(stored.Channel);
                if (stored.Covers(sent.Totals.Sent, sent.Totals.Received)) _refused.Remove(stored.Channel);
                else Refuse(stored.Channel, Refusal.StaleSent, "it says that it has another, which is not newer");
            }

            foreach (GuardRefusal refusal in answer.Refusals)
            {
                if (!_sending.Remove(refusal.Channel, out var sent)) continue;
                bool hasLetGo = refusal.Reason == Refusal.UnknownChannel && !sent.WithTerms;
                if (hasLetGo) _lacking[refusal.Channel] = sent.Since;
                else Refuse(refusal.Channel, refusal.Reason, $"{refusal.Field} is {refusal.Value}, expected {refusal.Limit}");
                _held.Remove(refusal.Channel);
            }

            // What it says nothing of is not there.
            _pause = _sending.Count == 0 ? TimeSpan.Zero : _pause < PauseMin ? PauseMin : _pause * 2 < PauseMax ? _pause * 2 : PauseMax;
            foreach ((ChannelId id, (_, long since, _)) in _sending) _lacking[id] = since;
            _sending.Clear();
        }
    }

    private void Refuse(ChannelId channel, Refusal reason, string message)
    {
        _newestRefusal = reason;
        bool isKnown = _refused.TryGetValue(channel, out Refusal before) && before == reason;
        _refused[channel] = reason;
        if (!isKnown) log.TowerRefused(Url, channel, reason.Name(), message);
    }
}
