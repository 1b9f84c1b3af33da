using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// The channels that a watchtower guards. Of each side that asked for it the newest update is on disk; of the channel
/// itself only what the chain says. Both sides of one channel may be guarded, each for itself.
/// </summary>
internal sealed class GuardBook
{
    /// <summary>Channels read at a time when all are looked through.</summary>
    private const int ChannelsPerLook = 4_096;

    private readonly ChannelBook _book;
    private readonly Ledger _ledger;
    private readonly IChannelStore _store;
    private readonly GuardCheck _check;
    private readonly NodeClock _clock;
    private readonly WatchtowerOptions _options;
    private readonly ILogger<GuardBook> _log;
    private readonly PeerLinks _nobody = new();
    private readonly Lock _joining = new();
    private readonly Dictionary<Address, GuardClient> _clients = [];
    private readonly Dictionary<ChannelId, long> _emptySince = [];
    private int _count;
    private int _sessions;

    public GuardBook(
        ChannelBook book, Ledger ledger, IChannelStore store, GuardCheck check, NodeClock clock, WatchtowerOptions options,
        ILogger<GuardBook> log)
    {
        (_book, _ledger, _store, _check, _clock, _options, _log) = (book, ledger, store, check, clock, options, log);
        foreach (StoredChannel stored in book.Pages(ChannelsPerLook).SelectMany(page => page))
            foreach (StoredChannel side in GuardedSides(stored)) Count(ClientOf(side.Channel.Ours.Signer), side.Channel.Id);
    }

    /// <summary>Sides of channels that are guarded.</summary>
    public int GuardedCount => Volatile.Read(ref _count);

    /// <summary>A session of a signer begins. Refuses with TooManyInFlight when there are too many, NotParty for one that is not named.</summary>
    public GuardClient Join(Address signer)
    {
        if (_options.AcceptedSigners.Count > 0 && !_options.AcceptedSigners.Contains(signer))
        {
            throw new RefusalException(Refusal.NotParty, $"signer is {signer}, expected one that this watchtower is set to guard")
            {
                Field = "signer",
            };
        }

        lock (_joining)
        {
            if (_sessions >= _options.SessionsMax)
            {
                throw new RefusalException(
                    Refusal.TooManyInFlight, $"{_sessions} sessions are up, expected at most {_options.SessionsMax}")
                {
                    Field = "session",
                };
            }

            _sessions++;
            GuardClient client = ClientOf(signer);
            client.Sessions++;
            return client;
        }
    }

    /// <summary>A session ends. Of a signer that left nothing, nothing is kept.</summary>
    public void Leave(GuardClient client)
    {
        lock (_joining)
        {
            _sessions--;
            if (--client.Sessions == 0 && client.Count == 0) _clients.Remove(client.Signer);
        }
    }

    private GuardClient ClientOf(Address signer)
    {
        if (!_clients.TryGetValue(signer, out GuardClient? client)) _clients[signer] = client = new GuardClient(signer);
        return client;
    }

    /// <summary>What is on disk for a signer.</summary>
    public IEnumerable<GuardedTotals> Holdings(GuardClient client)
    {
        foreach (ChannelId id in client.List())
        {
            if (_store.FindChannel(id) is not { } stored) continue;
            Side side = stored.Channel.Terms.A.Signer == client.Signer ? Side.A : Side.B;
            if (_store.FindGuarded(id, side) is { } guarded)
                yield return new GuardedTotals(id, guarded.Update.Sent, guarded.Update.Received);
        }
    }

    /// <summary>The channels that are closing, once for each side that is guarded, as that side sees them.</summary>
    public IEnumerable<StoredChannel> Closing() =>
        _book.Watched.SelectMany(slot => GuardedSides(new StoredChannel(slot.Channel, slot.State)));

    /// <summary>The newest update and its consent, whatever the state said when it was looked at.</summary>
    public GuardedUpdate Evidence(StoredChannel closing) =>
        _store.FindGuarded(closing.Channel.Id, closing.Channel.OurSide)
        ?? throw new RefusalException(Refusal.UnknownChannel, $"{closing.Channel.Id} is not guarded any more");

    private IEnumerable<StoredChannel> GuardedSides(StoredChannel stored)
    {
        foreach (Side side in (Side[])[Side.A, Side.B])
        {
            if (_store.FindGuarded(stored.Channel.Id, side) is not { } guarded) continue;
            yield return new StoredChannel(
                stored.Channel with { OurSide = side },
                stored.State with
                {
                    TheirSent = guarded.Update.Sent,
                    TheirReceived = guarded.Update.Received,
                    TheirSignature = guarded.Signature,
                });
        }
    }

    /// <summary>
    /// Stores what is newer than what is there. When this returns, all that it says is on disk. Each request stands for
    /// itself: a wrong one costs no right one.
    /// </summary>
    public async Task<GuardAnswer> TakeAsync(GuardClient client, IReadOnlyList<GuardRequest> requests, CancellationToken cancel)
    {
        await client.Turn.WaitAsync(cancel);
        try
        {
            List<GuardRefusal> refusals = [];
            List<(Channel Channel, GuardedUpdate Guarded)> right = [];
            foreach (GuardRequest request in requests)
            {
                GuardedUpdate guarded = request.Guarded;
                if ((request.Terms ?? TermsOf(guarded.Update.Channel)) is not { } terms)
                {
                    refusals.Add(GuardCheck.No(
                        guarded, Refusal.UnknownChannel, "terms", "not given", "those of the channel, which is not known here"));
                    continue;
                }

                Channel? channel = _check.Check(client.Signer, guarded, terms, out GuardRefusal? refusal);
                if (channel is not null) right.Add((channel, guarded));
                else refusals.Add(refusal!);
            }

            List<GuardedTotals> stored = right.Count == 0
                ? []
                : await _ledger.RunAsync(turn => Store(turn, client, right, refusals), cancel);
            foreach (GuardRefusal refusal in refusals) _log.GuardRefused(client.Signer, refusal.Channel, refusal.Reason, refusal.Field);
            return new GuardAnswer(stored, refusals);
        }
        finally
        {
            client.Turn.Release();
        }
    }

    private ChannelTerms? TermsOf(ChannelId id) => _store.FindChannel(id)?.Channel.Terms;

    private List<GuardedTotals> Store(
        LedgerTurn turn, GuardClient client, List<(Channel, GuardedUpdate)> right, List<GuardRefusal> refusals)
    {
        Dictionary<ChannelId, GuardedTotals> newest = [];
        foreach ((Channel channel, GuardedUpdate guarded) in right)
        {
            bool isNew = !client.Has(channel.Id);
            if (isNew && RefuseForRoom(client, guarded) is { } refusal)
            {
                refusals.Add(refusal);
                continue;
            }

            if (isNew) Register(turn, client, channel);
            GuardedTotals? known = newest.TryGetValue(channel.Id, out GuardedTotals just) ? just
                : !isNew && _store.FindGuarded(channel.Id, channel.OurSide) is { } old
                    ? new GuardedTotals(channel.Id, old.Update.Sent, old.Update.Received) : null;
            BalanceUpdate update = guarded.Update;
            GuardedTotals asked = new(channel.Id, update.Sent, update.Received);
            // An honest side's totals never fall, so what is lower in one of them is older.
            bool isNewer = known is not { } has || (has != asked && asked.Covers(has.Sent, has.Received));
            newest[channel.Id] = isNewer ? asked : known!.Value;
            if (!isNewer) continue;
            turn.Batch.PutGuarded(channel.OurSide, guarded);
            turn.RequireDurable();
        }

        return [.. newest.Values];
    }

    private GuardRefusal? RefuseForRoom(GuardClient client, GuardedUpdate guarded)
    {
        if (client.Count >= _options.ChannelsPerSignerMax)
        {
            return GuardCheck.No(
                guarded, Refusal.TooManyChannels, "channels of this signer", client.Count + 1, $"at most {_options.ChannelsPerSignerMax}");
        }

        return GuardedCount < _options.ChannelsMax
            ? null
            : GuardCheck.No(
                guarded, Refusal.TooManyChannels, "channels of all signers", GuardedCount + 1, $"at most {_options.ChannelsMax}");
    }

    private void Register(LedgerTurn turn, GuardClient client, Channel channel)
    {
        Count(client, channel.Id);
        // It is there when the other side is guarded, or when this very turn lets go of it: so all of it is put again.
        ChannelSlot? known = _book.Find(channel.Id);
        ChannelSlot slot = known ?? new(channel with { OurSide = Side.A }, default, _nobody);
        turn.Batch.PutChannel(slot.Channel);
        turn.Batch.PutPending(channel.Id, slot.Pending);
        turn.Touch(slot, durable: true);
        if (known is null) _book.Add(slot);
        else _book.Watch(slot, slot.Working);
    }

    private void Count(GuardClient client, ChannelId channel)
    {
        lock (_joining)
            if (client.Add(channel)) _count++;
    }

    /// <summary>
    /// Lets go of channels in which nothing was left on chain for long enough: settled and not funded again, or never
    /// funded. One look at all of them; not for several threads.
    /// </summary>
    public async Task ForgetAsync(ChainIntake intake, CancellationToken cancel)
    {
        long now = _clock.Time.GetTimestamp();
        List<ChannelId> due = [];
        foreach (StoredChannel stored in _book.Pages(ChannelsPerLook).SelectMany(page => page))
        {
            ChannelId id = stored.Channel.Id;
            if (!IsEmpty(stored.State)) _emptySince.Remove(id);
            else if (!_emptySince.TryGetValue(id, out long since)) _emptySince[id] = now;
            else if (_clock.Time.GetElapsedTime(since, now) >= _options.EmptyKeptFor) due.Add(id);
        }

        foreach (ChannelId id in due)
        {
            // Between batches, so that nobody looks it up again before it is off the disk.
            await intake.BetweenBatchesAsync(
                async _ =>
                {
                    if (_book.Find(id) is { } slot) await _ledger.RunAsync(turn => Drop(turn, slot), cancel);
                },
                cancel);
            _emptySince.Remove(id);
        }
    }

    private static bool IsEmpty(in ChannelState state) => state.OnChain.IsEmpty && !state.OnChain.IsClosing;

    private bool Drop(LedgerTurn turn, ChannelSlot slot)
    {
        if (slot.IsDropped || !IsEmpty(slot.Working)) return false;
        _book.Drop(slot, turn.Batch);
        foreach (Side side in (Side[])[Side.A, Side.B])
            RemoveFrom(slot.Channel.Terms.Of(side).Signer, slot.Channel.Id);
        _log.GuardEnded(slot.Channel.Id);
        return true;
    }

    private void RemoveFrom(Address signer, ChannelId channel)
    {
        lock (_joining)
        {
            if (!_clients.TryGetValue(signer, out GuardClient? client) || !client.Remove(channel)) return;
            _count--;
            if (client.Sessions == 0 && client.Count == 0) _clients.Remove(signer);
        }
    }
}
