using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>watchtower</summary>
internal static class WatchtowerCommand
{
    private const uint HoursMax = 8_760;

    /// <summary>Only read for its defaults, so that they stand in one place.</summary>
    private static readonly WatchtowerOptions Defaults = new() { Node = CommonFlags.Defaults };

    public static CliCommand Create(CommandShell shell)
    {
        var flags = new Flags();
        var command = new CliCommand(
            "watchtower", "Guards the channels of other nodes while they are away, until it is stopped. Its key pays gas only.",
            "channelnode watchtower --data-dir tower --key-file tower.key --rpc-url ws://127.0.0.1:8545 \\\n"
            + "  --contract 0x5FbDB2315678afecb367f032d93F642f64180aa3 --listen 0.0.0.0:9803");
        foreach (Option flag in flags.All()) command.Options.Add(flag);
        command.TakesSettings(
            parsed => [.. flags.Wrong(parsed), .. SettingFaults.Of(flags.Read(parsed))],
            parsed => shell.Actions.WatchtowerFiles(flags.Read(parsed)));
        return shell.Does(
            command.MayExitWith(ExitCode.ChainTrouble, ExitCode.Failed),
            (parsed, _, cancel) => shell.Actions.RunWatchtower(flags.Read(parsed), cancel));
    }

    private sealed class Flags
    {
        private readonly CommonFlags _common = new();
        private readonly TlsFlags _tlsFiles = new();
        private readonly Option<bool> _tls = Fields.Switch("--tls", "Serve over TLS 1.3: nodes dial https://");
        private readonly Option<string> _listen = Fields.Listen(
            "--listen", "Where nodes call; port 0 takes a free one", Defaults.Listen);
        private readonly Option<Address[]> _accept = Fields.Addresses(
            "--accept", "A signer to guard; may be given several times. Everybody, up to the limits, when none is");
        private readonly Option<int> _channelsPerSignerMax = Fields.Number(
            "--channels-per-signer-max", "Channels guarded of one signer", 1, 1_000_000, Defaults.ChannelsPerSignerMax);
        private readonly Option<int> _channelsMax = Fields.Number(
            "--channels-max", "Channels guarded of all signers, a tenth of them without a deposit", 1, 10_000_000, Defaults.ChannelsMax);
        private readonly Option<int> _sessionsMax = Fields.Number(
            "--sessions-max", "Sessions at a time, of all signers; above it strangers make room for who has a deposit", 1, 100_000, Defaults.SessionsMax);
        private readonly Option<int> _handshakesMax = Fields.Number(
            "--handshakes-max", "Nodes that may be proving who they are at a time", 1, 100_000, Defaults.HandshakesMax);
        private readonly Option<int> _handshakesPerSecondMax = Fields.Number(
            "--handshakes-per-second-max", "Sessions that one address may begin in a second", 1, 100_000, Defaults.HandshakesPerSecondMax, "per second");
        private readonly Option<uint> _emptyKeptHours = Fields.Number(
            "--empty-kept-hours", "Hours for which a channel is kept in which nothing is left on chain", 1u, HoursMax,
            (uint)Defaults.EmptyKeptFor.Hours + (uint)Defaults.EmptyKeptFor.Days * 24);
        private readonly Option<bool> _settle = Fields.Switch(
            "--settle", "Settle too, at this watchtower's gas, where neither node has done so two minutes after the window");

        public IEnumerable<Option> All() =>
        [
            .. _common.All(), _listen, _tls, .. _tlsFiles.All(), _accept, _channelsPerSignerMax, _channelsMax, _sessionsMax,
            _handshakesMax, _handshakesPerSecondMax, _emptyKeptHours, _settle,
        ];

        public IEnumerable<SettingFault> Wrong(ParseResult parsed) =>
        [
            .. _common.Wrong(parsed),
            .. Overruled.Above(parsed, _channelsPerSignerMax, _channelsMax, "that is how many are guarded of all signers together"),
        ];

        public WatchtowerOptions Read(ParseResult parsed) => new()
        {
            Node = _tlsFiles.Read(parsed, _common.Read(parsed)),
            Tls = parsed.GetValue(_tls),
            Listen = parsed.GetValue(_listen)!,
            AcceptedSigners = parsed.GetValue(_accept) is { Length: > 0 } signers ? signers : [],
            ChannelsPerSignerMax = parsed.GetValue(_channelsPerSignerMax),
            ChannelsMax = parsed.GetValue(_channelsMax),
            SessionsMax = parsed.GetValue(_sessionsMax),
            HandshakesMax = parsed.GetValue(_handshakesMax),
            HandshakesPerSecondMax = parsed.GetValue(_handshakesPerSecondMax),
            EmptyKeptFor = TimeSpan.FromHours(parsed.GetValue(_emptyKeptHours)),
            Settles = parsed.GetValue(_settle),
        };
    }
}
