using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Simulation;

/// <summary>One node's life on a simulated disk. Lets go of nothing: retention has tests of its own.</summary>
internal sealed class SimulatedStore(SimulatedDisk disk) : IChannelStore
{
    private readonly SimulatedRows _rows = disk.Read();

    /// <summary>The next commit ends the node there.</summary>
    public CutPoint? CutAtNextCommit { get; set; }

    /// <summary>So many commits that one goes by.</summary>
    public int CommitsBeforeCut { get; set; }

    /// <summary>The newest block that was followed.</summary>
    public ChainBlock? Cursor => _rows.Cursor;

    public DiskUse ReadDiskUse() => new(0, 0, 0, 0);

    public ulong ReadFreeBytes() => ulong.MaxValue;

    public void ShortenLog(ulong freeBytes) { }

    public ulong ChannelCount => (ulong)_rows.Channels.Count;

    public StoredChannel? FindChannel(ChannelId id) =>
        _rows.Channels.TryGetValue(id, out Channel? channel) ? new StoredChannel(channel, _rows.States[id]) : null;

    public GuardedUpdate? FindGuarded(ChannelId id, Side side) => _rows.Guarded.GetValueOrDefault((id, side));

    public IReadOnlyList<StoredChannel> ReadChannels(ChannelId? after, int countMax) =>
    [
        .. _rows.Channels.Values.Where(channel => after is null || channel.Id.CompareTo(after.Value) > 0).Take(countMax)
            .Select(channel => new StoredChannel(channel, _rows.States[channel.Id])),
    ];

    public IReadOnlyDictionary<ChannelId, Pending> ReadPending() => _rows.Pending;

    public IReadOnlyList<ChainBlock> ReadBlocks() => [.. _rows.Blocks.Values];

    public IReadOnlyList<(ChannelId Channel, ChannelState Before)> ReadUndo(ulong block) =>
        [.. _rows.Undo.Where(row => row.Key.Block > block).Select(row => (row.Key.Channel, row.Value))];

    public IReadOnlyList<(ChannelId Channel, RecentDeposit Deposit)> ReadRecentDeposits() =>
        [.. _rows.Deposits.Select(row => (row.Key.Channel, row.Value))];

    public IReadOnlyDictionary<Address, string> ReadPeerUrls() => _rows.PeerUrls;

    public IReadOnlyList<Job> ReadJobs() => [.. _rows.Jobs.Values];

    public IReadOnlyList<AccessToken> ReadAccessTokens() => [];

    public IReadOnlyList<Spending> ReadSpending() => [.. _rows.Spent.Values];

    public ulong ReadReceivedCursor() => Math.Max(
        _rows.Received.Count == 0 ? 0 : _rows.Received[^1].Run.LastCursor, _rows.Restorations.Count == 0 ? 0 : _rows.Restorations[^1].Received.UpTo);

    public ulong ReadDroppedCursor() => 0;

    public OutgoingPayment? FindOutgoing(string idempotencyKey) => _rows.Keys.GetValueOrDefault(idempotencyKey);

    public IEnumerable<OutgoingPayment> ReadOutgoing(ChannelId channel, UInt128 afterTotal) =>
        _rows.Outgoing.TryGetValue(channel, out SortedDictionary<UInt128, OutgoingPayment>? payments)
            ? [.. payments.Values.Where(payment => payment.Total > afterTotal)]
            : [];

    public IReadOnlyList<JournalledRun> ReadReceived(ulong afterCursor, int countMax)
    {
        List<JournalledRun> runs = [];
        long count = 0;
        foreach (JournalledRun run in _rows.Received.Where(run => run.Run.LastCursor > afterCursor))
        {
            if (count >= countMax) break;
            runs.Add(run);
            count += run.Run.Count;
        }

        return runs;
    }

    public ulong ReadEventCursor() =>
        Math.Max(_rows.EventCursor, _rows.Restorations.Count == 0 ? 0 : _rows.Restorations[^1].Events.UpTo);

    public ulong ReadDroppedEventCursor() => 0;

    /// <summary>Quick where there are none, for after every step that is asked.</summary>
    public IReadOnlyList<OperatorEvent> ReadEvents(ulong afterCursor, int countMax) => _rows.EventCursor <= afterCursor
        ? [] : [.. _rows.Events.Values.Where(what => what.Cursor > afterCursor).Take(countMax)];

    public IReadOnlyList<PolicyFact> ReadPolicy() => [.. _rows.Policy.Values];

    public IReadOnlyList<PolicyFact.Listed> ReadPolicyList(PeerList list, Address? after, int countMax) => [];

    public ulong ReadAuditCursor() => _rows.Audit.Count == 0 ? 0 : _rows.Audit.Keys.Last();

    public IReadOnlyList<PolicyAuditEntry> ReadAudit(ulong afterCursor, int countMax) =>
        [.. _rows.Audit.Values.Where(entry => entry.Cursor > afterCursor).Take(countMax)];

    public void TrimAudit(TimeSpan keptFor, ulong countMax, long nowMs) { }

    public void TrimEvents(TimeSpan keptFor, ulong countMax, long nowMs) { }

    public void TrimReceived(TimeSpan keptFor, ulong bytesMax, long nowMs) { }

    public bool TrimSent(TimeSpan keptFor, long nowMs) => false;

    public void CarryOverSent(IStoreBatch batch, ChannelId channel, UInt128 afterTotal) { }

    public void DropOldestSent() { }

    public IReadOnlyList<Restoration> Restorations => _rows.Restorations;

    public ulong UnconfirmedCount => (ulong)_rows.Unconfirmed.Values.Count(isUnconfirmed => isUnconfirmed);

    public bool IsUnconfirmed(Address peer, ChannelId channel) => _rows.Unconfirmed.GetValueOrDefault((peer, channel));

    public bool IsHeld(Address peer, ChannelId channel) => _rows.Unconfirmed.ContainsKey((peer, channel));

    public IReadOnlyList<ChannelId> ReadHeld(Address peer, int countMax) =>
        [.. _rows.Unconfirmed.Keys.Where(it => it.Peer == peer).Select(it => it.Channel).Order().Take(countMax)];

    /// <summary>As the real store does it, of a copy that no node has opened yet.</summary>
    public void MarkRestored(long restoredAtMs, long backupAtMs)
    {
        Restoration restoration = new(
            restoredAtMs, backupAtMs, CursorGap.Behind(ReadReceivedCursor()), CursorGap.Behind(ReadEventCursor()));
        Batch batch = new();
        batch.PutRestoration(_rows.Restorations.Count, restoration);
        foreach (Channel channel in _rows.Channels.Values)
            batch.Writes.Add(rows => rows.Unconfirmed[(channel.Theirs.Signer, channel.Id)] = true);
        Commit(batch, durable: true);
    }

    public IStoreBatch NewBatch() => new Batch();

    public void Commit(IStoreBatch batch, bool durable)
    {
        List<Action<SimulatedRows>> writes = ((Batch)batch).Writes;
        CutPoint? cut = CutAtNextCommit is not null && CommitsBeforeCut-- > 0 ? null : CutAtNextCommit;
        if (cut == CutPoint.BeforeWriting) throw new PowerCutException();
        disk.Write(writes);
        if (cut == CutPoint.BeforeSyncing) throw new PowerCutException();
        if (durable) disk.Sync();
        if (cut == CutPoint.BeforeSpeaking) throw new PowerCutException();
        foreach (Action<SimulatedRows> write in writes) write(_rows);
    }

    public void Dispose() { }

    private sealed class Batch : IStoreBatch
    {
        public List<Action<SimulatedRows>> Writes { get; } = [];

        public bool IsEmpty => Writes.Count == 0;

        public void PutChannel(Channel channel) => Writes.Add(rows => rows.Channels[channel.Id] = channel);

        public void PutState(ChannelId channel, in ChannelState state)
        {
            ChannelState put = state;
            Writes.Add(rows => rows.States[channel] = put);
        }

        public void PutGuarded(Side side, GuardedUpdate guarded) =>
            Writes.Add(rows => rows.Guarded[(guarded.Update.Channel, side)] = guarded);

        public void DropChannel(ChannelId channel) => Writes.Add(rows =>
        {
            rows.Channels.Remove(channel);
            rows.States.Remove(channel);
            rows.Pending.Remove(channel);
            rows.Guarded.Remove((channel, Side.A));
            rows.Guarded.Remove((channel, Side.B));
        });

        public void PutPending(ChannelId channel, Pending pending) => Writes.Add(rows =>
        {
            if (pending == Pending.None) rows.Pending.Remove(channel);
            else rows.Pending[channel] = pending;
        });

        public void PutSent(in SentRun run)
        {
            foreach (OutgoingPayment payment in run.Read()) Put(payment with { ItemId = payment.ItemId.ToArray() });
        }

        private void Put(OutgoingPayment payment) => Writes.Add(rows =>
        {
            if (!rows.Outgoing.TryGetValue(payment.Channel, out var payments)) rows.Outgoing[payment.Channel] = payments = [];
            payments[payment.Total] = payment;
            if (payment.IdempotencyKey.Length > 0) rows.Keys[payment.IdempotencyKey] = payment;
        });

        public void PutReceived(in ReceivedRun run, ReadOnlySpan<byte> payments)
        {
            JournalledRun put = new(run, payments.ToArray());
            Writes.Add(rows => rows.Received.Add(put));
        }

        public void PutBlock(ChainBlock block) => Writes.Add(rows => rows.Cursor = rows.Blocks[block.Number] = block);

        public void PutUndo(ulong block, ChannelId channel, in ChannelState before)
        {
            ChannelState put = before;
            Writes.Add(rows => rows.Undo[(block, channel)] = put);
        }

        public void DropBlocks(ulong first, ulong last) => Writes.Add(rows =>
        {
            foreach (ulong number in rows.Blocks.Keys.Where(number => number >= first && number <= last).ToArray())
                rows.Blocks.Remove(number);
            if (rows.Blocks.Count > 0) rows.Cursor = rows.Blocks[rows.Blocks.Keys.Max()];
            foreach ((ulong Block, ChannelId Channel) key in rows.Undo.Keys.Where(key => key.Block >= first && key.Block <= last).ToArray())
                rows.Undo.Remove(key);
        });

        public void PutRecentDeposit(ChannelId channel, in RecentDeposit deposit)
        {
            RecentDeposit put = deposit;
            Writes.Add(rows => rows.Deposits[(put.Block, channel, put.Side)] = put);
        }

        public void DropRecentDeposit(ChannelId channel, in RecentDeposit deposit)
        {
            RecentDeposit dropped = deposit;
            Writes.Add(rows => rows.Deposits.Remove((dropped.Block, channel, dropped.Side)));
        }

        public void PutEvent(OperatorEvent what) => Writes.Add(rows =>
        {
            rows.Events.Add(what.Cursor, what);
            rows.EventCursor = what.Cursor;
        });

        public void PutRestoration(int number, Restoration restored) => Writes.Add(rows =>
        {
            if (number == rows.Restorations.Count) rows.Restorations.Add(restored);
            else rows.Restorations[number] = restored;
        });

        public void DropUnconfirmed(Address peer, ChannelId channel) => Writes.Add(rows => rows.Unconfirmed.Remove((peer, channel)));

        public void DropHeld(Address peer, ChannelId channel) => Writes.Add(rows => rows.Unconfirmed.Remove((peer, channel)));

        public void PutHeld(Address peer, ChannelId channel) => Writes.Add(rows => rows.Unconfirmed[(peer, channel)] = false);

        public void PutPolicy(PolicyFact fact) => Writes.Add(rows => rows.Policy[SimulatedRows.AboutOf(fact)] = fact);

        public void DropPolicy(PolicyFact fact) => Writes.Add(rows => rows.Policy.Remove(SimulatedRows.AboutOf(fact)));

        public void DropPolicyList(PeerList list) => Writes.Add(rows =>
        {
            foreach ((object about, PolicyFact fact) in rows.Policy.ToArray())
                if (fact is PolicyFact.Listed entry && entry.List == list) rows.Policy.Remove(about);
        });

        public void DropPolicySpent(Address peer, Address token, bool isSent, long beforeHour) => Writes.Add(rows =>
        {
            foreach ((object about, PolicyFact fact) in rows.Policy.ToArray())
            {
                if (fact is PolicyFact.Spent spent && (spent.Peer, spent.Token, spent.IsSent) == (peer, token, isSent)
                    && spent.Hour < beforeHour) rows.Policy.Remove(about);
            }
        });

        public void PutAudit(PolicyAuditEntry entry) => Writes.Add(rows => rows.Audit.Add(entry.Cursor, entry));

        public void PutPeerUrl(Address signer, string url) => Writes.Add(rows => rows.PeerUrls[signer] = url);

        // Nobody is given a token there: who they are is tested on the real store, what they spend here too.
        public void PutAccessToken(AccessToken token) => throw new NotSupportedException();

        public void DropAccessToken(ulong number) => throw new NotSupportedException();

        public void PutSpending(in Spending spending)
        {
            Spending put = spending;
            Writes.Add(rows => rows.Spent[(put.Token, put.Kind, put.Currency, put.Peer)] = put);
        }

        public void PutJob(Job job) => Writes.Add(rows => rows.Jobs[job.Number] = job);

        public void DeleteJob(ulong number) => Writes.Add(rows => rows.Jobs.Remove(number));

        public void Dispose() { }
    }
}
