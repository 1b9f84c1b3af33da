using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What operators care about. Stored, and NodeService's numbers: append, never renumber.</summary>
internal enum EventKind : byte
{
    /// <summary>The first deposit is in a block.</summary>
    ChannelOpened = 1,

    /// <summary>Another deposit is in a block.</summary>
    Deposited = 2,

    /// <summary>More of a side's deposits counts than before.</summary>
    DepositCredited = 3,

    /// <summary>The dispute window runs.</summary>
    ChannelClosing = 4,
    ChannelDisputed = 5,

    /// <summary>Paid out after its window.</summary>
    ChannelSettled = 6,

    /// <summary>Paid out with the consent of both.</summary>
    ChannelClosed = 7,

    /// <summary>A one-way channel's payee has taken what it was paid.</summary>
    ChannelClaimed = 8,
    ChainReorganized = 9,

    /// <summary>What the chain said of the channel after a block is taken back.</summary>
    ChannelRolledBack = 10,

    /// <summary>What the peer paid was covered by a deposit that is gone.</summary>
    CreditLost = 11,

    /// <summary>The chain, or the peer, can prove more than this database has signed: it is older than the truth.</summary>
    StateLost = 12,
    TransactionSent = 13,

    /// <summary>It is replaced by one that offers more, or cannot be for now.</summary>
    TransactionStuck = 14,
    TransactionMined = 15,

    /// <summary>Its block is gone.</summary>
    TransactionUnmined = 16,

    /// <summary>Mined with the confirmations that count.</summary>
    TransactionConfirmed = 17,
    TransactionFailed = 18,

    /// <summary>The day's gas does not pay for a transaction.</summary>
    BudgetReached = 19,

    /// <summary>Another program sends transactions with this node's key.</summary>
    KeyShared = 20,

    /// <summary>One-way channels owe more than the limit; they are claimed.</summary>
    ValueAtRisk = 21,

    /// <summary>A quarter of a window is left, and what protects this node's money is not mined yet.</summary>
    WindowEnding = 22,

    /// <summary>The window ended first.</summary>
    DisputeLost = 23,

    /// <summary>For some seconds the peer has refused what this node has signed; it is offered again and again.</summary>
    PaymentStuck = 24,

    /// <summary>A payout could not be pushed to this node's owner, and waits in the contract.</summary>
    PayoutWaiting = 25,

    /// <summary>The database is a restored backup: what was done since the backup is not in it.</summary>
    DatabaseRestored = 40,

    /// <summary>A backup that was due could not be made; it is tried again.</summary>
    BackupFailed = 41,

    /// <summary>A webhook has taken nothing for too long.</summary>
    WebhookFailing = 42,

    /// <summary>The signer that holds this program's key does not sign.</summary>
    SignerLost = 50,

    /// <summary>It signs again.</summary>
    SignerBack = 51,

    /// <summary>The chain was not seen for too long: nothing is paid or accepted.</summary>
    ChainSilent = 52,

    /// <summary>It is seen again.</summary>
    ChainBack = 53,

    /// <summary>The disk has little room left; as an alarm: nothing is paid, accepted or opened.</summary>
    DiskLow = 54,

    /// <summary>It has room again.</summary>
    DiskBack = 55,
}

/// <summary>How much it presses. Stored, and NodeService's numbers: append, never renumber.</summary>
internal enum EventSeverity : byte
{
    Info = 1,

    /// <summary>To be looked at; the node does what is to be done.</summary>
    Warning = 2,

    /// <summary>Money may be lost, or the node cannot do its work, unless somebody acts.</summary>
    Alarm = 3,
}

/// <summary>Something that an operator cares about. Which of the details are there depends on the kind.</summary>
internal sealed record OperatorEvent(EventKind Kind, EventSeverity Severity, string Sentence)
{
    /// <summary>From 1, without a gap; given by the ledger when it is journalled, as is the time.</summary>
    public ulong Cursor { get; init; }

    public long TimeMs { get; init; }

    /// <summary>Which it is about; none for the whole node.</summary>
    public IReadOnlyList<ChannelId> Channels { get; init; } = [];

    /// <summary>The block in which it happened, or at the latest in which; 0 where there is none.</summary>
    public ulong Block { get; init; }

    /// <summary>Of a reorganisation: blocks that are gone.</summary>
    public ulong Depth { get; init; }

    /// <summary>End of the dispute window, Unix time; 0 where none runs.</summary>
    public ulong ClosesAtSeconds { get; init; }

    /// <summary>What was left of it then.</summary>
    public ulong SecondsLeft { get; init; }

    /// <summary>Smallest units of the channels' token.</summary>
    public UInt128 Amount { get; init; }

    /// <summary>0 where it is about none.</summary>
    public ulong Job { get; init; }

    public JobKind JobKind { get; init; }

    /// <summary>Zero where there is no transaction.</summary>
    public Bytes32 Transaction { get; init; }

    public ulong? Nonce { get; init; }

    /// <summary>Wei per gas that the transaction offers.</summary>
    public UInt128 MaxFee { get; init; }

    public Refusal Refusal { get; init; }
}
