using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>How the log's lines are written.</summary>
internal enum LogFormat : byte
{
    /// <summary>For people.</summary>
    Text = 0,

    /// <summary>One document for each line, with the values by name.</summary>
    Json = 1,
}

/// <summary>Everything that can be set, each with unit, default and range; checked once, at the door.</summary>
internal sealed record NodeOptions
{
    /// <summary>Folder of the database; made when missing. One node at a time.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>File with the signer's private key: a keystore of version 3, or 64 hex digits.</summary>
    public required string KeyFile { get; init; }

    /// <summary>File with the keystore's password; where empty, the environment or the terminal is asked.</summary>
    public string PasswordFile { get; init; } = "";

    /// <summary>A signer with web3signer's API that holds the key instead of a file: http:// or https://. Empty for none.</summary>
    public string SignerUrl { get; init; } = "";

    /// <summary>Which of the signer's keys is this node's. Zero where it has only one.</summary>
    public Address SignerAddress { get; init; }

    /// <summary>How long one question to the signer may take. 100 to 60,000.</summary>
    public uint SignerTimeoutMs { get; init; } = 2_000;

    /// <summary>Questions to the signer that are under way at a time; more wait. 1 to 1,024.</summary>
    public int SignerRequestsMax { get; init; } = 16;

    /// <summary>Where the key is that signs.</summary>
    public KeySource Key => new(KeyFile, PasswordFile)
    {
        SignerUrl = SignerUrl,
        SignerAddress = SignerAddress,
        SignerTimeoutMs = SignerTimeoutMs,
        SignerRequestsMax = SignerRequestsMax,
    };

    /// <summary>JSON-RPC of the chain: ws://, wss://, http:// or https://.</summary>
    public required string RpcUrl { get; init; }

    /// <summary>The PaymentChannels contract.</summary>
    public required Address Contract { get; init; }

    /// <summary>EIP-155 chain id; the RPC must answer with the same. 0 takes the RPC's.</summary>
    public ulong ChainId { get; init; }

    /// <summary>Whether the chain is for trying: then a missing key, ether and the contract are made at the node's start.</summary>
    public bool IsTrial { get; init; }

    /// <summary>The owner named in channels: funds and is paid out. Zero takes the signer's address.</summary>
    public Address Owner { get; init; }

    /// <summary>
    /// host:port or unix:/path for applications and operators. Loopback by default, and beyond it only with
    /// <see cref="ApiTls"/>; port 0 takes a free one.
    /// </summary>
    public string ApiListen { get; init; } = "127.0.0.1:9801";

    /// <summary>host:port for peers. Port 0 takes a free one.</summary>
    public string PeerListen { get; init; } = "127.0.0.1:9802";

    /// <summary>Whether the API is served over TLS 1.3. Beyond this machine it must be, and tokens are required.</summary>
    public bool ApiTls { get; init; }

    /// <summary>Whether peers are served over TLS 1.3; they dial https:// then.</summary>
    public bool PeerTls { get; init; }

    /// <summary>
    /// File with the certificate to serve with, and those above it, in PEM. Empty for one that is made and kept in the data
    /// directory.
    /// </summary>
    public string TlsCertificate { get; init; } = string.Empty;

    /// <summary>File with its key; given with the certificate, or neither.</summary>
    public string TlsKey { get; init; } = string.Empty;

    /// <summary>Names of this machine for a certificate that is made, at most 32.</summary>
    public IReadOnlyList<string> TlsDomains { get; init; } = [];

    /// <summary>In the data directory: the first access token's secret.</summary>
    public const string AdminTokenFile = "admin.token";

    /// <summary>Whether callers of the API, and readers of metrics, need a token here too; null: those of the API do, but at a unix socket.</summary>
    public bool? AccessTokenRequired { get; init; }

    /// <summary>Calls in a second by one token, or by one address without. 1 to 1,000,000.</summary>
    public int ApiRequestsPerSecondMax { get; init; } = 50_000;

    /// <summary>Calls open at a time by one token, or by one address without. 1 to 1,000,000.</summary>
    public int ApiStreamsMax { get; init; } = 4_096;

    /// <summary>Connections to the API at a time; those beyond are closed. 1 to 1,000,000.</summary>
    public int ApiConnectionsMax { get; init; } = 1_024;

    /// <summary>Connections of peers at a time; those beyond are closed. 1 to 1,000,000.</summary>
    public int PeerConnectionsMax { get; init; } = 8_192;

    /// <summary>
    /// Connections of one address, or of one /64 of IPv6, to any of the doors at a time; those beyond are closed. Not those of
    /// 127.0.0.1, ::1 and unix sockets. 1 to 1,000,000.
    /// </summary>
    public int ConnectionsPerAddressMax { get; init; } = 128;

    /// <summary>Sessions that peers have opened, at a time. 1 to 1,000,000.</summary>
    public int PeerSessionsMax { get; init; } = 4_096;

    /// <summary>Peers that may be proving who they are at a time. 1 to 100,000.</summary>
    public int PeerHandshakesMax { get; init; } = 512;

    /// <summary>Sessions that one address may begin in a second. 1 to 100,000.</summary>
    public int PeerHandshakesPerSecondMax { get; init; } = 1_000;

    /// <summary>Blocks of the chain that can be undone: a reorganisation that goes deeper stops the node. 128 to 8,192.</summary>
    public uint ReorgDepthMax { get; init; } = 128;

    /// <summary>Confirmations before anything of a deposit counts, its own block included. 1 to 128.</summary>
    public uint Confirmations { get; init; } = 1;

    /// <summary>
    /// Confirmations before more than <see cref="CreditSmallMax"/> of a side's deposits counts; those of
    /// <see cref="Confirmations"/> at least. 1 to 128.
    /// </summary>
    public uint ConfirmationsLarger { get; init; } = 6;

    /// <summary>
    /// What may count of the young deposits into one side of a channel in ether, in wei: all that a short reorganisation
    /// can cost this node there. 0 to 2^112 - 1; 0.01 ether.
    /// </summary>
    public UInt128 CreditSmallMax { get; init; } = 10_000_000_000_000_000;

    /// <summary>
    /// What may count of deposits with <see cref="ConfirmationsLarger"/> that are not final, in wei; the rest counts when
    /// their block is final. 0 to 2^112 - 1; 1 ether.
    /// </summary>
    public UInt128 CreditLargerMax { get; init; } = 1_000_000_000_000_000_000;

    /// <summary>
    /// What <see cref="CreditSmallMax"/> may come to over all channels in ether, of what others put in: all that a short
    /// reorganisation can cost this node. 0 to 2^112 - 1, 0 for no such limit; ten times the one channel's unless set.
    /// </summary>
    public UInt128? CreditSmallTotalMax { get; init; }

    /// <summary>The same of <see cref="CreditLargerMax"/>: all that any reorganisation can cost this node.</summary>
    public UInt128? CreditLargerTotalMax { get; init; }

    /// <summary>
    /// The same two for a channel in any token, in its smallest units: meant for 6 decimals, where they are 10 and 1,000,
    /// and next to nothing for 18.
    /// </summary>
    public UInt128 TokenCreditSmallMax { get; init; } = 10_000_000;

    public UInt128 TokenCreditLargerMax { get; init; } = 1_000_000_000;

    /// <summary>The same two over all channels of one token; ten times those of one channel unless set.</summary>
    public UInt128? TokenCreditSmallTotalMax { get; init; }

    public UInt128? TokenCreditLargerTotalMax { get; init; }

    /// <summary>Which of its blocks the chain must call "finalized" (or just "safe") for any sum to count.</summary>
    public FinalityTag Finality { get; init; } = FinalityTag.Finalized;

    /// <summary>Block at which to start reading events, for a contract deployed long ago.</summary>
    public ulong FromBlock { get; init; }

    /// <summary>How often a chain without subscriptions is asked. 50 to 60,000.</summary>
    public uint PollMs { get; init; } = 1000;

    /// <summary>Dispute window offered when none is asked for. 10 to 2,592,000.</summary>
    public uint DisputeWindowSeconds { get; init; } = 24 * 60 * 60;

    /// <summary>
    /// Shortest window accepted from a peer: a dispute must be seen, sent and mined within it, whatever the chain does.
    /// 10 to 2,592,000.
    /// </summary>
    public uint DisputeWindowSecondsMin { get; init; } = 60 * 60;

    /// <summary>Tokens in which peers may open channels with this node. Ether always is.</summary>
    public IReadOnlyList<Address> AcceptedTokens { get; init; } = [];

    /// <summary>
    /// Deposits that peers have signed and this node relays at the cost of its own gas, in any hour. 0 to 10,000; 0
    /// relays none. Anyone may use them up: what they cost at most is the limit, about 100,000 gas each.
    /// </summary>
    public int RelayDepositsPerHour { get; init; }

    /// <summary>Channels of one peer that may wait for their first deposit. 1 to 10,000.</summary>
    public int UnfundedChannelsPerPeerMax { get; init; } = 100;

    /// <summary>Channels of all peers that may wait for their first deposit. 1 to 1,000,000.</summary>
    public int UnfundedChannelsMax { get; init; } = 10_000;

    /// <summary>Channels of all peers, in any state, beyond which peers can open none. 1 to 1,000,000,000.</summary>
    public int ChannelsMax { get; init; } = 10_000_000;

    /// <summary>Channels of one peer that are not closed, beyond which it can open none. 1 to 1,000,000,000.</summary>
    public int ChannelsPerPeerMax { get; init; } = 100_000;

    /// <summary>
    /// When the chain was last seen longer ago than this, nothing is paid or accepted: what a peer does there would not
    /// be noticed. 20 to 3,600, and well below the dispute windows.
    /// </summary>
    public uint ChainSilenceSecondsMax { get; init; } = 60;

    /// <summary>How long a signed cooperative close may wait to be mined. 10 to 3,600.</summary>
    public uint CloseDeadlineSeconds { get; init; } = 300;

    /// <summary>
    /// Wei that the gas of all transactions of a day may cost; then the node sends none but for disputes, and says so.
    /// 0 to 18,446,744,073,709,551,615.
    /// </summary>
    public ulong GasBudgetWeiPerDay { get; init; } = 500_000_000_000_000_000;

    /// <summary>
    /// Wei a day, on top, that only disputes and claims on closing channels may use; those about less than their gas may use half of
    /// it. What is within a quarter of what is at stake does not count. 0 to 18,446,744,073,709,551,615.
    /// </summary>
    public ulong DisputeReserveWeiPerDay { get; init; } = 1_000_000_000_000_000_000;

    /// <summary>
    /// What one ether is worth in tokens: then a dispute in them is set against its gas as one about ether is. At most 64.
    /// </summary>
    public IReadOnlyList<TokenRate> TokenRates { get; init; } = [];

    /// <summary>Wei per gas that a transaction offers at most. 1 to 1,000,000,000,000,000.</summary>
    public ulong FeeWeiMax { get; init; } = 200_000_000_000;

    /// <summary>
    /// The same for disputes, claims on closing channels and what must be mined before them; the larger of both counts.
    /// 1 to 1,000,000,000,000,000.
    /// </summary>
    public ulong DisputeFeeWeiMax { get; init; } = 5_000_000_000_000;

    /// <summary>How long a transaction may wait before it is offered for more; less as a deadline nears. 1 to 3,600.</summary>
    public uint ReplaceAfterSeconds { get; init; } = 30;

    /// <summary>How long ended jobs are remembered, and what was to be done once is not done again. 24 to 8,760 hours.</summary>
    public uint JobsKeptHours { get; init; } = 7 * 24;

    /// <summary>How often one-way channels are looked through for what is to be claimed. 1 to 86,400 seconds.</summary>
    public uint ClaimLookSeconds { get; init; } = 60;

    /// <summary>Smallest units owed in a one-way channel, of any token, from which on they are claimed. 0 for never; to 2^112 - 1.</summary>
    public UInt128 ClaimFrom { get; init; }

    /// <summary>The same as a multiple of what the gas of the claim costs, in channels of ether. 0 for never; to 1,000,000,000.</summary>
    public uint ClaimFromGasTimes { get; init; } = 1_000;

    /// <summary>How long events can be asked for. 1 to 87,600 hours.</summary>
    public uint EventsKeptHours { get; init; } = 30 * 24;

    /// <summary>Events kept; beyond it the oldest go, however young. 1,000 to 100,000,000; each takes about 500 bytes.</summary>
    public ulong EventsMax { get; init; } = 1_000_000;

    /// <summary>How long decisions of the policies stay in the audit log. 1 to 876,000 hours.</summary>
    public uint AuditKeptHours { get; init; } = 5 * 365 * 24;

    /// <summary>Entries of the audit log kept; beyond it the oldest go, however young. 1,000 to 100,000,000; each takes about 200 bytes.</summary>
    public ulong AuditMax { get; init; } = 5_000_000;

    /// <summary>How long payments received can be asked for. 1 to 87,600 hours.</summary>
    public uint ReceivedKeptHours { get; init; } = 7 * 24;

    /// <summary>Disk that payments received may take; beyond it the oldest go, however young. 67,108,864 to 17,592,186,044,416.</summary>
    public ulong ReceivedBytesMax { get; init; } = 16UL << 30;

    /// <summary>What must stay free on the database's disk; with less nothing new is paid, accepted, opened or guarded. 0 (no limit) to 1,099,511,627,776 bytes.</summary>
    public ulong DiskReserveBytes { get; init; } = 1UL << 30;

    /// <summary>
    /// How long, at least, an idempotency key protects; at most twice as long and an hour. A key never goes while its
    /// payment is under way. 1 to 8,760 hours.
    /// </summary>
    public uint SentKeptHours { get; init; } = 24;

    /// <summary>Watchtowers that act for this node while it is away: http:// or https:// URLs, at most 8.</summary>
    public IReadOnlyList<string> Watchtowers { get; init; } = [];

    /// <summary>How often at most they are told of a channel, in milliseconds; sooner when asked how they stand. 50 to 60,000.</summary>
    public uint WatchtowerEveryMs { get; init; } = 1_000;

    /// <summary>Channels kept in memory, about a kilobyte each; one with something under way stays beyond it. 1,024 to 10,000,000.</summary>
    public int ChannelsInMemoryMax { get; init; } = 65_536;

    /// <summary>Payments of one channel waiting for acknowledgement. 1 to 16,384.</summary>
    public int InFlightPaymentsPerChannelMax { get; init; } = 16_384;

    /// <summary>
    /// Updates of one channel told to the peer and not acknowledged; payments beyond them wait, and share the next one. More
    /// is quicker with a peer far away, fewer is cheaper for both. 1 to 1,024.
    /// </summary>
    public int UpdatesInFlightPerChannelMax { get; init; } = 2;

    /// <summary>
    /// Payments of one stream of a client that are under way, up to their results' leaving; beyond it the stream is not
    /// read. Below what one channel may have under way a fast client waits, instead of being refused. 1,024 to 1,048,576.
    /// </summary>
    public int PaymentsPerStreamMax { get; init; } = 8_192;

    /// <summary>Payments taken under one signature of a peer. 16,384 (what every node may send) to 1,048,576.</summary>
    public int PaymentsPerUpdateMax { get; init; } = 65_536;

    /// <summary>Batches of one peer that may wait for the ledger before its session is not read. 1 to 64.</summary>
    public int PeerBatchesMax { get; init; } = 4;

    /// <summary>
    /// Wrong signatures of a peer that are looked at in a second, and mentions of channels that it has not with this node; of all
    /// peers together five times as many. 1 to 1,000,000.
    /// </summary>
    public int WrongSignaturesPerSecondMax { get; init; } = 200;

    /// <summary>Updates and commands that one group commit takes at most, a last batch aside. 1 to 65,536.</summary>
    public int CommitBatchMax { get; init; } = 4_096;

    /// <summary>Commands that may wait for the ledger before callers wait. 1 to 1,048,576.</summary>
    public int LedgerQueueMax { get; init; } = 16_384;

    /// <summary>Refusals, or messages, that may wait for a slow peer before its session is ended. 16 to 1,048,576.</summary>
    public int PeerQueueMax { get; init; } = 4_096;

    /// <summary>JSON over HTTP, gRPC-Web and webhooks.</summary>
    public ApplicationOptions Applications { get; init; } = new();

    /// <summary>Largest answer of the RPC, in bytes. 16,777,216 to 1,073,741,824.</summary>
    public int RpcAnswerBytesMax { get; init; } = 64 * 1024 * 1024;

    /// <summary>Largest gRPC message. 2,097,152 to 67,108,864: all payments under way of a channel fit in one.</summary>
    public int MessageBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>Bytes of messages that wait at one door; beyond, who has most loses its call. 16,777,216 to 68,719,476,736, four messages at least.</summary>
    public long MessageMemoryMax { get; init; } = 128 * 1024 * 1024;

    public long MessageRoomBytes => Math.Max(MessageMemoryMax, 4L * MessageBytesMax);

    /// <summary>host:port at which Prometheus asks for metrics; not served when empty. Port 0 takes a free one.</summary>
    public string MetricsListen { get; init; } = string.Empty;

    /// <summary>http:// or https:// URL of an OpenTelemetry collector for metrics and traces; none when empty.</summary>
    public string OtlpEndpoint { get; init; } = string.Empty;

    /// <summary>With a collector: of a million single payments, how many are traced if their caller does not say. 0 to 1,000,000.</summary>
    public int TracedPaymentsPerMillion { get; init; } = 10_000;

    /// <summary>How the log's lines are written.</summary>
    public LogFormat LogFormat { get; init; }

    /// <summary>The least that is logged.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>How deposits into a channel of this token count.</summary>
    public CreditPolicy CreditOf(Address token)
    {
        (UInt128 small, UInt128 larger) = token.IsZero
            ? (CreditSmallMax, CreditLargerMax) : (TokenCreditSmallMax, TokenCreditLargerMax);
        (UInt128? smallTotal, UInt128? largerTotal) = token.IsZero
            ? (CreditSmallTotalMax, CreditLargerTotalMax) : (TokenCreditSmallTotalMax, TokenCreditLargerTotalMax);
        return new CreditPolicy(Confirmations, small, Math.Max(Confirmations, ConfirmationsLarger), larger)
        {
            SmallTotal = Total(smallTotal, small),
            LargerTotal = Total(largerTotal, larger),
        };
    }

    private static UInt128 Total(UInt128? total, UInt128 single) =>
        total is not { } limit ? single * 10 : limit == UInt128.Zero ? UInt128.MaxValue : limit;

    /// <summary>Seconds that what is under way may take to end when the node is stopped. 0 to 300.</summary>
    public uint DrainSeconds { get; init; } = 20;

    /// <summary>
    /// Seconds within which a node that is stopped tells its peers to expect it back: for so long they let payments to it wait.
    /// 0 to 600; 0 says that it is not coming back.
    /// </summary>
    public uint RestartSeconds { get; init; } = 60;

    /// <summary>Folder, which must be there, for backups that the node makes by itself; empty makes none.</summary>
    public string BackupTo { get; init; } = "";

    /// <summary>Hours between two of them. 1 to 8,760.</summary>
    public uint BackupEveryHours { get; init; } = 24;

    /// <summary>Whose keys open them, age1...; at least one where <see cref="BackupTo"/> is set, at most 16.</summary>
    public IReadOnlyList<string> BackupRecipients { get; init; } = [];

    /// <summary>How many stay; the oldest go. 1 to 10,000.</summary>
    public int BackupKeep { get; init; } = 7;

    /// <summary>Seconds that payments wait at most for a peer that has said that it comes back. 0 to 600.</summary>
    public uint PeerRestartSeconds { get; init; } = 60;
}
