using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Engine;

/// <summary>The real store, telling when it is asked to commit, and of as much room as a test says.</summary>
internal sealed class WatchedStore(IChannelStore store) : IChannelStore
{
    public Action<bool>? Committing { get; set; }

    /// <summary>What the disk is said to have left; null for what it has.</summary>
    public ulong? FreeBytes { get; set; }

    /// <summary>How often channels were read a page at a time.</summary>
    public int Looks { get; private set; }

    public DiskUse ReadDiskUse() => store.ReadDiskUse();

    public ulong ReadFreeBytes() => FreeBytes ?? store.ReadFreeBytes();

    public void ShortenLog(ulong freeBytes) => store.ShortenLog(freeBytes);

    public ulong ChannelCount => store.ChannelCount;

    public StoredChannel? FindChannel(ChannelId id) => store.FindChannel(id);

    public GuardedUpdate? FindGuarded(ChannelId id, Side side) => store.FindGuarded(id, side);

    public IReadOnlyList<StoredChannel> ReadChannels(ChannelId? after, int countMax)
    {
        Looks++;
        return store.ReadChannels(after, countMax);
    }

    public IReadOnlyDictionary<ChannelId, Pending> ReadPending() => store.ReadPending();

    public IReadOnlyList<ChainBlock> ReadBlocks() => store.ReadBlocks();

    public IReadOnlyList<(ChannelId Channel, ChannelState Before)> ReadUndo(ulong block) => store.ReadUndo(block);

    public IReadOnlyList<(ChannelId Channel, RecentDeposit Deposit)> ReadRecentDeposits() => store.ReadRecentDeposits();

    public IReadOnlyDictionary<Address, string> ReadPeerUrls() => store.ReadPeerUrls();

    public IReadOnlyList<Job> ReadJobs() => store.ReadJobs();

    public IReadOnlyList<AccessToken> ReadAccessTokens() => store.ReadAccessTokens();

    public IReadOnlyList<Spending> ReadSpending() => store.ReadSpending();

    public ulong ReadEventCursor() => store.ReadEventCursor();

    public ulong ReadDroppedEventCursor() => store.ReadDroppedEventCursor();

    public IReadOnlyList<OperatorEvent> ReadEvents(ulong afterCursor, int countMax) => store.ReadEvents(afterCursor, countMax);

    public void TrimEvents(TimeSpan keptFor, ulong countMax, long nowMs) => store.TrimEvents(keptFor, countMax, nowMs);

    public IReadOnlyList<PolicyFact> ReadPolicy() => store.ReadPolicy();

    public IReadOnlyList<PolicyFact.Listed> ReadPolicyList(PeerList list, Address? after, int countMax) =>
        store.ReadPolicyList(list, after, countMax);

    public ulong ReadAuditCursor() => store.ReadAuditCursor();

    public IReadOnlyList<PolicyAuditEntry> ReadAudit(ulong afterCursor, int countMax) => store.ReadAudit(afterCursor, countMax);

    public void TrimAudit(TimeSpan keptFor, ulong countMax, long nowMs) => store.TrimAudit(keptFor, countMax, nowMs);

    public ulong ReadDroppedCursor() => store.ReadDroppedCursor();

    public void TrimReceived(TimeSpan keptFor, ulong bytesMax, long nowMs) =>
        store.TrimReceived(keptFor, bytesMax, nowMs);

    public bool TrimSent(TimeSpan keptFor, long nowMs) => store.TrimSent(keptFor, nowMs);

    public void CarryOverSent(IStoreBatch batch, ChannelId channel, UInt128 afterTotal) =>
        store.CarryOverSent(batch, channel, afterTotal);

    public void DropOldestSent() => store.DropOldestSent();

    public ulong ReadReceivedCursor() => store.ReadReceivedCursor();

    public OutgoingPayment? FindOutgoing(string idempotencyKey) => store.FindOutgoing(idempotencyKey);

    public IEnumerable<OutgoingPayment> ReadOutgoing(ChannelId channel, UInt128 afterTotal) =>
        store.ReadOutgoing(channel, afterTotal);

    public IReadOnlyList<JournalledRun> ReadReceived(ulong afterCursor, int countMax) =>
        store.ReadReceived(afterCursor, countMax);

    public IStoreBatch NewBatch() => store.NewBatch();

    public void Commit(IStoreBatch batch, bool durable)
    {
        Committing?.Invoke(durable);
        store.Commit(batch, durable);
    }

    public void Dispose() => store.Dispose();
}
