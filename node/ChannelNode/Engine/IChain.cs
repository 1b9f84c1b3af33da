using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>A block that was taken over. The newest of them is the cursor.</summary>
internal sealed record ChainBlock(ulong Number, Bytes32 Hash, Bytes32 Parent, ulong TimestampSeconds);

/// <summary>What a batch does to the view of the chain.</summary>
internal enum ChainMove : byte
{
    /// <summary>Nothing: a sign that the chain was asked and has nothing new.</summary>
    Stay = 0,

    /// <summary>On by one block, which a reorganisation may still take away.</summary>
    Next = 1,

    /// <summary>On by many blocks at once, all of them deeper than what is kept to be undone.</summary>
    Jump = 2,

    /// <summary>Back to an earlier block: what came after it is no longer part of the chain.</summary>
    Back = 3,
}

/// <summary>
/// One move of the view: <paramref name="Cursor"/> is the newest block then (null: none yet) and
/// <paramref name="Events"/> are all of the contract's since the batch before, in order; none when it goes back or
/// stays. <paramref name="IsCaughtUp"/>: the chain had nothing newer.
/// </summary>
internal sealed record ChainBatch(
    ChainMove Move, ChainBlock? Cursor, IReadOnlyList<ChainEvent> Events, bool IsCaughtUp)
{
    /// <summary>The chain's newest block, as far as was seen; 0 where nobody looked.</summary>
    public ulong Head { get; init; }

    /// <summary>Why the chain gave no answer this time; null where it did. Then the view stays, and nothing is caught up with.</summary>
    public string? NoAnswer { get; init; }
}

/// <summary>A mined transaction.</summary>
internal sealed record TransactionReceipt(Bytes32 Hash, ulong BlockNumber, ulong GasUsed);

/// <summary>Told while a transaction is under way: its hash when sent, its receipt when mined.</summary>
internal sealed record TransactionStep(Bytes32 Hash, TransactionReceipt? Receipt);

/// <summary>One row of a claim: a one-way channel and the payer's update in it.</summary>
internal sealed record ClaimRow(Channel Channel, UInt128 Sent, Signature Signature);

/// <summary>One deposit of many.</summary>
internal readonly record struct ChannelDeposit(Channel Channel, Side Side, UInt128 Amount);

/// <summary>
/// A token owner's signature that pays one deposit of one side of one channel (EIP-3009): whoever relays it can do
/// nothing else with it. Valid in blocks later than one time and earlier than the other; <paramref name="Salt"/> tells
/// apart several for one side.
/// </summary>
internal sealed record DepositAuthorization(
    Address From, ulong ValidAfterSeconds, ulong ValidBeforeSeconds, Bytes32 Salt, Signature Signature);

/// <summary>
/// Port: the contract on its chain. The engine decides what is sent and remembers it; here it is encoded, priced, signed,
/// told to the network and looked for. Transactions are the node's own account's. What asks the RPC throws
/// <see cref="RefusalException"/>: ChainUnavailable where it gives no answer.
/// </summary>
internal interface IChain : IAsyncDisposable
{
    /// <summary>
    /// Throws InsufficientFunds when the node's account does not hold <paramref name="amount"/> of a token, zero for
    /// ether, now; gas comes on top. For a deposit that somebody else is to relay no gas does, but
    /// TokenWithoutAuthorization is thrown where that cannot be signed.
    /// </summary>
    Task RequireFundsAsync(Address token, UInt128 amount, bool relayed, CancellationToken cancel);

    /// <summary>For <paramref name="side"/>, from the node's account.</summary>
    ChainCall Deposit(Channel channel, Side side, UInt128 amount);

    /// <summary>All or none, in one token.</summary>
    ChainCall DepositMany(IReadOnlyList<ChannelDeposit> deposits);

    /// <summary>
    /// Signs a deposit from the node's account for someone else to relay, in blocks before a time (Unix seconds). Sends
    /// nothing. TokenWithoutAuthorization where the channel's token cannot take it.
    /// </summary>
    Task<DepositAuthorization> AuthorizeDepositAsync(
        Channel channel, Side side, UInt128 amount, ulong validBeforeSeconds, CancellationToken cancel);

    /// <summary>
    /// Ends when the authorization was used, with a block that shows it. TransactionReverted when its time is over and it
    /// was not: then it never will be.
    /// </summary>
    Task<ulong> WhenAuthorizationUsedAsync(
        Channel channel, Side side, DepositAuthorization authorization, CancellationToken cancel);

    /// <summary>A deposit that somebody else has signed, at the cost of the node's gas.</summary>
    ChainCall RelayDeposit(Channel channel, Side side, UInt128 amount, DepositAuthorization authorization);

    ChainCall Close(Channel channel, CooperativeClose close, Signature signatureA, Signature signatureB);

    /// <summary>With the peer's newest update, or without one (null).</summary>
    ChainCall StartClose(Channel channel, BalanceUpdate? update, Signature signature);

    ChainCall Dispute(Channel channel, BalanceUpdate update, Signature signature);

    /// <summary>For our side, by whoever has its consent: not as a party of the channel.</summary>
    ChainCall DisputeFor(Channel channel, BalanceUpdate update, Signature signature, Signature consent);

    ChainCall Settle(Channel channel);

    /// <summary>Rows of one payee, token and window.</summary>
    ChainCall Claim(IReadOnlyList<ClaimRow> rows);

    /// <summary>What could not be paid out to <paramref name="owner"/> and waits for it; zero token for ether.</summary>
    Task<UInt128> CreditOfAsync(Address owner, Address token, CancellationToken cancel);

    /// <summary>What a token says of itself, believed or not; null where it says nothing in a known form.</summary>
    Task<(string Symbol, UInt128 Decimals)?> TokenNameAsync(Address token, CancellationToken cancel);

    /// <summary>Takes what waits for the node's own account.</summary>
    ChainCall WithdrawCredit(Address token);

    /// <summary>Moves nothing: takes a nonce's place, for a transaction that is not to be mined any more.</summary>
    ChainCall Nothing();

    /// <summary>
    /// Estimates, on the newest state. A token's deposit takes a permit with it where it can; where not, and the account
    /// gave no allowance, the transaction is one that comes before. Throws the contract's own refusal where the call would
    /// revert, InsufficientFunds or TransactionReverted.
    /// </summary>
    Task<PreparedCall> PrepareAsync(ChainCall call, CancellationToken cancel);

    /// <summary>SignerUnavailable where the key is elsewhere and out of reach.</summary>
    ValueTask<SignedTransaction> SignAsync(PreparedCall call, ulong nonce, TransactionFees fees, CancellationToken cancel);

    Task<BroadcastAnswer> BroadcastAsync(ReadOnlyMemory<byte> raw, CancellationToken cancel);

    /// <summary>How the account and the chain stand; <paramref name="depth"/>: see <see cref="AccountLook"/>.</summary>
    Task<AccountLook> LookAsync(uint depth, CancellationToken cancel);

    Task<ChainFees> FeesAsync(CancellationToken cancel);

    /// <summary>Null while it is not mined, or not any more.</summary>
    Task<MinedTransaction?> MinedAsync(Bytes32 hash, CancellationToken cancel);

    /// <summary>
    /// Why a mined transaction reverted: the contract's own refusal, TransactionReverted where it has none of these; and in words.
    /// </summary>
    Task<(Refusal Refusal, string Message)> ExplainAsync(ChainCall call, TransactionReceipt receipt, CancellationToken cancel);

    /// <summary>
    /// The contract's events as the chain grows, from the head at once, and the way back when it is reorganised; the last
    /// block again at least every 15 seconds, as a sign that the chain was asked. <paramref name="known"/> are the blocks
    /// taken over that can be undone, oldest first (none: from the deployment). Goes on through lost connections until
    /// cancelled. Every batch is to be stored, with its cursor, before the next is asked for. Throws
    /// <see cref="ChainReorganizedException"/> when the chain has left the oldest of the known blocks.
    /// </summary>
    IAsyncEnumerable<ChainBatch> FollowAsync(IReadOnlyList<ChainBlock> known, CancellationToken cancel);

    /// <summary>
    /// Reads as <see cref="FollowAsync"/> does, as if the chain ended with a block, and ends there, or earlier where the
    /// chain goes on ending earlier. Not a word to the log of what the contract says. ChainUnavailable where the RPC fails again
    /// and again.
    /// </summary>
    IAsyncEnumerable<ChainBatch> ReadAsync(IReadOnlyList<ChainBlock> known, ulong lastBlock, CancellationToken cancel);

    /// <summary>
    /// What the contract stores of a channel after this very block; all zero for one that it does not know. ChainUnavailable
    /// also where the block is not known there (yet, or any more).
    /// </summary>
    Task<Pots> SidesAsync(ChannelId channel, Bytes32 blockHash, CancellationToken cancel);

    /// <summary>
    /// The newest block that the chain itself calls final (or safe, where that is configured to be enough); null where
    /// it has no such notion.
    /// </summary>
    Task<ulong?> FinalBlockAsync(CancellationToken cancel);
}

/// <summary>
/// The chain was reorganised below the oldest block that is kept to be undone: what the node knows of the chain is
/// void, and only a rescan tells what is true.
/// </summary>
internal sealed class ChainReorganizedException(ChainBlock oldest, string found) : Exception(
    $"block {oldest.Number} was {oldest.Hash} and the chain has {found} there: it was reorganised deeper than "
    + "--reorg-depth keeps. Check that --rpc-url serves the right chain; if it does, run 'channelnode chain rescan' "
    + "on this data folder and start the node again");
