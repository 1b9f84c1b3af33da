using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>The newest block whose events were taken over.</summary>
internal sealed record ChainCursor(ulong Number, Bytes32 Hash);

/// <summary>
/// All events of the contract up to and including <paramref name="Cursor"/> since the batch before, in order.
/// <paramref name="TimestampSeconds"/> is that block's. A null cursor: the chain has no block yet that counts. <paramref name="IsCaughtUp"/>: there was nothing newer that counts.
/// </summary>
internal sealed record ChainBatch(
    ChainCursor? Cursor, ulong TimestampSeconds, IReadOnlyList<ChainEvent> Events, bool IsCaughtUp);

/// <summary>A mined transaction that did not revert.</summary>
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
/// Port: the contract on its chain. Transactions are sent from the node's own account, one after the other, and
/// answer when mined. Each throws <see cref="RefusalException"/> with the contract's own refusal where it would
/// revert, with InsufficientFunds, TransactionReverted or ChainUnavailable otherwise.
/// </summary>
internal interface IChain : IAsyncDisposable
{
    /// <summary>
    /// Throws InsufficientFunds when the node's account does not hold <paramref name="amount"/> of a token, zero for
    /// ether, now; gas comes on top. For a deposit that somebody else is to relay no gas does, but
    /// TokenWithoutAuthorization is thrown where that cannot be signed.
    /// </summary>
    Task RequireFundsAsync(Address token, UInt128 amount, bool relayed, CancellationToken cancel);

    /// <summary>
    /// Deposits for <paramref name="side"/> from the node's account. A token takes a permit with it where it can; where
    /// not, and the account gave no allowance, that is a transaction of its own before.
    /// </summary>
    Task<TransactionReceipt> DepositAsync(
        Channel channel, Side side, UInt128 amount, IProgress<TransactionStep>? progress, CancellationToken cancel);

    /// <summary>All or none, in one transaction and one token.</summary>
    Task<TransactionReceipt> DepositManyAsync(
        IReadOnlyList<ChannelDeposit> deposits, IProgress<TransactionStep>? progress, CancellationToken cancel);

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
    Task<TransactionReceipt> RelayDepositAsync(
        Channel channel, Side side, UInt128 amount, DepositAuthorization authorization,
        IProgress<TransactionStep>? progress, CancellationToken cancel);

    Task<TransactionReceipt> CloseAsync(
        Channel channel, CooperativeClose close, Signature signatureA, Signature signatureB,
        IProgress<TransactionStep>? progress, CancellationToken cancel);

    /// <summary>With the peer's newest update, or without one (null).</summary>
    Task<TransactionReceipt> StartCloseAsync(
        Channel channel, BalanceUpdate? update, Signature signature,
        IProgress<TransactionStep>? progress, CancellationToken cancel);

    Task<TransactionReceipt> DisputeAsync(
        Channel channel, BalanceUpdate update, Signature signature,
        IProgress<TransactionStep>? progress, CancellationToken cancel);

    Task<TransactionReceipt> SettleAsync(
        Channel channel, IProgress<TransactionStep>? progress, CancellationToken cancel);

    /// <summary>Rows of one payee, token and window.</summary>
    Task<TransactionReceipt> ClaimAsync(
        IReadOnlyList<ClaimRow> rows, IProgress<TransactionStep>? progress, CancellationToken cancel);

    /// <summary>What could not be paid out to <paramref name="owner"/> and waits for it; zero token for ether.</summary>
    Task<UInt128> CreditOfAsync(Address owner, Address token, CancellationToken cancel);

    /// <summary>Takes what waits for the node's own account.</summary>
    Task<TransactionReceipt> WithdrawCreditAsync(
        Address token, IProgress<TransactionStep>? progress, CancellationToken cancel);

    /// <summary>
    /// The contract's events after <paramref name="after"/> (null: from its deployment), as far as they have the
    /// configured confirmations, a batch without events for each new head, and the last one again, at least every 15
    /// seconds, as a sign that the chain was asked and has nothing new. Goes on through lost connections until cancelled. Every event is given once, in order; with the batch its cursor is to be stored.
    /// </summary>
    IAsyncEnumerable<ChainBatch> FollowAsync(ChainCursor? after, CancellationToken cancel);
}
