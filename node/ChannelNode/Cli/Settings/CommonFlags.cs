using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>One flag for each option that a node and a watchtower have in common.</summary>
internal sealed class CommonFlags
{
    private const uint WindowMin = ChannelTerms.DisputeWindowSecondsMin;
    private const uint WindowMax = ChannelTerms.DisputeWindowSecondsMax;
    private const ulong FeeMax = 1_000_000_000_000_000;

    /// <summary>Only read for its defaults, so that they stand in one place.</summary>
    public static readonly NodeOptions Defaults =
        new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };

    private readonly Option<string> _config = new(SettingSources.ConfigFlag)
    {
        Description = $"File with settings, by the flags' names; else {SettingSources.FileName} here or in --data-dir",
        HelpName = "path",
    };
    private readonly Option<Network> _network = Fields.Word(
        SettingSources.NetworkFlag,
        "Presets chain id, finality, polling, confirmations, windows and tokens of a chain; anvil also makes what a node needs to be tried",
        Network.All.ToDictionary(network => network.Name));
    private readonly Option<string> _dataDirectory = new("--data-dir")
    {
        Description = "Folder of the database, made when missing; one node at a time",
        HelpName = "path",
        Required = true,
    };
    private readonly KeyFlags _key = new();
    private readonly Option<string> _rpcUrl = RunCommand.RpcUrl();
    private readonly Option<Address> _contract = Fields.Address("--contract", "The PaymentChannels contract");
    private readonly Option<ulong> _chainId = Fields.Number(
        "--chain-id", "EIP-155 chain id that the RPC must answer with; 0 takes the RPC's", 0ul, ulong.MaxValue, Defaults.ChainId, "chain id");
    private readonly Option<uint> _reorgDepth = Fields.Number(
        "--reorg-depth", "Blocks that can be undone; a reorganisation that goes deeper stops the node", 128u, 8_192u,
        Defaults.ReorgDepthMax);
    private readonly Option<uint> _confirmations = Fields.Number(
        "--confirmations", "Blocks that a deposit, or an own transaction, must be deep before any of it counts, its own included", 1u, 128u,
        Defaults.Confirmations);
    private readonly Option<ulong> _fromBlock = Fields.Number(
        "--from-block", "Block at which to start reading events", 0ul, ulong.MaxValue, Defaults.FromBlock, "block number");
    private readonly Option<uint> _pollMs = Fields.Number(
        "--poll-ms", "Milliseconds between questions to a chain without subscriptions", 50u, 60_000u, Defaults.PollMs);
    private readonly Option<uint> _disputeWindowMin = Fields.Number(
        "--dispute-window-min", "Seconds of the shortest dispute window of a channel that is accepted", WindowMin, WindowMax,
        Defaults.DisputeWindowSecondsMin);
    private readonly Option<uint> _chainSilence = Fields.Number(
        "--chain-silence", "Seconds without a sign of the chain after which nothing is paid or accepted", 20u, 3_600u,
        Defaults.ChainSilenceSecondsMax);
    private readonly Option<SetAmount> _gasBudget = Fields.Amount(
        "--gas-budget", "What the gas of a day's transactions may cost, disputes aside", AmountKind.Ether, 0, ulong.MaxValue,
        Defaults.GasBudgetWeiPerDay);
    private readonly Option<SetAmount> _disputeReserve = Fields.Amount(
        "--dispute-reserve",
        "What only disputes and claims on closing channels may cost a day on top of it; those about less than their gas may use half",
        AmountKind.Ether, 0, ulong.MaxValue, Defaults.DisputeReserveWeiPerDay);
    private readonly Option<string[]> _tokenPerEther = TokenRateFlag.Create();
    private readonly Option<SetAmount> _feeMax = Fields.Amount(
        "--fee-max", "What a transaction offers at most for each gas", AmountKind.PerGas, 1, FeeMax, Defaults.FeeWeiMax);
    private readonly Option<SetAmount> _disputeFeeMax = Fields.Amount(
        "--dispute-fee-max", "What disputes and claims on closing channels offer at most for each gas; as much as --fee-max at least",
        AmountKind.PerGas, 1, FeeMax, Defaults.DisputeFeeWeiMax);
    private readonly Option<uint> _replaceAfter = Fields.Number(
        "--replace-after", "Seconds that a transaction may wait before it is offered for more", 1u, 3_600u,
        Defaults.ReplaceAfterSeconds);
    private readonly Option<uint> _jobsKeptHours = Fields.Number(
        "--jobs-kept-hours", "Hours for which ended transactions are remembered", 24u, 8_760u, Defaults.JobsKeptHours);
    private readonly Option<int> _channelsInMemoryMax = Fields.Number(
        "--channels-in-memory-max", "Channels kept in memory, about a kilobyte each; the others are on disk", 1_024,
        10_000_000, Defaults.ChannelsInMemoryMax);
    private readonly Option<ulong> _diskReserve = Fields.Number(
        "--disk-reserve", "Bytes that stay free on the database's disk: with less nothing new is paid, accepted, opened or guarded, disputes go on; "
        + "0 for no limit", 0UL, 1UL << 40, Defaults.DiskReserveBytes);
    private readonly Option<int> _wrongSignaturesMax = Fields.Number(
        "--wrong-signatures-max", "Wrong signatures of a peer that are looked at in a second; of all peers together five times as many", 1, 1_000_000,
        Defaults.WrongSignaturesPerSecondMax, "per second");
    private readonly Option<int> _connectionsPerAddressMax = Fields.Number(
        "--connections-per-address-max", "Connections of one address (IPv6: of one /64) to a door at a time, 127.0.0.1, ::1 and unix sockets "
        + "aside; as many as of all where callers come through a proxy of another machine, or share one address", 1, 1_000_000,
        Defaults.ConnectionsPerAddressMax);
    private readonly Option<int> _messageBytesMax = Fields.Number(
        "--message-bytes-max", "Bytes of the largest gRPC message", 2_097_152, 67_108_864, Defaults.MessageBytesMax);

    private readonly Option<long> _messageMemoryMax = Fields.Number(
        "--message-memory-max", "Bytes of messages that wait at one door; above them the caller with most of them loses its call. Four times "
        + "--message-bytes-max at least, whatever is given", 16_777_216L, 68_719_476_736L, Defaults.MessageMemoryMax);

    private readonly Option<int> _rpcAnswerBytesMax = Fields.Number(
        "--rpc-answer-bytes-max", "Bytes of the largest answer of the RPC; ranges of logs above it are asked for in parts", 16_777_216,
        1_073_741_824, Defaults.RpcAnswerBytesMax);

    private readonly SeeingFlags _seeing = new();

    public CommonFlags() => _contract.Required = true;

    public IEnumerable<Option> All() =>
    [
        _config, _network, _dataDirectory, .. _key.All(), _rpcUrl, _contract, _chainId, _reorgDepth, _confirmations, _fromBlock, _pollMs,
        _disputeWindowMin, _chainSilence, _gasBudget, _disputeReserve, _tokenPerEther, _feeMax, _disputeFeeMax, _replaceAfter,
        _jobsKeptHours, _channelsInMemoryMax, _diskReserve, _wrongSignaturesMax, _connectionsPerAddressMax, _messageBytesMax, _messageMemoryMax,
        _rpcAnswerBytesMax, .. _seeing.All(),
    ];

    private bool IsTrial(ParseResult parsed) => parsed.GetValue(_network)?.Name == Network.Trial;

    public IEnumerable<SettingFault> Wrong(ParseResult parsed) =>
    [
        .. _key.Wrong(parsed),
        .. Overruled.Below(parsed, _disputeFeeMax, _feeMax, "a dispute may offer what any other transaction may"),
    ];

    /// <summary>Deposits that are worth more wait for as many blocks as others, at least.</summary>
    public IEnumerable<SettingFault> WrongBeside(ParseResult parsed, Option<uint> confirmationsLarger) =>
        Overruled.Below(parsed, confirmationsLarger, _confirmations, "before those nothing of a deposit counts");

    /// <summary>No door has room for as many.</summary>
    public IEnumerable<SettingFault> WrongBeside(ParseResult parsed, params IEnumerable<Option<int>> connectionsOfDoors) =>
        Overruled.Above(
            parsed, _connectionsPerAddressMax, connectionsOfDoors.MaxBy(parsed.GetValue)!, "no door has so many connections at a time");

    public NodeOptions Read(ParseResult parsed) => Read(parsed, _key.Read(parsed));

    private NodeOptions Read(ParseResult parsed, KeySource key) => _seeing.Read(parsed, new()
    {
        DataDirectory = parsed.GetValue(_dataDirectory) ?? "",
        KeyFile = IsTrial(parsed) && !_key.IsGiven(parsed)
            ? Path.Combine(parsed.GetValue(_dataDirectory) ?? "", Network.TrialKeyFile)
            : key.File,
        IsTrial = IsTrial(parsed),
        PasswordFile = key.PasswordFile,
        SignerUrl = key.SignerUrl,
        SignerAddress = key.SignerAddress,
        SignerTimeoutMs = key.SignerTimeoutMs,
        SignerRequestsMax = key.SignerRequestsMax,
        RpcUrl = parsed.GetValue(_rpcUrl)!,
        Contract = parsed.GetValue(_contract),
        ChainId = parsed.GetValue(_chainId),
        ReorgDepthMax = parsed.GetValue(_reorgDepth),
        Confirmations = parsed.GetValue(_confirmations),
        FromBlock = parsed.GetValue(_fromBlock),
        PollMs = parsed.GetValue(_pollMs),
        DisputeWindowSecondsMin = parsed.GetValue(_disputeWindowMin),
        ChainSilenceSecondsMax = parsed.GetValue(_chainSilence),
        GasBudgetWeiPerDay = (ulong)parsed.GetValue(_gasBudget).Units,
        DisputeReserveWeiPerDay = (ulong)parsed.GetValue(_disputeReserve).Units,
        TokenRates = TokenRateFlag.Read(parsed.GetValue(_tokenPerEther)),
        FeeWeiMax = (ulong)parsed.GetValue(_feeMax).Units,
        DisputeFeeWeiMax = (ulong)parsed.GetValue(_disputeFeeMax).Units,
        ReplaceAfterSeconds = parsed.GetValue(_replaceAfter),
        JobsKeptHours = parsed.GetValue(_jobsKeptHours),
        ChannelsInMemoryMax = parsed.GetValue(_channelsInMemoryMax),
        DiskReserveBytes = parsed.GetValue(_diskReserve),
        WrongSignaturesPerSecondMax = parsed.GetValue(_wrongSignaturesMax),
        ConnectionsPerAddressMax = parsed.GetValue(_connectionsPerAddressMax),
        MessageBytesMax = parsed.GetValue(_messageBytesMax),
        MessageMemoryMax = parsed.GetValue(_messageMemoryMax),
        RpcAnswerBytesMax = parsed.GetValue(_rpcAnswerBytesMax),
    });
}
