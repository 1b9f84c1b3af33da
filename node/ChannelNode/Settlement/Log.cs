using ChannelNode.Core;

namespace ChannelNode.Settlement;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Warning, "Connection to the chain at {Rpc} lost: {Reason}")]
    public static partial void ConnectionLost(ILogger log, string rpc, string reason);

    [LoggerMessage(2, LogLevel.Warning, "The chain at {Rpc} announces no new blocks ({Reason}): it is polled instead")]
    public static partial void NotSubscribed(ILogger log, string rpc, string reason);

    [LoggerMessage(3, LogLevel.Information, "Following contract {Contract} on chain {ChainId} by {Rpc}")]
    public static partial void Connected(ILogger log, Address contract, ulong chainId, string rpc);

    [LoggerMessage(4, LogLevel.Information, "Sent {Operation} as transaction {Hash} with nonce {Nonce}")]
    public static partial void Sent(ILogger log, string operation, Bytes32 hash, ulong nonce);

    [LoggerMessage(5, LogLevel.Information, "Mined {Operation} {Hash} in block {Block} for {GasUsed} gas")]
    public static partial void Mined(ILogger log, string operation, Bytes32 hash, ulong block, ulong gasUsed);

    [LoggerMessage(6, LogLevel.Warning, "Transaction {Hash} for {Operation} reverted in block {Block}: {Reason}")]
    public static partial void Reverted(ILogger log, string operation, Bytes32 hash, ulong block, string reason);

    [LoggerMessage(7, LogLevel.Warning, "Cannot read the chain, trying again in {DelayMs} ms: {Reason}")]
    public static partial void FollowingFailed(ILogger log, long delayMs, string reason);

    [LoggerMessage(8, LogLevel.Debug, "Events of blocks {First} to {Last} asked in smaller ranges: {Reason}")]
    public static partial void RangeHalved(ILogger log, ulong first, ulong last, string reason);

    [LoggerMessage(9, LogLevel.Error, "Block {Number} was {Expected} and is {Found}: the chain was reorganised deeper than can be undone")]
    public static partial void TooDeep(ILogger log, ulong number, Bytes32 expected, Bytes32 found);

    [LoggerMessage(10, LogLevel.Warning, "A claim on channel {Channel} was skipped: {Reason}")]
    public static partial void ClaimSkipped(ILogger log, ChannelId channel, string reason);

    [LoggerMessage(11, LogLevel.Information, "A payout of {Amount} of token {Token} could not be pushed and waits for {Owner} to be withdrawn")]
    public static partial void Credited(ILogger log, UInt128 amount, Address token, Address owner);

    [LoggerMessage(12, LogLevel.Warning, "The chain does not take a transaction: {Answer}")]
    public static partial void NotTaken(ILogger log, string answer);

    [LoggerMessage(13, LogLevel.Information, "{Account} had no ether on this chain for trying, and was given some")]
    public static partial void EtherGiven(ILogger log, Address account);

    [LoggerMessage(14, LogLevel.Information, "The contract is at {Contract} on this chain for trying")]
    public static partial void TrialContract(ILogger log, Address contract);
}
