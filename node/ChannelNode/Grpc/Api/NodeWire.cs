using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>The engine's state in NodeService's words.</summary>
internal static class NodeWire
{
    private const int DifferencesPerResponse = 1_000;

    /// <summary>One at least.</summary>
    public static IEnumerable<Wire.VerifyChainResponse> Write(ChainAuditReport report)
    {
        int next = 0;
        do
        {
            Wire.VerifyChainResponse response = new() { BlockNumber = report.Block, Channels = report.Channels };
            foreach (ChainDifference it in report.Differences.Skip(next).Take(DifferencesPerResponse))
            {
                response.Differences.Add(new Wire.ChainDifference
                {
                    ChannelId = it.Channel?.ToString() ?? string.Empty,
                    Database = it.Database,
                    Chain = it.Chain,
                });
            }

            next += DifferencesPerResponse;
            yield return response;
        }
        while (next < report.Differences.Count);
    }

    /// <param name="peerConnected">Whether a session with the peer is up.</param>
    /// <param name="peerRefusal">Why the peer refused this node's newest update.</param>
    /// <param name="peerProves">Of this node's payments, beyond what it knows itself; zero normally.</param>
    public static Wire.Channel Write(
        Channel channel, in ChannelState state, bool peerConnected, Refusal peerRefusal, UInt128 peerProves)
    {
        return new Wire.Channel
        {
            ChannelId = channel.Id.ToString(),
            Status = Write(state.Status),
            Peer = channel.Theirs.Signer.ToString(),
            PeerConnected = peerConnected,
            OurSide = channel.OurSide == Side.A ? "a" : "b",
            Token = channel.Terms.Token.ToString(),
            DisputeWindowSeconds = channel.Terms.DisputeWindowSeconds,
            OneWay = channel.Terms.OneWay,
            Salt = channel.Terms.Salt.ToString(),
            OurBalance = state.OurBalance(channel).ToString(),
            TheirBalance = state.TheirBalance(channel).ToString(),
            Sent = state.Sent.ToString(),
            Acknowledged = state.Acknowledged.ToString(),
            Received = state.TheirSent.ToString(),
            OurPot = state.OnChain.PotOf(channel.OurSide).ToString(),
            TheirPot = state.OnChain.PotOf(channel.TheirSide).ToString(),
            OurRecordedSent = state.OnChain.SentOf(channel.OurSide).ToString(),
            TheirRecordedSent = state.OnChain.SentOf(channel.TheirSide).ToString(),
            ClosesAtSeconds = state.OnChain.ClosesAtSeconds,
            PeerRefusal = (Wire.Refusal)peerRefusal,
            OurOwner = channel.Ours.Owner.ToString(),
            TheirOwner = channel.Theirs.Owner.ToString(),
            OurUncredited = UInt128.Min(state.OurBalance(channel), state.UncreditedOf(channel.OurSide)).ToString(),
            TheirUncredited = UInt128.Min(state.TheirBalance(channel), state.UncreditedOf(channel.TheirSide)).ToString(),
            SentUnrecorded = state.SentUnrecorded.ToString(),
            PeerProves = peerProves == UInt128.Zero ? string.Empty : peerProves.ToString(),
        };
    }

    /// <summary>The newest restoration of the database; null when it never was.</summary>
    public static Wire.RestorationInfo? Write(IChannelStore store, RestoredHold hold) => hold.Newest is { } restored
        ? new Wire.RestorationInfo
        {
            RestoredAtMs = restored.RestoredAtMs,
            BackupAtMs = restored.BackupAtMs,
            UnconfirmedChannels = store.UnconfirmedCount,
            KnownCursor = restored.Received.After,
            FirstCursor = restored.Received.UpTo + 1,
            HeldUntilSeconds = hold.UntilSeconds,
        }
        : null;

    public static Wire.WatchtowerInfo Write(WatchtowerStatus tower) => new()
    {
        Url = tower.Url,
        Signer = tower.Signer.IsZero ? string.Empty : tower.Signer.ToString(),
        Connected = tower.IsConnected,
        ChannelsGuarded = (uint)tower.Guarded,
        ChannelsLagging = (uint)tower.Lagging,
        LaggingMs = (ulong)tower.LaggingMs,
        ChannelsRefused = (uint)tower.Refused,
        NewestRefusal = (Wire.Refusal)tower.NewestRefusal,
    };

    public static Wire.ChannelStatus Write(ChannelStatus status) => (Wire.ChannelStatus)(status + 1);

    public static Wire.Progress Write(OperationStep step) => new()
    {
        Stage = (Wire.Stage)step.Stage,
        ChannelId = step.Channel?.ToString() ?? string.Empty,
        TransactionHash = step.Transaction?.ToString() ?? string.Empty,
        BlockNumber = step.Receipt?.BlockNumber ?? 0,
        GasUsed = step.Receipt?.GasUsed ?? 0,
        Note = step.Note,
        Job = step.Job,
    };

    public static Wire.Receipt? Write(SignedReceipt? receipt) => receipt is null ? null : new Wire.Receipt
    {
        Sent = receipt.Sent.ToString(),
        Received = receipt.Received.ToString(),
        Signature = receipt.Signature.ToString(),
    };
}
