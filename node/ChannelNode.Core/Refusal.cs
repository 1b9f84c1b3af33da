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

    // Closing, and what else only the contract refuses.
    NotParty = 33,
    NotClosing = 34,
    WindowOpen = 35,
    WindowClosed = 36,
    CloseExpired = 37,
    CloseNotAdvancing = 38,
    NothingToClose = 39,
    NothingNew = 40,
    PaymentsInFlight = 41,
    WrongValue = 42,
    TokenTransferMismatch = 43,
    NoCredit = 44,
    GasTooLow = 45,
    TransferFailed = 46,

    // The chain did not do what was asked, or the node cannot.
    InsufficientFunds = 47,
    TransactionReverted = 48,
    ChainUnavailable = 49,
    CursorUnknown = 50,
    NotReady = 51,

    // This node's own limits.
    TokenNotAccepted = 52,
    TooManyChannels = 53,

    // An update that carries more payments than this node takes under one signature.
    TooManyPayments = 54,

    // A deposit of many is in another token than all: only the contract refuses with it.
    WrongToken = 55,

    // A deposit that the peer is to relay.
    TokenWithoutAuthorization = 56,
    RelayRefused = 57,

    // A subscription's cursor is older than what is kept.
    CursorExpired = 58,

    // A transaction of this node's account. (59 is not used.)
    BudgetReached = 60,
    KeyShared = 61,
    FeeTooHigh = 62,

    // A peer or the chain proves more than this database knows.
    StateLost = 63,

    // An update or a payment spends of a deposit that could still be reorganised away.
    DepositUncredited = 65,

    // An update pays in a channel whose close a restored node may have forgotten.
    RestoredHeld = 66,

    // The disk has too little room left for anything but what protects money.
    DiskLow = 67,

    // A payment in a channel that is paid out.
    ChannelClosed = 68,

    // The operator's own rules about peers: after everything else was found right.
    PolicyRefused = 70,

    // Who may ask, and how much of it: looked at before what is asked.
    AccessTokenMissing = 80,
    AccessTokenInvalid = 81,
    AccessTokenExpired = 82,
    AccessTokenRevoked = 83,
    ScopeMissing = 84,
    AddressNotAllowed = 85,
    RateLimited = 86,
    TooManyStreams = 87,
    TooManySessions = 88,

    // A payment that the caller's token does not cover: looked at last, when nothing else speaks against it.
    AccessTokenCapExceeded = 89,

    // Tokens themselves.
    UnknownAccessToken = 90,
    TooManyAccessTokens = 91,

    // The signer that holds this node's key cannot be reached, or gives no right signature.
    SignerUnavailable = 92,

    // The node is about to stop: what is under way is finished, nothing new is begun.
    Draining = 93,

    // The database is a restored backup, and the peer has not told yet where this channel stands.
    RestoredUnconfirmed = 94,

    // A backup, or where it is to go.
    BackupDamaged = 95,
    BackupKeyWrong = 96,
    FolderNotEmpty = 97,

    // A call that a page in a browser has made.
    HostNotAllowed = 98,
    OriginNotAllowed = 99,

    // A caller's messages that wait, whole or not, are more than this node holds.
    TooManyBytes = 100,

    // Jobs on chain that an operator takes back.
    JobCancelled = 101,
    UnknownJob = 102,
    JobNotCancellable = 103,

    // The caller's token is for some channels only, and this is not one of them, or not about channels.
    ChannelNotAllowed = 104,
}
