using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>run</summary>
internal static class RunCommand
{
    private const uint WindowMin = ChannelTerms.DisputeWindowSecondsMin;
    private const uint WindowMax = ChannelTerms.DisputeWindowSecondsMax;

    public static CliCommand Create(CommandShell shell)
    {
        var flags = new Flags();
        var command = new CliCommand(
            "run",
            "Runs a node until it is stopped. Settings also come from a file and the environment: see 'channelnode config --help'.",
            "channelnode run --data-dir alice --key-file alice.key --rpc-url ws://127.0.0.1:8545 \\\n"
            + "  --contract 0x5FbDB2315678afecb367f032d93F642f64180aa3");
        foreach (Option flag in flags.All()) command.Options.Add(flag);
        command.TakesSettings(
            parsed => [.. flags.Wrong(parsed), .. SettingFaults.Of(flags.Read(parsed))],
            parsed => shell.Actions.NodeFiles(flags.Read(parsed)));
        return shell.Does(
            command.MayExitWith(ExitCode.ChainTrouble, ExitCode.Failed),
            (parsed, _, cancel) => shell.Actions.RunNode(flags.Read(parsed), cancel));
    }

    public static Option<string> RpcUrl()
    {
        Option<string> option = Fields.Url("--rpc-url", "JSON-RPC of the chain", "ws", "wss", "http", "https");
        option.Required = true;
        return option;
    }

    /// <summary>One flag for each option of a node.</summary>
    private sealed class Flags
    {
        private readonly CommonFlags _common = new();
        private readonly DoorFlags _doors = new();
        private readonly ApplicationFlags _applications = new();
        private readonly Option<Address> _owner = Fields.Address(
            "--owner", "Who is paid out, maybe a cold address [default: the signer's own address]");
        private readonly Option<uint> _confirmationsLarger = Fields.Number(
            "--confirmations-larger", "Blocks that deposits must be deep before more than --credit-small counts", 1u, 128u,
            CommonFlags.Defaults.ConfirmationsLarger);
        private readonly Option<SetAmount> _creditSmall = Credit(
            "--credit-small", "What may count of young deposits into one side of a channel", AmountKind.Ether, CommonFlags.Defaults.CreditSmallMax);
        private readonly Option<SetAmount> _creditLarger = Credit(
            "--credit-larger", "What may count of deposits that are not final yet", AmountKind.Ether, CommonFlags.Defaults.CreditLargerMax);
        private readonly Option<SetAmount> _creditSmallTotal = Credit(
            "--credit-small-total", "The same as --credit-small over all channels, 0 for no limit; ten times it when not given", AmountKind.Ether);
        private readonly Option<SetAmount> _creditLargerTotal = Credit(
            "--credit-larger-total", "The same as --credit-larger over all channels, 0 for no limit; ten times it when not given", AmountKind.Ether);
        private readonly Option<SetAmount> _tokenCreditSmall = Credit(
            "--token-credit-small", "The same as --credit-small for a channel in a token", AmountKind.AnyToken, CommonFlags.Defaults.TokenCreditSmallMax);
        private readonly Option<SetAmount> _tokenCreditLarger = Credit(
            "--token-credit-larger", "The same as --credit-larger for a channel in a token", AmountKind.AnyToken,
            CommonFlags.Defaults.TokenCreditLargerMax);
        private readonly Option<SetAmount> _tokenCreditSmallTotal = Credit(
            "--token-credit-small-total", "The same as --credit-small-total for each token", AmountKind.AnyToken);
        private readonly Option<SetAmount> _tokenCreditLargerTotal = Credit(
            "--token-credit-larger-total", "The same as --credit-larger-total for each token", AmountKind.AnyToken);
        private readonly Option<FinalityTag> _finality = Fields.Word(
            "--finality", "What the chain must call a block before any sum in it counts",
            new Dictionary<string, FinalityTag> { ["finalized"] = FinalityTag.Finalized, ["safe"] = FinalityTag.Safe }, "finalized");
        private readonly Option<uint> _disputeWindow = Fields.Number(
            "--dispute-window", "Seconds of dispute window offered when none is asked for", WindowMin, WindowMax,
            CommonFlags.Defaults.DisputeWindowSeconds);
        private readonly Option<Address[]> _acceptTokens = Fields.Addresses(
            "--accept-token", "A token in which peers may open channels; may be given several times. Ether always is");
        private readonly Option<int> _relayDeposits = Fields.Number(
            "--relay-deposits", "Deposits that peers have signed and this node sends at its own gas, in any hour; 0 sends none",
            0, 10_000, CommonFlags.Defaults.RelayDepositsPerHour, "per hour");
        private readonly Option<int> _unfundedPerPeerMax = Fields.Number(
            "--unfunded-per-peer-max", "Channels of one peer that may wait for their first deposit", 1, 10_000,
            CommonFlags.Defaults.UnfundedChannelsPerPeerMax);
        private readonly Option<int> _unfundedMax = Fields.Number(
            "--unfunded-max", "Channels of all peers that may wait for their first deposit", 1, 1_000_000,
            CommonFlags.Defaults.UnfundedChannelsMax);
        private readonly Option<uint> _closeDeadline = Fields.Number(
            "--close-deadline", "Seconds that a signed cooperative close may wait to be mined", 10u, 3_600u,
            CommonFlags.Defaults.CloseDeadlineSeconds);
        private readonly Option<uint> _claimLook = Fields.Number(
            "--claim-look", "Seconds between looks for what one-way channels owe", 1u, 86_400u, CommonFlags.Defaults.ClaimLookSeconds);
        private readonly Option<SetAmount> _claimFrom = Fields.Amount(
            "--claim-from", "What is owed in a one-way channel from which on it is claimed; 0 for never", AmountKind.AnyToken, 0, Amounts.Max,
            CommonFlags.Defaults.ClaimFrom);
        private readonly Option<uint> _claimFromGasTimes = Fields.Number(
            "--claim-from-gas-times", "The same as a multiple of the claim's gas, in ether; 0 for never", 0u, 1_000_000_000u,
            CommonFlags.Defaults.ClaimFromGasTimes, "times");
        private readonly Option<uint> _receivedKeptHours = Fields.Number(
            "--received-kept-hours", "Hours for which payments received can be asked for", 1u, 87_600u,
            CommonFlags.Defaults.ReceivedKeptHours);
        private readonly Option<ulong> _receivedBytesMax = Fields.Number(
            "--received-bytes-max", "Bytes of disk for payments received; beyond it the oldest go", 64UL << 20, 16UL << 40,
            CommonFlags.Defaults.ReceivedBytesMax);
        private readonly Option<uint> _sentKeptHours = Fields.Number(
            "--sent-kept-hours", "Hours for which an idempotency key protects at least", 1u, 8_760u,
            CommonFlags.Defaults.SentKeptHours);
        private readonly Option<uint> _eventsKeptHours = Fields.Number(
            "--events-kept-hours", "Hours for which events can be asked for", 1u, 87_600u, CommonFlags.Defaults.EventsKeptHours);
        private readonly Option<ulong> _eventsMax = Fields.Number(
            "--events-max", "Events that are kept; beyond it the oldest go", 1_000UL, 100_000_000UL, CommonFlags.Defaults.EventsMax);
        private readonly Option<uint> _auditKeptHours = Fields.Number(
            "--audit-kept-hours", "Hours for which decisions of the policy stay in its audit log", 1u, 876_000u,
            CommonFlags.Defaults.AuditKeptHours);
        private readonly Option<ulong> _auditMax = Fields.Number(
            "--audit-max", "Entries of the audit log that are kept; beyond it the oldest go", 1_000UL, 100_000_000UL,
            CommonFlags.Defaults.AuditMax);
        private readonly Option<string[]> _watchtowers = Fields.Urls(
            "--watchtower", "A watchtower that acts for this node while it is away; may be given several times, up to 8", 8,
            "http", "https");
        private readonly Option<uint> _watchtowerEveryMs = Fields.Number(
            "--watchtower-every-ms", "Milliseconds between two times that watchtowers are told of one channel", 50u, 60_000u,
            CommonFlags.Defaults.WatchtowerEveryMs);
        private readonly Option<int> _inFlightMax = Fields.Number(
            "--in-flight-max", "Payments of one channel that may wait for acknowledgement", 1, 16_384,
            CommonFlags.Defaults.InFlightPaymentsPerChannelMax);
        private readonly Option<int> _updatesInFlightMax = Fields.Number(
            "--updates-in-flight-max", "Updates of one channel told to the peer and not acknowledged; payments beyond share the next", 1,
            1_024, CommonFlags.Defaults.UpdatesInFlightPerChannelMax);
        private readonly Option<int> _paymentsPerStreamMax = Fields.Number(
            "--payments-per-stream-max", "Payments of one StreamPayments call that may be under way before it is not read", 1_024,
            1_048_576, CommonFlags.Defaults.PaymentsPerStreamMax);
        private readonly Option<int> _paymentsPerUpdateMax = Fields.Number(
            "--payments-per-update-max", "Payments taken under one signature of a peer", 16_384, 1_048_576,
            CommonFlags.Defaults.PaymentsPerUpdateMax);
        private readonly Option<int> _peerBatchesMax = Fields.Number(
            "--peer-batches-max", "Batches of one peer that may wait for the ledger before it is not read", 1, 64,
            CommonFlags.Defaults.PeerBatchesMax);
        private readonly Option<int> _commitBatchMax = Fields.Number(
            "--commit-batch-max", "Updates and commands that one group commit takes at most", 1, 65_536, CommonFlags.Defaults.CommitBatchMax);
        private readonly Option<int> _ledgerQueueMax = Fields.Number(
            "--ledger-queue-max", "Commands that may wait for the ledger before callers wait", 1, 1_048_576,
            CommonFlags.Defaults.LedgerQueueMax);
        private readonly Option<int> _peerQueueMax = Fields.Number(
            "--peer-queue-max", "Refusals, or messages, that may wait for a slow peer before its session ends", 16, 1_048_576,
            CommonFlags.Defaults.PeerQueueMax);

        private readonly Option<uint> _drain = Fields.Number(
            "--drain-seconds", "Seconds that what is under way may take to end when the node is stopped; a second signal ends it at once",
            0u, 300u, CommonFlags.Defaults.DrainSeconds);
        private readonly Option<uint> _restart = Fields.Number(
            "--restart-seconds", "Seconds within which a node that is stopped tells its peers to expect it back; 0: it is not coming back",
            0u, 600u, CommonFlags.Defaults.RestartSeconds);
        private readonly Option<uint> _peerRestart = Fields.Number(
            "--peer-restart-seconds", "Seconds that payments wait at most for a peer that has said that it comes back", 0u, 600u,
            CommonFlags.Defaults.PeerRestartSeconds);

        private readonly Option<string> _backupTo = new("--backup-to")
        {
            Description = "Folder, which must be there, for backups that the node makes by itself; none are made when not given",
            HelpName = "path",
        };
        private readonly Option<uint> _backupEvery = Fields.Number(
            "--backup-every-hours", "Hours between two of them", 1u, 8_760u, CommonFlags.Defaults.BackupEveryHours);
        private readonly Option<string[]> _backupRecipients = Fields.Texts(
            "--backup-recipient", "Whose key opens them; may be given several times, up to 16", 16, AgeRecipient.Form, "age1...", AgeRecipient.IsOne);
        private readonly Option<int> _backupKeep = Fields.Number(
            "--backup-keep", "How many of them stay; the oldest go", 1, 10_000, CommonFlags.Defaults.BackupKeep);

        public IEnumerable<Option> All() =>
        [
            .. _common.All(), .. _doors.All(), _backupTo, _backupEvery, _backupRecipients, _backupKeep, _drain, _restart, _peerRestart,
            _watchtowers, _watchtowerEveryMs, _owner, _confirmationsLarger,
            _creditSmall, _creditLarger, _creditSmallTotal, _creditLargerTotal, _tokenCreditSmall, _tokenCreditLarger,
            _tokenCreditSmallTotal, _tokenCreditLargerTotal, _finality, _disputeWindow,
            _acceptTokens, _relayDeposits, _unfundedPerPeerMax, _unfundedMax, _closeDeadline, _claimLook, _claimFrom,
            _claimFromGasTimes, _receivedKeptHours, _receivedBytesMax, _sentKeptHours, _eventsKeptHours, _eventsMax,
            _auditKeptHours, _auditMax,
            _inFlightMax, _updatesInFlightMax, _paymentsPerStreamMax,
            _paymentsPerUpdateMax, _commitBatchMax, _ledgerQueueMax, _peerBatchesMax, _peerQueueMax, .. _applications.All(),
        ];

        /// <summary>What can only be seen from how settings were given.</summary>
        public IEnumerable<SettingFault> Wrong(ParseResult parsed)
        {
            const string Larger = "of what is not final no more counts", Total = "over all channels no more counts";
            return
            [
                .. _common.Wrong(parsed), .. _applications.Wrong(parsed), .. _doors.Wrong(parsed, _unfundedMax, _unfundedPerPeerMax),
                .. _common.WrongBeside(parsed, _confirmationsLarger), .. _common.WrongBeside(parsed, _doors.Connections),
                .. Overruled.Above(parsed, _creditSmall, _creditLarger, Larger),
                .. Overruled.Above(parsed, _tokenCreditSmall, _tokenCreditLarger, Larger),
                .. Overruled.AboveUnlessNone(parsed, _creditSmall, _creditSmallTotal, Total),
                .. Overruled.AboveUnlessNone(parsed, _creditLarger, _creditLargerTotal, Total),
                .. Overruled.AboveUnlessNone(parsed, _tokenCreditSmall, _tokenCreditSmallTotal, Total),
                .. Overruled.AboveUnlessNone(parsed, _tokenCreditLarger, _tokenCreditLargerTotal, Total),
                .. Overruled.AboveUnlessNone(parsed, _creditSmallTotal, _creditLargerTotal, Larger),
                .. Overruled.AboveUnlessNone(parsed, _tokenCreditSmallTotal, _tokenCreditLargerTotal, Larger),
                .. Overruled.Above(parsed, _updatesInFlightMax, _inFlightMax, "an update is of one payment at least"),
            ];
        }

        private static UInt128? Given(ParseResult parsed, Option<SetAmount> option) =>
            parsed.GetResult(option) is null ? null : parsed.GetValue(option).Units;

        private static Option<SetAmount> Credit(string name, string description, AmountKind kind, UInt128? byDefault = null) =>
            Fields.Amount(name, description, kind, UInt128.Zero, Amounts.Max, byDefault);

        public NodeOptions Read(ParseResult parsed) => _doors.Read(parsed, _common.Read(parsed)) with
        {
            BackupTo = parsed.GetValue(_backupTo) ?? "",
            BackupEveryHours = parsed.GetValue(_backupEvery),
            BackupRecipients = parsed.GetValue(_backupRecipients) is { Length: > 0 } recipients ? recipients : [],
            BackupKeep = parsed.GetValue(_backupKeep),
            DrainSeconds = parsed.GetValue(_drain),
            RestartSeconds = parsed.GetValue(_restart),
            PeerRestartSeconds = parsed.GetValue(_peerRestart),
            Watchtowers = parsed.GetValue(_watchtowers) is { Length: > 0 } urls ? urls : [],
            WatchtowerEveryMs = parsed.GetValue(_watchtowerEveryMs),
            Owner = parsed.GetValue(_owner),
            ConfirmationsLarger = parsed.GetValue(_confirmationsLarger),
            CreditSmallMax = parsed.GetValue(_creditSmall).Units,
            CreditLargerMax = parsed.GetValue(_creditLarger).Units,
            CreditSmallTotalMax = Given(parsed, _creditSmallTotal),
            CreditLargerTotalMax = Given(parsed, _creditLargerTotal),
            TokenCreditSmallMax = parsed.GetValue(_tokenCreditSmall).Units,
            TokenCreditLargerMax = parsed.GetValue(_tokenCreditLarger).Units,
            TokenCreditSmallTotalMax = Given(parsed, _tokenCreditSmallTotal),
            TokenCreditLargerTotalMax = Given(parsed, _tokenCreditLargerTotal),
            Finality = parsed.GetValue(_finality),
            DisputeWindowSeconds = parsed.GetValue(_disputeWindow),
            AcceptedTokens = parsed.GetValue(_acceptTokens) is { Length: > 0 } tokens ? tokens : [],
            RelayDepositsPerHour = parsed.GetValue(_relayDeposits),
            UnfundedChannelsPerPeerMax = parsed.GetValue(_unfundedPerPeerMax),
            UnfundedChannelsMax = parsed.GetValue(_unfundedMax),
            CloseDeadlineSeconds = parsed.GetValue(_closeDeadline),
            ClaimLookSeconds = parsed.GetValue(_claimLook),
            ClaimFrom = parsed.GetValue(_claimFrom).Units,
            ClaimFromGasTimes = parsed.GetValue(_claimFromGasTimes),
            ReceivedKeptHours = parsed.GetValue(_receivedKeptHours),
            ReceivedBytesMax = parsed.GetValue(_receivedBytesMax),
            SentKeptHours = parsed.GetValue(_sentKeptHours),
            EventsKeptHours = parsed.GetValue(_eventsKeptHours),
            EventsMax = parsed.GetValue(_eventsMax),
            AuditKeptHours = parsed.GetValue(_auditKeptHours),
            AuditMax = parsed.GetValue(_auditMax),
            InFlightPaymentsPerChannelMax = parsed.GetValue(_inFlightMax),
            UpdatesInFlightPerChannelMax = parsed.GetValue(_updatesInFlightMax),
            PaymentsPerStreamMax = parsed.GetValue(_paymentsPerStreamMax),
            PaymentsPerUpdateMax = parsed.GetValue(_paymentsPerUpdateMax),
            PeerBatchesMax = parsed.GetValue(_peerBatchesMax),
            CommitBatchMax = parsed.GetValue(_commitBatchMax),
            LedgerQueueMax = parsed.GetValue(_ledgerQueueMax),
            PeerQueueMax = parsed.GetValue(_peerQueueMax),
            Applications = _applications.Read(parsed),
        };
    }
}
