using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Critical, "The ledger cannot write and stops the node: nothing more is acknowledged")]
    public static partial void LedgerFailed(this ILogger log, Exception error);

    [LoggerMessage(EventId = 2, Message = "Event {Cursor}, {Kind}: {Sentence}")]
    public static partial void Told(this ILogger log, LogLevel level, ulong cursor, EventKind kind, string sentence);

    [LoggerMessage(4, LogLevel.Warning,
        "Channel {Channel}: the peer presented an old state (recorded {Recorded}, we can prove {Provable}): disputing")]
    public static partial void Disputing(this ILogger log, ChannelId channel, UInt128 recorded, UInt128 provable);

    [LoggerMessage(5, LogLevel.Information, "Channel {Channel}: {Duty} is on chain, block {Block}")]
    public static partial void DutyDone(this ILogger log, ChannelId channel, ChannelDuty duty, ulong block);

    [LoggerMessage(EventId = 6, Message = "Channel {Channel}: {Duty} not done yet, {Reason}: {Message}")]
    public static partial void DutyRefused(
        this ILogger log, LogLevel level, ChannelId channel, ChannelDuty duty, string reason, string message);

    [LoggerMessage(7, LogLevel.Error, "Channel {Channel}: {Duty} failed and is tried again")]
    public static partial void DutyFailed(this ILogger log, ChannelId channel, ChannelDuty duty, Exception error);

    [LoggerMessage(8, LogLevel.Information, "Peer {Peer} connected, {Channels} channels wait for its acknowledgement")]
    public static partial void PeerConnected(this ILogger log, Address peer, int channels);

    [LoggerMessage(30, LogLevel.Critical, "Old payments could not be let go of")]
    public static partial void RetentionFailed(this ILogger log, Exception error);

    [LoggerMessage(9, LogLevel.Information, "Peer {Peer} disconnected: {Reason}")]
    public static partial void PeerDisconnected(this ILogger log, Address peer, string reason);

    [LoggerMessage(10, LogLevel.Warning, "Channel {Channel}: the peer refused our update of {Sent}: {Reason}")]
    public static partial void UpdateRefused(this ILogger log, ChannelId channel, UInt128 sent, string reason);

    [LoggerMessage(12, LogLevel.Debug, "Peer {Peer} at {Url}: {Reason}, after {Tries} tries; it is dialled again")]
    public static partial void DialFailed(this ILogger log, Address peer, string url, string reason, int tries);

    [LoggerMessage(31, LogLevel.Information,
        "Peer {Peer} at {Url} is away: {Reason} (try {Tries}, after {AwaySeconds} s). It is dialled again, more and more rarely")]
    public static partial void PeerAway(this ILogger log, Address peer, string url, string reason, int tries, long awaySeconds);

    [LoggerMessage(13, LogLevel.Error, "Following the chain failed and is started again")]
    public static partial void FollowFailed(this ILogger log, Exception error);

    [LoggerMessage(15, LogLevel.Warning,
        "Channel {Channel}: the peer has only {Received} of the {Acknowledged} that it acknowledged: more payments than an update holds, so "
        + "{AsOne} is offered again as one payment without an item")]
    public static partial void PeerLostState(
        this ILogger log, ChannelId channel, UInt128 received, UInt128 acknowledged, UInt128 asOne);

    [LoggerMessage(16, LogLevel.Critical, "Following the chain failed and stops the node: it would be blind")]
    public static partial void GuardianFailed(this ILogger log, Exception error);

    [LoggerMessage(17, LogLevel.Information, "Channel {Channel}: relayed a deposit of {Amount} for {Peer}, for {GasUsed} gas")]
    public static partial void DepositRelayed(
        this ILogger log, ChannelId channel, UInt128 amount, Address peer, ulong gasUsed);

    [LoggerMessage(18, LogLevel.Warning, "Channel {Channel}: a deposit of {Amount} for {Peer} is not relayed: {Reason}")]
    public static partial void DepositNotRelayed(
        this ILogger log, ChannelId channel, UInt128 amount, Address peer, string reason);

    [LoggerMessage(195, LogLevel.Error, "Channel {Channel}: a deposit for {Peer} is not relayed, for a fault of this node's")]
    public static partial void RelayFailed(this ILogger log, ChannelId channel, Address peer, Exception error);

    [LoggerMessage(14, LogLevel.Information, "Channel {Channel} with {Peer}: terms accepted")]
    public static partial void ChannelAccepted(this ILogger log, ChannelId channel, Address peer);

    [LoggerMessage(39, LogLevel.Information, "Job {Number} ({Purpose}) asked for, {Status}")]
    public static partial void JobAskedFor(this ILogger log, ulong number, string purpose, JobStatus status);

    [LoggerMessage(40, LogLevel.Information, "Job {Number} ({Purpose}) goes on: it was {Status}")]
    public static partial void JobGoesOn(this ILogger log, ulong number, string purpose, JobStatus status);

    [LoggerMessage(48, LogLevel.Warning, "Job {Number} ({Purpose}) waits, {Reason}: {Message}")]
    public static partial void JobWaits(this ILogger log, ulong number, string purpose, string reason, string message);

    [LoggerMessage(49, LogLevel.Warning, "{Count} jobs wait for the chain: {Reason}")]
    public static partial void JobsWait(this ILogger log, int count, string reason);

    [LoggerMessage(53, LogLevel.Warning,
        "Nonce {Nonce} is empty or blocked by a transaction that is not this node's, before ours from {Ours}: its place is taken")]
    public static partial void NonceBlocked(this ILogger log, ulong nonce, ulong ours);

    [LoggerMessage(80, LogLevel.Information,
        "Signer {Signer}: {Count} updates of a frame are not guarded, the first, {Reason}: its {Field}, in channel {Channel}")]
    public static partial void GuardRefused(
        this ILogger log, Address signer, int count, string reason, string field, ChannelId channel);

    [LoggerMessage(81, LogLevel.Information, "Channel {Channel}: nothing is left in it, and it is not guarded any more")]
    public static partial void GuardEnded(this ILogger log, ChannelId channel);

    [LoggerMessage(89, LogLevel.Information, "Signer {Signer}: its session ends, its place is needed: at most {Sessions} may be up")]
    public static partial void GuardSessionEnded(this ILogger log, Address signer, int sessions);

    [LoggerMessage(90, LogLevel.Information, "{Count} channels without a deposit are not guarded any more: others need their places")]
    public static partial void GuardRoomMade(this ILogger log, int count);

    [LoggerMessage(82, LogLevel.Warning, "The contract could not be asked for {Channels} channels and is asked again: {Message}")]
    public static partial void FirstLookFailed(this ILogger log, int channels, string message);

    [LoggerMessage(83, LogLevel.Information, "Watchtower {Tower} at {Url} guards {Guarded} channels and lacks {Lagging}")]
    public static partial void TowerConnected(this ILogger log, Address tower, string url, int guarded, int lagging);

    [LoggerMessage(84, LogLevel.Warning,
        "Watchtower at {Url} is away for {AwaySeconds} s and lacks the newest update of {Lagging} channels: {Reason}")]
    public static partial void TowerAway(this ILogger log, string url, long awaySeconds, int lagging, string reason);

    [LoggerMessage(EventId = 85, Message = "Watchtower at {Url}: {Reason}; trying again in {DelayMs} ms, then more and more rarely")]
    public static partial void TowerDialFailed(this ILogger log, LogLevel level, string url, string reason, long delayMs);

    [LoggerMessage(86, LogLevel.Warning, "Watchtower at {Url} does not guard channel {Channel}, {Reason}: {Message}")]
    public static partial void TowerRefused(this ILogger log, string url, ChannelId channel, string reason, string message);

    [LoggerMessage(88, LogLevel.Error,
        "Channel {Channel}: the watchtower at {Url} has an update of the peer's that says {Theirs} sent, and this database has "
        + "{Ours}: it is older than the truth")]
    public static partial void TowerKnowsMore(this ILogger log, string url, ChannelId channel, UInt128 theirs, UInt128 ours);

    [LoggerMessage(87, LogLevel.Information, "Channel {Channel}: {Duty} is not needed any more, {Reason}: {Message}")]
    public static partial void DutyNeedless(
        this ILogger log, ChannelId channel, ChannelDuty duty, string reason, string message);

    [LoggerMessage(200, LogLevel.Information, "Token {Number} \"{Name}\" is made, for {Scopes}")]
    public static partial void TokenMade(this ILogger log, ulong number, string name, Scopes scopes);

    [LoggerMessage(201, LogLevel.Information, "Token {Number} \"{Name}\" is revoked")]
    public static partial void TokenRevoked(this ILogger log, ulong number, string name);

    [LoggerMessage(203, LogLevel.Information, "Changed: {Changes}")]
    public static partial void TokenChanged(this ILogger log, string changes);

    [LoggerMessage(204, LogLevel.Error, "Token {Number} was narrowed from {Parent}, which is not in this database: it is worth nothing")]
    public static partial void TokenWithoutParent(this ILogger log, ulong number, ulong parent);

    [LoggerMessage(190, LogLevel.Information, "Peer {Signer} goes away and comes back: payments to it wait for {Patience}")]
    public static partial void PeerGoesAway(this ILogger log, Address signer, TimeSpan patience);

    [LoggerMessage(191, LogLevel.Information, "Draining: {Calls} calls of payments are finished first, for at most {Limit}")]
    public static partial void DrainBegins(this ILogger log, int calls, TimeSpan limit);

    [LoggerMessage(192, LogLevel.Information, "Drained: nothing is under way")]
    public static partial void DrainEnds(this ILogger log);

    [LoggerMessage(193, LogLevel.Warning,
        "The drain is cut short with {Calls} calls unanswered; what is signed is offered again at the next start")]
    public static partial void DrainCutShort(this ILogger log, int calls);

    [LoggerMessage(196, LogLevel.Error,
        "The channels of each peer could not be counted: until the next start a peer may have more than --channels-per-peer-max")]
    public static partial void OpenChannelsUncounted(this ILogger log, Exception error);

    [LoggerMessage(197, LogLevel.Error,
        "Who has funded a channel could not be looked up: until the next start some peers count as strangers where places are short")]
    public static partial void FundedPeersUnknown(this ILogger log, Exception error);

    [LoggerMessage(194, LogLevel.Information, "Backed up to {Path}: {Channels} channels, up to block {Block}")]
    public static partial void BackedUp(this ILogger log, string path, ulong channels, ulong block);

    [LoggerMessage(205, LogLevel.Error, "Whether payouts wait in the contract could not be looked up; the next look is in a minute")]
    public static partial void WaitingPayoutsUnknown(this ILogger log, Exception error);

    [LoggerMessage(202, LogLevel.Information, "Following the chain: block {Block} of {Head}; the doors open at its end")]
    public static partial void CatchingUp(ILogger log, ulong block, ulong head);
}
