using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>A channel and where it stands, as stored.</summary>
internal sealed record StoredChannel(Channel Channel, ChannelState State);

/// <summary>
/// What this database belongs to. Written once into an empty one; a node with another identity is refused, and so is a
/// watchtower (<paramref name="GuardsOthers"/>) in a node's database and the reverse.
/// </summary>
internal sealed record StoreIdentity(ulong ChainId, Address Contract, Address Signer, bool GuardsOthers = false);

/// <summary>
/// Port: the node's memory. One writer (the ledger's) calls <see cref="NewBatch"/> and <see cref="Commit"/>; reads
/// come from any thread and see what is committed.
/// </summary>
internal interface IChannelStore : IDisposable
{
    /// <summary>What it takes of the disk, and what is left there. Looks at its files.</summary>
    DiskUse ReadDiskUse();

    /// <summary>What is left on the disk. Bytes.</summary>
    ulong ReadFreeBytes();

    /// <summary>Where the disk is low: what is written over takes no more of it than a little.</summary>
    /// <param name="freeBytes">What is left there. Nothing is done with less than the log takes.</param>
    void ShortenLog(ulong freeBytes);

    /// <summary>Channels stored.</summary>
    ulong ChannelCount { get; }

    StoredChannel? FindChannel(ChannelId id);

    /// <summary>What a watchtower can present for a side of a channel; null where it guards it not.</summary>
    GuardedUpdate? FindGuarded(ChannelId id, Side side);

    /// <summary>At most <paramref name="countMax"/> channels behind an id (null: from the first), in order of their ids.</summary>
    IReadOnlyList<StoredChannel> ReadChannels(ChannelId? after, int countMax);

    /// <summary>The channels that something is pending in.</summary>
    IReadOnlyDictionary<ChannelId, Pending> ReadPending();

    /// <summary>The blocks followed that can be undone, oldest first; the last is the cursor. None before the first.</summary>
    IReadOnlyList<ChainBlock> ReadBlocks();

    /// <summary>
    /// The states of channels right before blocks after <paramref name="block"/> that changed them, in the order of these
    /// blocks.
    /// </summary>
    IReadOnlyList<(ChannelId Channel, ChannelState Before)> ReadUndo(ulong block);

    /// <summary>The deposits that may not count in full yet.</summary>
    IReadOnlyList<(ChannelId Channel, RecentDeposit Deposit)> ReadRecentDeposits();

    /// <summary>Where peers were last reached, by signer.</summary>
    IReadOnlyDictionary<Address, string> ReadPeerUrls();

    /// <summary>In order of their numbers.</summary>
    IReadOnlyList<Job> ReadJobs();

    /// <summary>All tokens of the API, revoked ones too, in order of their numbers.</summary>
    IReadOnlyList<AccessToken> ReadAccessTokens();

    /// <summary>What tokens have spent.</summary>
    IReadOnlyList<Spending> ReadSpending();

    /// <summary>The newest cursor of payments received; 0 before the first.</summary>
    ulong ReadReceivedCursor();

    /// <summary>The newest cursor that is not kept any more; 0 while all are.</summary>
    ulong ReadDroppedCursor();

    /// <summary>The newest cursor of events; 0 before the first.</summary>
    ulong ReadEventCursor();

    /// <summary>The newest cursor of an event that is not kept any more; 0 while all are.</summary>
    ulong ReadDroppedEventCursor();

    /// <summary>At most <paramref name="countMax"/> events after a cursor, in order.</summary>
    IReadOnlyList<OperatorEvent> ReadEvents(ulong afterCursor, int countMax);

    /// <summary>All that is stored of the operator's policy.</summary>
    IReadOnlyList<PolicyFact> ReadPolicy();

    /// <summary>At most <paramref name="countMax"/> entries of a list behind a peer (null: from the first), by address.</summary>
    IReadOnlyList<PolicyFact.Listed> ReadPolicyList(PeerList list, Address? after, int countMax);

    /// <summary>The newest cursor of the audit log; 0 before the first.</summary>
    ulong ReadAuditCursor();

    /// <summary>At most <paramref name="countMax"/> entries of the audit log after a cursor, in order.</summary>
    IReadOnlyList<PolicyAuditEntry> ReadAudit(ulong afterCursor, int countMax);

    /// <summary>As <see cref="TrimEvents"/>, of the audit log.</summary>
    void TrimAudit(TimeSpan keptFor, ulong countMax, long nowMs);

    /// <summary>Null when the key was never paid with, or so long ago that it is forgotten.</summary>
    OutgoingPayment? FindOutgoing(string idempotencyKey);

    /// <summary>Payments of a channel with a total above <paramref name="afterTotal"/>, in order.</summary>
    IEnumerable<OutgoingPayment> ReadOutgoing(ChannelId channel, UInt128 afterTotal);

    /// <summary>
    /// Runs of payments received after a cursor, whole and in order, until they hold <paramref name="countMax"/>
    /// payments or more. The first may begin at or before the cursor: a run has one row.
    /// </summary>
    IReadOnlyList<JournalledRun> ReadReceived(ulong afterCursor, int countMax);

    /// <summary>
    /// Lets go of payments received longer ago than <paramref name="keptFor"/>, and of the oldest while all are more than
    /// <paramref name="bytesMax"/>; about an eighth more may stay, and the newest always does. Called beside commits, by
    /// one thread at a time, as are the next four.
    /// </summary>
    void TrimReceived(TimeSpan keptFor, ulong bytesMax, long nowMs);

    /// <summary>
    /// Payments sent, and their keys, are kept in parts. True when the oldest holds none of the last
    /// <paramref name="keptFor"/>: it can be dropped once what is under way was carried over.
    /// </summary>
    bool TrimSent(TimeSpan keptFor, long nowMs);

    /// <summary>Adds to a batch the channel's payments above a total that lie in the oldest part, to be kept in the next.</summary>
    void CarryOverSent(IStoreBatch batch, ChannelId channel, UInt128 afterTotal);

    void DropOldestSent();

    /// <summary>
    /// Lets go of events older than <paramref name="keptFor"/>, and of the oldest above <paramref name="countMax"/>; about an
    /// eighth more may stay, and the newest always does.
    /// </summary>
    void TrimEvents(TimeSpan keptFor, ulong countMax, long nowMs);

    /// <summary>How often, and when, the database was restored from a backup; oldest first. Most never were.</summary>
    IReadOnlyList<Restoration> Restorations => [];

    /// <summary>Channels whose peers have not told, since then, where they stand.</summary>
    ulong UnconfirmedCount => 0;

    /// <summary>Whether a channel is one of them.</summary>
    bool IsUnconfirmed(Address peer, ChannelId channel) => false;

    /// <summary>Whether a channel is one of them, or is marked as held: a close of it may have been forgotten.</summary>
    bool IsHeld(Address peer, ChannelId channel) => false;

    /// <summary>At most <paramref name="countMax"/> of these with a peer, the unconfirmed among them.</summary>
    IReadOnlyList<ChannelId> ReadHeld(Address peer, int countMax) => [];

    IStoreBatch NewBatch();

    /// <summary>
    /// Writes the whole batch or nothing of it, and disposes of it. With <paramref name="durable"/> it is on the disk
    /// (fsync) when this returns. Throws when the disk fails: the node must stop then.
    /// </summary>
    void Commit(IStoreBatch batch, bool durable);
}

/// <summary>Writes that become visible together. Not for several threads.</summary>
internal interface IStoreBatch : IDisposable
{
    bool IsEmpty { get; }

    /// <summary>The terms, which never change. Its first state must be put in the same batch.</summary>
    void PutChannel(Channel channel);

    void PutState(ChannelId channel, in ChannelState state);

    /// <summary>Replaces what is stored for this side: of a side there is one update.</summary>
    void PutGuarded(Side side, GuardedUpdate guarded);

    /// <summary>A watchtower lets go of a channel: its terms, its state, and what is stored for both sides.</summary>
    void DropChannel(ChannelId channel);

    /// <summary>Replaces what is stored as pending in a channel; None takes it off the index.</summary>
    void PutPending(ChannelId channel, Pending pending);

    /// <summary>Stores the payments in one row, and where each of their idempotency keys leads.</summary>
    void PutSent(in SentRun run);

    /// <summary>Journals a run in one row; <paramref name="payments"/> is a checked <see cref="PaymentList"/>.</summary>
    void PutReceived(in ReceivedRun run, ReadOnlySpan<byte> payments);

    /// <summary>The block becomes the cursor.</summary>
    void PutBlock(ChainBlock block);

    /// <summary>The channel as it stood before the block.</summary>
    void PutUndo(ulong block, ChannelId channel, in ChannelState before);

    /// <summary>Blocks of these numbers, both included, and what undoes them.</summary>
    void DropBlocks(ulong first, ulong last);

    void PutRecentDeposit(ChannelId channel, in RecentDeposit deposit);

    void DropRecentDeposit(ChannelId channel, in RecentDeposit deposit);

    /// <summary>Under its cursor.</summary>
    void PutEvent(OperatorEvent what);

    /// <summary>Takes the place of what is stored of the same thing.</summary>
    void PutPolicy(PolicyFact fact);

    void DropPolicy(PolicyFact fact);

    /// <summary>All entries of a list, and none that is put after this in the same batch.</summary>
    void DropPolicyList(PeerList list);

    /// <summary>What was spent in hours before one.</summary>
    void DropPolicySpent(Address peer, Address token, bool isSent, long beforeHour);

    /// <summary>Under its cursor.</summary>
    void PutAudit(PolicyAuditEntry entry);

    void PutPeerUrl(Address signer, string url);

    /// <summary>Replaces the token of the same number.</summary>
    void PutAccessToken(AccessToken token);

    /// <summary>A token goes, and what it has spent.</summary>
    void DropAccessToken(ulong number);

    /// <summary>Replaces what is stored of the same token, currency and peer.</summary>
    void PutSpending(in Spending spending);

    void PutJob(Job job);

    void DeleteJob(ulong number);

    /// <summary>In the place of what <see cref="IChannelStore.Restorations"/> has at this number.</summary>
    void PutRestoration(int number, Restoration restored) => throw new NotSupportedException("this store was never restored");

    /// <summary>The peer has told where an unconfirmed channel stands.</summary>
    void DropUnconfirmed(Address peer, ChannelId channel) => throw new NotSupportedException("this store was never restored");

    /// <summary>The peer has told where a held channel stands, and nothing is held any more.</summary>
    void DropHeld(Address peer, ChannelId channel) => throw new NotSupportedException("this store was never restored");

    /// <summary>A close of the channel may have been forgotten; put after <see cref="DropUnconfirmed"/>, in whose place it lies.</summary>
    void PutHeld(Address peer, ChannelId channel) => throw new NotSupportedException("this store was never restored");
}
