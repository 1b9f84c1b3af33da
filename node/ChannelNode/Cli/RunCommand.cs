using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>run</summary>
internal static class RunCommand
{
    private const uint WindowMin = ChannelTerms.DisputeWindowSecondsMin;
    private const uint WindowMax = ChannelTerms.DisputeWindowSecondsMax;
    private const ulong FeeMax = 1_000_000_000_000_000;

    /// <summary>Only read for its defaults, so that they stand in one place.</summary>
    private static readonly NodeOptions Defaults =
        new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };

    public static CliCommand Create(CommandShell shell)
    {
        var flags = new Flags();
        var command = new CliCommand(
            "run", "Runs a node until it is stopped.",
            "channelnode run --data-dir alice --key-file alice.key --rpc-url ws://127.0.0.1:8545 \\\n"
            + "  --contract 0x5FbDB2315678afecb367f032d93F642f64180aa3");
        foreach (Option flag in flags.All()) command.Options.Add(flag);
        return shell.Does(command.MayExitWith(ExitCode.ChainTrouble, ExitCode.Failed), (parsed, _, cancel) =>
        {
            NodeOptions options = flags.Read(parsed);
            Check(options);
            return shell.Actions.RunNode(options, cancel);
        });
    }

    /// <summary>Two nodes of the same settings must be able to open a channel to each other.</summary>
    private static void Check(NodeOptions options)
    {
        if (options.DisputeWindowSeconds >= options.DisputeWindowSecondsMin) return;
        throw new CommandException(new(
            ExitCode.WrongUsage, Failure.InvalidArgument,
            $"--dispute-window: {options.DisputeWindowSeconds} is less than --dispute-window-min, "
            + $"{options.DisputeWindowSecondsMin}: the node would offer what it refuses itself",
            "--dispute-window"));
    }

    public static Option<string> RpcUrl()
    {
        Option<string> option = Fields.Url("--rpc-url", "JSON-RPC of the chain", "ws", "wss", "http", "https");
        option.Required = true;
        return option;
    }

    public static Option<string> KeyFile() => new("--key-file")
    {
        Description = "File with the signer's private key, as 'key new' writes it",
        HelpName = "path",
        DefaultValueFactory = _ => KeyCommand.DefaultFile,
    };

    /// <summary>One flag for each option of a node.</summary>
    private sealed class Flags
    {
        private readonly Option<string> _dataDirectory = new("--data-dir")
        {
            Description = "Folder of the database, made when missing; one node at a time",
            HelpName = "path",
            Required = true,
        };
        private readonly Option<string> _keyFile = KeyFile();
        private readonly Option<string> _rpcUrl = RpcUrl();
        private readonly Option<Address> _contract = Fields.Address("--contract", "The PaymentChannels contract");
        private readonly Option<ulong> _chainId = Fields.Number(
            "--chain-id", "EIP-155 chain id that the RPC must answer with; 0 takes the RPC's", 0ul, ulong.MaxValue, Defaults.ChainId);
        private readonly Option<Address> _owner = Fields.Address(
            "--owner", "Who is paid out, maybe a cold address; the signer's own address when not given");
        private readonly Option<string> _apiListen = Fields.Listen(
            "--api-listen", "Where applications and operators call; port 0 takes a free one", Defaults.ApiListen);
        private readonly Option<string> _peerListen = Fields.Listen(
            "--peer-listen", "Where peers call; port 0 takes a free one", Defaults.PeerListen);
        private readonly Option<uint> _confirmations = Fields.Number(
            "--confirmations", "Blocks that an event must be deep to count, its own included", 1u, 128u, Defaults.Confirmations);
        private readonly Option<ulong> _fromBlock = Fields.Number(
            "--from-block", "Block at which to start reading events", 0ul, ulong.MaxValue, Defaults.FromBlock);
        private readonly Option<uint> _pollMs = Fields.Number(
            "--poll-ms", "Milliseconds between questions to a chain without subscriptions", 50u, 60_000u, Defaults.PollMs);
        private readonly Option<uint> _disputeWindow = Fields.Number(
            "--dispute-window", "Seconds of dispute window offered when none is asked for", WindowMin, WindowMax,
            Defaults.DisputeWindowSeconds);
        private readonly Option<uint> _disputeWindowMin = Fields.Number(
            "--dispute-window-min", "Seconds of the shortest dispute window accepted from a peer", WindowMin, WindowMax,
            Defaults.DisputeWindowSecondsMin);
        private readonly Option<Address[]> _acceptTokens = Fields.Addresses(
            "--accept-token", "A token in which peers may open channels; may be given several times. Ether always is");
        private readonly Option<int> _relayDeposits = Fields.Number(
            "--relay-deposits", "Deposits that peers have signed and this node sends at its own gas, in any hour; 0 sends none",
            0, 10_000, Defaults.RelayDepositsPerHour);
        private readonly Option<int> _unfundedPerPeerMax = Fields.Number(
            "--unfunded-per-peer-max", "Channels of one peer that may wait for their first deposit", 1, 10_000,
            Defaults.UnfundedChannelsPerPeerMax);
        private readonly Option<int> _unfundedMax = Fields.Number(
            "--unfunded-max", "Channels of all peers that may wait for their first deposit", 1, 1_000_000,
            Defaults.UnfundedChannelsMax);
        private readonly Option<uint> _chainSilence = Fields.Number(
            "--chain-silence", "Seconds without a sign of the chain after which nothing is paid or accepted", 20u, 3_600u,
            Defaults.ChainSilenceSecondsMax);
        private readonly Option<uint> _closeDeadline = Fields.Number(
            "--close-deadline", "Seconds that a signed cooperative close may wait to be mined", 10u, 86_400u,
            Defaults.CloseDeadlineSeconds);
        private readonly Option<ulong> _gasBudget = Fields.Number(
            "--gas-budget", "Wei that the gas of a day's transactions may cost, disputes aside", 0ul, ulong.MaxValue,
            Defaults.GasBudgetWeiPerDay);
        private readonly Option<ulong> _disputeReserve = Fields.Number(
            "--dispute-reserve", "Wei a day on top of it that only disputes and claims on closing channels may use", 0ul,
            ulong.MaxValue, Defaults.DisputeReserveWeiPerDay);
        private readonly Option<ulong> _feeMax = Fields.Number(
            "--fee-max", "Wei per gas that a transaction offers at most", 1ul, FeeMax, Defaults.FeeWeiMax);
        private readonly Option<ulong> _disputeFeeMax = Fields.Number(
            "--dispute-fee-max", "The same for disputes and claims on closing channels", 1ul, FeeMax, Defaults.DisputeFeeWeiMax);
        private readonly Option<uint> _replaceAfter = Fields.Number(
            "--replace-after", "Seconds that a transaction may wait before it is offered for more", 1u, 3_600u,
            Defaults.ReplaceAfterSeconds);
        private readonly Option<uint> _jobsKeptHours = Fields.Number(
            "--jobs-kept-hours", "Hours for which ended transactions are remembered", 24u, 8_760u, Defaults.JobsKeptHours);
        private readonly Option<uint> _claimLook = Fields.Number(
            "--claim-look", "Seconds between looks for what one-way channels owe", 1u, 86_400u, Defaults.ClaimLookSeconds);
        private readonly Option<UInt128> _claimFrom = Fields.Number(
            "--claim-from", "Smallest units owed in a one-way channel from which on they are claimed; 0 for never",
            UInt128.Zero, Amounts.Max, Defaults.ClaimFrom);
        private readonly Option<uint> _claimFromGasTimes = Fields.Number(
            "--claim-from-gas-times", "The same as a multiple of the claim's gas, in ether; 0 for never", 0u, 1_000_000_000u,
            Defaults.ClaimFromGasTimes);
        private readonly Option<uint> _receivedKeptHours = Fields.Number(
            "--received-kept-hours", "Hours for which payments received can be asked for", 1u, 87_600u,
            Defaults.ReceivedKeptHours);
        private readonly Option<ulong> _receivedBytesMax = Fields.Number(
            "--received-bytes-max", "Bytes of disk for payments received; beyond it the oldest go", 64UL << 20, 16UL << 40,
            Defaults.ReceivedBytesMax);
        private readonly Option<uint> _sentKeptHours = Fields.Number(
            "--sent-kept-hours", "Hours for which an idempotency key protects at least", 1u, 8_760u,
            Defaults.SentKeptHours);
        private readonly Option<int> _channelsInMemoryMax = Fields.Number(
            "--channels-in-memory-max", "Channels kept in memory, about a kilobyte each; the others are on disk", 1_024,
            10_000_000, Defaults.ChannelsInMemoryMax);
        private readonly Option<int> _inFlightMax = Fields.Number(
            "--in-flight-max", "Payments of one channel that may wait for acknowledgement", 1, 16_384,
            Defaults.InFlightPaymentsPerChannelMax);
        private readonly Option<int> _paymentsPerUpdateMax = Fields.Number(
            "--payments-per-update-max", "Payments taken under one signature of a peer", 16_384, 1_048_576,
            Defaults.PaymentsPerUpdateMax);
        private readonly Option<int> _peerBatchesMax = Fields.Number(
            "--peer-batches-max", "Batches of one peer that may wait for the ledger before it is not read", 1, 64,
            Defaults.PeerBatchesMax);
        private readonly Option<int> _wrongSignaturesMax = Fields.Number(
            "--wrong-signatures-max", "Wrong signatures of a peer that are looked at in a second", 1, 1_000_000,
            Defaults.WrongSignaturesPerSecondMax);
        private readonly Option<int> _commitBatchMax = Fields.Number(
            "--commit-batch-max", "Updates and commands that one group commit takes at most", 1, 65_536, Defaults.CommitBatchMax);
        private readonly Option<int> _ledgerQueueMax = Fields.Number(
            "--ledger-queue-max", "Commands that may wait for the ledger before callers wait", 1, 1_048_576,
            Defaults.LedgerQueueMax);
        private readonly Option<int> _peerQueueMax = Fields.Number(
            "--peer-queue-max", "Refusals, or messages, that may wait for a slow peer before its session ends", 16, 1_048_576,
            Defaults.PeerQueueMax);
        private readonly Option<int> _messageBytesMax = Fields.Number(
            "--message-bytes-max", "Bytes of the largest gRPC message", 2_097_152, 67_108_864, Defaults.MessageBytesMax);

        public Flags() => _contract.Required = true;

        public IEnumerable<Option> All() =>
        [
            _dataDirectory, _keyFile, _rpcUrl, _contract, _chainId, _owner, _apiListen, _peerListen, _confirmations,
            _fromBlock, _pollMs, _disputeWindow, _disputeWindowMin, _acceptTokens, _relayDeposits, _unfundedPerPeerMax,
            _unfundedMax, _chainSilence, _closeDeadline, _gasBudget, _disputeReserve, _feeMax, _disputeFeeMax,
            _replaceAfter, _jobsKeptHours, _claimLook, _claimFrom, _claimFromGasTimes, _receivedKeptHours,
            _receivedBytesMax, _sentKeptHours, _channelsInMemoryMax,
            _inFlightMax, _paymentsPerUpdateMax, _commitBatchMax, _ledgerQueueMax, _peerBatchesMax,
            _wrongSignaturesMax, _peerQueueMax, _messageBytesMax,
        ];

        public NodeOptions Read(ParseResult parsed) => new()
        {
            DataDirectory = parsed.GetValue(_dataDirectory)!,
            KeyFile = parsed.GetValue(_keyFile)!,
            RpcUrl = parsed.GetValue(_rpcUrl)!,
            Contract = parsed.GetValue(_contract),
            ChainId = parsed.GetValue(_chainId),
            Owner = parsed.GetValue(_owner),
            ApiListen = parsed.GetValue(_apiListen)!,
            PeerListen = parsed.GetValue(_peerListen)!,
            Confirmations = parsed.GetValue(_confirmations),
            FromBlock = parsed.GetValue(_fromBlock),
            PollMs = parsed.GetValue(_pollMs),
            DisputeWindowSeconds = parsed.GetValue(_disputeWindow),
            DisputeWindowSecondsMin = parsed.GetValue(_disputeWindowMin),
            AcceptedTokens = parsed.GetValue(_acceptTokens) is { Length: > 0 } tokens ? tokens : [],
            RelayDepositsPerHour = parsed.GetValue(_relayDeposits),
            UnfundedChannelsPerPeerMax = parsed.GetValue(_unfundedPerPeerMax),
            UnfundedChannelsMax = parsed.GetValue(_unfundedMax),
            ChainSilenceSecondsMax = parsed.GetValue(_chainSilence),
            CloseDeadlineSeconds = parsed.GetValue(_closeDeadline),
            GasBudgetWeiPerDay = parsed.GetValue(_gasBudget),
            DisputeReserveWeiPerDay = parsed.GetValue(_disputeReserve),
            FeeWeiMax = parsed.GetValue(_feeMax),
            DisputeFeeWeiMax = parsed.GetValue(_disputeFeeMax),
            ReplaceAfterSeconds = parsed.GetValue(_replaceAfter),
            JobsKeptHours = parsed.GetValue(_jobsKeptHours),
            ClaimLookSeconds = parsed.GetValue(_claimLook),
            ClaimFrom = parsed.GetValue(_claimFrom),
            ClaimFromGasTimes = parsed.GetValue(_claimFromGasTimes),
            ReceivedKeptHours = parsed.GetValue(_receivedKeptHours),
            ReceivedBytesMax = parsed.GetValue(_receivedBytesMax),
            SentKeptHours = parsed.GetValue(_sentKeptHours),
            ChannelsInMemoryMax = parsed.GetValue(_channelsInMemoryMax),
            InFlightPaymentsPerChannelMax = parsed.GetValue(_inFlightMax),
            PaymentsPerUpdateMax = parsed.GetValue(_paymentsPerUpdateMax),
            PeerBatchesMax = parsed.GetValue(_peerBatchesMax),
            WrongSignaturesPerSecondMax = parsed.GetValue(_wrongSignaturesMax),
            CommitBatchMax = parsed.GetValue(_commitBatchMax),
            LedgerQueueMax = parsed.GetValue(_ledgerQueueMax),
            PeerQueueMax = parsed.GetValue(_peerQueueMax),
            MessageBytesMax = parsed.GetValue(_messageBytesMax),
        };
    }
}
