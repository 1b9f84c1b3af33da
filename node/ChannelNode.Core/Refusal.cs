namespace ChannelNode.Core;

/// <summary>
/// Every expected reason for saying no, in order of precedence: where several hold, the one that stands first here
/// is given. The same names are the contract's errors, the proto's <c>Refusal</c> values and the
/// <c>google.rpc.ErrorInfo</c> reasons. Values are part of the wire and of the database: append, never renumber.
/// </summary>
public enum Refusal : byte
{
    None = 0,

    // A message that cannot be read or does not belong here.
    InvalidArgument = 1,
    WrongProtocolVersion = 2,
    WrongChain = 3,
    WrongContract = 4,
    WrongIdentity = 5,
    UnknownChannel = 6,
    UnknownPeer = 7,

    // A balance update, in the order in which it is checked.
    InvalidSignature = 8,
    WrongSigner = 9,
    OneWayChannel = 10,
    AmountTooLarge = 11,
    DepositUnconfirmed = 12,
    ChannelClosing = 13,
    CloseAgreed = 14,
    StaleSent = 15,
    StaleReceived = 16,
    ReceivedNotSent = 17,
    InsufficientBalance = 18,
    PaymentsMismatch = 19,

    // A payment asked of this node.
    ZeroAmount = 20,
    ItemIdTooLong = 21,
    IdempotencyKeyTooLong = 22,
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

    // The chain did not do what was asked.
    InsufficientFunds = 48,
    TransactionReverted = 49,
    ChainUnavailable = 50,
    CursorUnknown = 51,
    NotReady = 52,
}
