namespace ChannelNode.Core;

/// <summary>
/// Every expected reason for saying no, in order of precedence: where several hold, the one that stands first here
/// is given (of what the contract checks: the one that its function lists first). The same names are the contract's
/// errors, the proto's <c>Refusal</c> values and the <c>google.rpc.ErrorInfo</c> reasons. Values are part of the wire:
/// append, never renumber.
/// </summary>
public enum Refusal : byte
{
    None = 0,

    // The form of what was asked: no state is looked at.
    InvalidArgument = 1,
    ZeroAmount = 2,
    AmountTooLarge = 3,
    ItemIdTooLong = 4,
    IdempotencyKeyTooLong = 5,

    // Who is speaking, and of what.
    WrongProtocolVersion = 6,
    WrongChain = 7,
    WrongContract = 8,
    WrongIdentity = 9,
    UnknownChannel = 10,
    UnknownPeer = 11,

    // A balance update or a payment, in the order in which it is checked.
    InvalidSignature = 12,
    WrongSigner = 13,
    OneWayChannel = 14,
    DepositUnconfirmed = 15,
    ChannelClosing = 16,
    CloseAgreed = 17,
    StaleSent = 18,
    StaleReceived = 19,
    ReceivedNotSent = 20,
    InsufficientBalance = 21,
    PaymentsMismatch = 22,

    // A payment asked of this node.
    IdempotencyKeyReused = 23,
    PeerRefusing = 24,
    PeerOffline = 25,
    TooManyInFlight = 26,

    // Terms of a channel.
    ZeroOwner = 27,
    ZeroSigner = 28,
    SameSigner = 29,
    OwnerIsContract = 30,
    DisputeWindowOutOfRange = 31,
    NotOurTerms = 32,
    ChannelExists = 33,

    // Closing, and what else only the contract refuses.
    NotParty = 34,
    NotClosing = 35,
    WindowOpen = 36,
    WindowClosed = 37,
    CloseExpired = 38,
    CloseNotAdvancing = 39,
    NothingToClose = 40,
    NothingNew = 41,
    PaymentsInFlight = 42,
    WrongValue = 43,
    TokenTransferMismatch = 44,
    NoCredit = 45,
    GasTooLow = 46,
    TransferFailed = 47,

    // The chain did not do what was asked, or the node cannot.
    InsufficientFunds = 48,
    TransactionReverted = 49,
    ChainUnavailable = 50,
    CursorUnknown = 51,
    NotReady = 52,

    // This node's own rules for channels.
    TokenNotAccepted = 53,
    TooManyChannels = 54,
}
