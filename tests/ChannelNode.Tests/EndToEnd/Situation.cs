using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>How things stand with a node and a channel, for the message of a test whose payment got no answer.</summary>
internal static class Situation
{
    /// <summary>As anybody can ask a node.</summary>
    public static async Task<string> OfAsync(string name, Wire.NodeService.NodeServiceClient api, string channel)
    {
        DateTime soon = DateTime.UtcNow.AddSeconds(10);
        StringBuilder told = new();
        told.AppendLine($"{name}: channel {await TryAsync(async () => (await api.GetChannelAsync(
            new Wire.GetChannelRequest { ChannelId = channel }, deadline: soon)).Channel)}");
        Wire.GetStatusResponse? status = null;
        told.AppendLine($"{name}: {await TryAsync(async () =>
        {
            status = await api.GetStatusAsync(new Wire.GetStatusRequest { Brief = true }, deadline: soon);
            return $"counts {status.Counts}; chain {status.Chain}; peers {status.PeersConnected} of {status.PeersKnown}";
        })}");
        told.AppendLine($"{name}: {await TryAsync(async () => (await api.GetInfoAsync(new Wire.GetInfoRequest(), deadline: soon)).Peers)}");
        return told.ToString();
    }

    /// <summary>What a node in this process knows beyond that: where the channel stands in its session, and what waits in it.</summary>
    public static string Of(string name, Node node, string channel)
    {
        if (!Fields.TryReadChannelId(channel, out ChannelId id) || node.Book.Peek(id) is not { } slot) return $"{name}: no slot\n";
        PeerLink? link = slot.Link;
        return $"{name}: session {(link is null ? "none" : link.Ended.IsCancellationRequested ? "ended" : "up")}, has waiting {link?.HasWaiting}, "
            + $"established {slot.IsEstablished}, asked {slot.AskedOn is { } asked && asked == link}, waiting {slot.Waiting.Count}, "
            + $"in flight {slot.InFlight.Count}, refused for {slot.PeerRefusal}, offered again {slot.OfferAgainScheduled}, lost {slot.StateLost}, "
            + $"acknowledgement due {slot.AcknowledgementDue}; ledger idle {node.Ledger.IsIdle}, queue {node.Ledger.QueueLength}, "
            + $"chain current {node.View.IsCurrent}\n";
    }

    private static async Task<string> TryAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return $"{await ask()}";
        }
        catch (RpcException error)
        {
            return error.Status.ToString();
        }
    }
}
