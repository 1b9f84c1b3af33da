using ChannelNode.Engine;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>info</summary>
internal static class InfoCommand
{
    public static CliCommand Create(CommandShell shell) =>
        shell.Asks(
            new CliCommand("info", "Shows who a node is, its chain and its peers.", "channelnode info --json"),
            async (_, node, terminal, cancel) =>
            {
                GetInfoResponse info = await node.Client.GetInfoAsync(new GetInfoRequest(), cancellationToken: cancel);
                if (terminal.Json) terminal.Document(info);
                else Show(info, terminal);
                return ExitCode.Done;
            });

    private static void Show(GetInfoResponse info, Terminal terminal)
    {
        DateTimeOffset blockTime = DateTimeOffset.FromUnixTimeSeconds((long)info.BlockTimeSeconds);
        terminal.Show(Views.Fields(
            ("signer", info.Signer),
            ("owner", info.Owner),
            ("peers call", info.PeerListen),
            ("chain", $"{info.ChainId}"),
            ("contract", info.Contract),
            ("block", $"{info.BlockNumber} of {blockTime:yyyy-MM-dd HH:mm:ss} UTC"),
            ("channels", $"{info.Channels}"),
            ("payments received", $"{info.ReceivedCursor % CursorGap.Width}"), // Each restoration passes over so many cursors.
            ("version", info.Version)));
        ShowRestoration(info, terminal);
        ShowPeers(info, terminal);
        ShowWatchtowers(info, terminal);
    }

    private static void ShowRestoration(GetInfoResponse info, Terminal terminal)
    {
        if (info.Draining) terminal.Line("stopping: what is under way is finished, nothing new is begun");
        if (info.Restoration is not { } it) return;
        terminal.Line(
            $"restored at {Time(it.RestoredAtMs)} from a backup of {Time(it.BackupAtMs)}; "
            + Plural.Of(it.UnconfirmedChannels, "channel waits for its peer to tell where it stands", "channels wait for their peers to tell where they stand")
            + (it.HeldUntilSeconds > 0
                ? $"; what peers pay in the backup's channels is refused until the chain is past {Time((long)it.HeldUntilSeconds * 1_000)}"
                : ""));

        static string Time(long unixMs) => $"{DateTimeOffset.FromUnixTimeMilliseconds(unixMs):yyyy-MM-dd HH:mm:ss} UTC";
    }

    private static void ShowPeers(GetInfoResponse info, Terminal terminal)
    {
        if (info.Peers.Count == 0) return;
        var rows = info.Peers.Select(peer => new[] { peer.Signer, peer.Connected ? "yes" : "no", peer.Url }).ToList();
        terminal.Show(Views.Fitting(terminal.Width, ["peer", "connected", "url"], rows).Table);
    }

    private static void ShowWatchtowers(GetInfoResponse info, Terminal terminal)
    {
        if (info.Watchtowers.Count == 0) return;
        var rows = info.Watchtowers.Select(tower => new[]
        {
            tower.Url, tower.Connected ? "yes" : "no", $"{tower.ChannelsGuarded}",
            tower.ChannelsLagging == 0 ? "0" : $"{tower.ChannelsLagging}, for {tower.LaggingMs / 1_000} s",
            tower.ChannelsRefused == 0 ? "0" : $"{tower.ChannelsRefused}, {Failure.ReasonOf(tower.NewestRefusal)}",
        }).ToList();
        string[] heads = ["watchtower", "connected", "guards", "lags behind", "refuses"];
        terminal.Show(Views.Fitting(terminal.Width, heads, rows).Table);
    }
}
