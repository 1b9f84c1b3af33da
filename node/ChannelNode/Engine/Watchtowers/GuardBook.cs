using System.Collections.Concurrent;
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

    /// <summary>Updates of a frame that are checked in one go, then others have their turn.</summary>
    private const int Portion = 32;

    /// <summary>Clients in memory beyond those of the last look at which a new one looks for some that are gone.</summary>
    private const int ClientsPerLook = 1_024;

    private readonly ChannelBook _book;
    private readonly Ledger _ledger;
    private readonly ChainIntake _intake;
    private readonly GuardRoom _room;
    private readonly IChannelStore _store;
    private readonly GuardCheck _check;
    private readonly NodeClock _clock;
    private readonly WatchtowerOptions _options;
    private readonly ILogger<GuardBook> _log;
    private readonly PeerLinks _nobody = new();
    private readonly Lock _joining = new();
    private readonly Dictionary<Address, GuardClient> _clients = [];
    private readonly Dictionary<ChannelId, long> _emptySince = [];

    /// <summary>Dropped by a turn that may not be on disk yet.</summary>
    private readonly ConcurrentDictionary<ChannelId, bool> _dropping = [];

    /// <summary>Strangers have one core at most, all of them together.</summary>
    private readonly OneAtATime _strangers = new();
    private int _count;
    private int _lookAt = ClientsPerLook;

    public GuardBook(
        ChannelBook book, Ledger ledger, IChannelStore store, ChainIntake intake, GuardAdmission contract, GuardCheck check,
        NodeClock clock, WatchtowerOptions options, ILogger<GuardBook> log)
    {
        (_book, _ledger, _store, _intake, _check, _clock, _options, _log) = (book, ledger, store, intake, check, clock, options, log);
        _room = new GuardRoom(
            book, contract, ledger.Disk, options, () => GuardedCount,
            (blank, cancel) => DropAsync(blank, slot => !slot.Working.EverFunded, tell: true, cancel));
        foreach (StoredChannel stored in book.Pages(ChannelsPerLook).SelectMany(page => page))
        {
            foreach (StoredChannel side in GuardedSides(stored))
                Count(ClientOf(side.Channel.Ours.Signer), side.Channel.Id, !stored.State.EverFunded);
        }

        book.Unfunded.Changed = NoteFunding;
    }

    /// <summary>Told of a signer of whom something was let go of to make room.</summary>
    public Action<Address>? LetGo { get; set; }

    /// <summary>Sides of channels that are guarded.</summary>
    public int GuardedCount => Volatile.Read(ref _count);

    /// <summary>A session of a signer begins. Refuses with NotParty one that is not named.</summary>
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
            GuardClient client = ClientOf(signer);
            client.Sessions++;
            return client;
        }
    }

    /// <summary>A session ends. Of a signer that left nothing, nothing is kept but what it owes.</summary>
    public void Leave(GuardClient client)
    {
        lock (_joining)
        {
            client.Sessions--;
            RemoveIdle(client);
        }
    }

    private void RemoveIdle(GuardClient client)
    {
        if (client.Sessions == 0 && client.Count == 0 && client.Pace.Owed == TimeSpan.Zero) _clients.Remove(client.Signer);
    }

    private void RemoveIdle()
    {
        foreach (GuardClient client in _clients.Values.ToArray()) RemoveIdle(client);
        _lookAt = 2 * _clients.Count + ClientsPerLook;
    }

    private GuardClient ClientOf(Address signer)
    {
        if (!_clients.TryGetValue(signer, out GuardClient? client))
        {
            if (_clients.Count >= _lookAt) RemoveIdle();
            GuardPace pace = new(_clock.Time, _options.Node.WrongSignaturesPerSecondMax);
            _clients[signer] = client = new GuardClient(signer, pace);
        }

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

    /// <summary>Whether a dispute presents what is newest of the side for which it is: more may come while a channel is closing.</summary>
    public bool IsNewest(Job dispute) => ((Side[])[Side.A, Side.B]).Any(side =>
        _store.FindGuarded(dispute.Channels[0], side) is { } guarded && ChainOrders.IsDisputeFor(dispute, guarded, side));

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
    /// itself: a wrong one costs no right one. Cancelled only before it is on its way to disk.
    /// </summary>
    public async Task<GuardAnswer> TakeAsync(GuardClient client, IReadOnlyList<GuardRequest> requests, CancellationToken cancel)
    {
        await client.Turn.EnterAsync(cancel);
        try
        {
            List<GuardRefusal> refusals = [];
            List<(Channel Channel, GuardedUpdate Guarded)> right = [];
            foreach (GuardRequest[] some in requests.Chunk(Portion)) await CheckAsync(client, some, right, refusals, cancel);
            int ofUse = 0;
            List<GuardedTotals> stored = right.Count == 0
                ? []
                : await _room.WithRoomAsync(
                    client,
                    right,
                    admitted => _ledger.RunAsync(
                        turn => Store(turn, client, right, admitted, refusals, out ofUse), CancellationToken.None),
                    cancel);
            client.Pace.Useless(requests.Count - ofUse, requests.Count);
            if (refusals is [var first, ..]) _log.GuardRefused(client.Signer, refusals.Count, first.Reason.Name(), first.Field, first.Channel);
            return new GuardAnswer(stored, refusals);
        }
        finally
        {
            client.Turn.Leave();
        }
    }

    /// <summary>When the signer has waited for what it made be done for nothing; strangers one after the other.</summary>
    private async Task CheckAsync(
        GuardClient client, GuardRequest[] requests, List<(Channel, GuardedUpdate)> right, List<GuardRefusal> refusals, CancellationToken cancel)
    {
        await client.Pace.WaitAsync(cancel);
        bool isStranger = client.IsStranger;
        if (isStranger) await _strangers.EnterAsync(cancel);
        else await Task.Yield();
        int before = refusals.Count;
        try
        {
            foreach (GuardRequest request in requests) Check(client, request, right, refusals);
        }
        finally
        {
            if (isStranger) _strangers.Leave();
        }

        client.Pace.Wrong(refusals.Skip(before).Count(refusal => refusal.Reason == Refusal.WrongSigner));
    }

    private void Check(GuardClient client, GuardRequest request, List<(Channel, GuardedUpdate)> right, List<GuardRefusal> refusals)
    {
        GuardedUpdate guarded = request.Guarded;
        if ((request.Terms ?? TermsOf(guarded.Update.Channel)) is not { } terms)
        {
            refusals.Add(GuardCheck.No(
                guarded, Refusal.UnknownChannel, "terms", "not given", "those of the channel, which is not known here"));
            return;
        }

        Channel? channel = _check.Check(client.Signer, guarded, terms, out GuardRefusal? refusal);
        if (channel is not null) right.Add((channel, guarded));
        else refusals.Add(refusal!);
    }

    private ChannelTerms? TermsOf(ChannelId id) => _store.FindChannel(id)?.Channel.Terms;

    private List<GuardedTotals> Store(
        LedgerTurn turn, GuardClient client, List<(Channel, GuardedUpdate)> right, HashSet<ChannelId> admitted,
        List<GuardRefusal> refusals, out int ofUse)
    {
        Dictionary<ChannelId, GuardedTotals> newest = [];
        ofUse = 0;
        foreach ((Channel channel, GuardedUpdate guarded) in right)
        {
            bool isNew = !client.Has(channel.Id);
            if (isNew && _room.Refuse(client, guarded, admitted) is { } refusal)
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
            if (!_book.Unfunded.Has(channel.Id)) ofUse++;
        }

        return [.. newest.Values];
    }

    private void Register(LedgerTurn turn, GuardClient client, Channel channel)
    {
        ChannelSlot? known = _book.Find(channel.Id);
        ChannelSlot slot = known ?? new(channel with { OurSide = Side.A }, default, _nobody);
        Count(client, channel.Id, !slot.Working.EverFunded);
        if (known is null || _dropping.TryRemove(channel.Id, out _))
        {
            // Read from disk before this very turn takes it off: so all of it is put again.
            turn.Batch.PutChannel(slot.Channel);
            turn.Batch.PutPending(channel.Id, slot.Pending);
        }

        turn.Touch(slot, durable: true);
        if (known is null) _book.Add(slot);
        else _book.Watch(slot, slot.Working);
    }

    private void Count(GuardClient client, ChannelId channel, bool isUnfunded)
    {
        lock (_joining)
            if (client.Add(channel, isUnfunded)) _count++;
    }

    /// <summary>The chain told of a channel's first deposit, or took it back.</summary>
    private void NoteFunding(ChannelId channel, bool isUnfunded)
    {
        if (_book.Peek(channel) is not { } slot) return;
        lock (_joining)
        {
            foreach (Side side in (Side[])[Side.A, Side.B])
                if (_clients.TryGetValue(slot.Channel.Terms.Of(side).Signer, out GuardClient? client)) client.SetUnfunded(channel, isUnfunded);
        }
    }

    /// <summary>
    /// Lets go of channels in which nothing was left on chain for long enough: settled and not funded again, or never
    /// funded. One look at all of them; not for several threads.
    /// </summary>
    public async Task ForgetAsync(CancellationToken cancel)
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
            await DropAsync([id], slot => IsEmpty(slot.Working), tell: false, cancel);
            _emptySince.Remove(id);
        }
    }

    private static bool IsEmpty(in ChannelState state) => state.OnChain.IsEmpty && !state.OnChain.IsClosing;

    /// <summary>Between batches, so that nobody looks them up again before they are off the disk.</summary>
    private Task DropAsync(IReadOnlyList<ChannelId> channels, Func<ChannelSlot, bool> may, bool tell, CancellationToken cancel) =>
        _intake.BetweenBatchesAsync(
            async _ =>
            {
                HashSet<Address> signers = [];
                await _ledger.RunAsync(turn => Drop(turn, channels, may, signers), CancellationToken.None);
                foreach (ChannelId id in channels) _dropping.TryRemove(id, out bool _);
                if (!tell || signers.Count == 0) return;
                _log.GuardRoomMade(channels.Count);
                foreach (Address signer in signers) LetGo?.Invoke(signer);
            },
            cancel);

    private bool Drop(LedgerTurn turn, IReadOnlyList<ChannelId> channels, Func<ChannelSlot, bool> may, HashSet<Address> signers)
    {
        foreach (ChannelId id in channels)
        {
            if (_book.Find(id) is not { IsDropped: false } slot || !may(slot)) continue;
            foreach (Side side in (Side[])[Side.A, Side.B])
            {
                Address signer = slot.Channel.Terms.Of(side).Signer;
                if (RemoveFrom(signer, id)) signers.Add(signer);
            }

            _book.Drop(slot, turn.Batch);
            _dropping[id] = true;
            if (slot.Working.EverFunded) _log.GuardEnded(id);
        }

        return true;
    }

    private bool RemoveFrom(Address signer, ChannelId channel)
    {
        lock (_joining)
        {
            if (!_clients.TryGetValue(signer, out GuardClient? client) || !client.Remove(channel)) return false;
            _count--;
            RemoveIdle(client);
            return true;
        }
    }
}
