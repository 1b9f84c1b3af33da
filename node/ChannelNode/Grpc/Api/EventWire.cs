using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>The engine's events in NodeService's words.</summary>
internal static class EventWire
{
    public static Wire.OperatorEvent Write(OperatorEvent what)
    {
        Wire.OperatorEvent wire = new()
        {
            Cursor = what.Cursor,
            TimeMs = what.TimeMs,
            Kind = (Wire.EventKind)what.Kind,
            Severity = (Wire.EventSeverity)what.Severity,
            Sentence = what.Sentence,
            BlockNumber = what.Block,
            Depth = what.Depth,
            ClosesAtSeconds = what.ClosesAtSeconds,
            SecondsLeft = what.SecondsLeft,
            Amount = what.Amount.ToString(),
            JobNumber = what.Job,
            JobKind = (Wire.JobKind)what.JobKind,
            TransactionHash = what.Transaction == default ? string.Empty : what.Transaction.ToString(),
            MaxFeeWei = what.MaxFee == UInt128.Zero ? string.Empty : what.MaxFee.ToString(),
            Reason = (Wire.Refusal)what.Refusal,
        };
        if (what.Nonce is { } nonce) wire.Nonce = nonce;
        foreach (ChannelId channel in what.Channels) wire.ChannelIds.Add(channel.ToString());
        return wire;
    }
}
