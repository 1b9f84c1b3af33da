using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>A watchtower's wire form to the engine's and back, for both ends. Reading checks every length.</summary>
internal static class WatchtowerWire
{
    public const uint ProtocolVersion = 1;

    public const int UpdatesPerFrameMax = 1_024;

    public static Wire.GuardFrame Write(IReadOnlyList<GuardRequest> requests)
    {
        Wire.GuardFrame frame = new();
        foreach ((GuardedUpdate guarded, ChannelTerms? terms) in requests)
        {
            frame.Updates.Add(new Wire.GuardedUpdate
            {
                ChannelId = PeerWire.Write(guarded.Update.Channel.Value),
                Sent = PeerWire.Write(guarded.Update.Sent),
                Received = PeerWire.Write(guarded.Update.Received),
                Signature = PeerWire.Write(guarded.Signature),
                Consent = PeerWire.Write(guarded.Consent),
                Terms = terms is null ? null : PeerWire.Write(terms),
            });
        }

        return frame;
    }

    public static IReadOnlyList<GuardRequest> Read(Wire.GuardFrame frame)
    {
        if (frame.Updates.Count > UpdatesPerFrameMax)
            throw PeerWire.Malformed("updates", frame.Updates.Count, $"at most {UpdatesPerFrameMax}");
        List<GuardRequest> requests = new(frame.Updates.Count);
        foreach (Wire.GuardedUpdate said in frame.Updates)
        {
            BalanceUpdate update = new(
                PeerWire.ReadChannel(said.ChannelId), PeerWire.ReadAmount(said.Sent, "sent"),
                PeerWire.ReadAmount(said.Received, "received"));
            GuardedUpdate guarded = new(
                update, PeerWire.ReadSignature(said.Signature, "signature"), PeerWire.ReadSignature(said.Consent, "consent"));
            requests.Add(new GuardRequest(guarded, said.Terms is null ? null : PeerWire.ReadTerms(said.Terms)));
        }

        return requests;
    }

    public static Wire.GuardFrameReply Write(GuardAnswer answer)
    {
        Wire.GuardFrameReply reply = new();
        foreach (GuardedTotals stored in answer.Stored) reply.Stored.Add(Write(stored));
        foreach (GuardRefusal refusal in answer.Refusals)
        {
            reply.Refusals.Add(new Wire.GuardRefusal
            {
                ChannelId = PeerWire.Write(refusal.Channel.Value),
                Sent = PeerWire.Write(refusal.Sent),
                Reason = (Wire.Refusal)refusal.Reason,
                Field = refusal.Field,
                Value = refusal.Value,
                Limit = refusal.Limit,
            });
        }

        return reply;
    }

    public static GuardAnswer Read(Wire.GuardFrameReply reply) => new(
        [.. reply.Stored.Select(Read)],
        [.. reply.Refusals.Select(refusal => new GuardRefusal(
            PeerWire.ReadChannel(refusal.ChannelId), PeerWire.ReadAmount(refusal.Sent, "sent"),
            PeerWire.ReadRefusal(refusal.Reason), refusal.Field, refusal.Value, refusal.Limit))]);

    public static Wire.GuardedTotals Write(GuardedTotals totals) => new()
    {
        ChannelId = PeerWire.Write(totals.Channel.Value),
        Sent = PeerWire.Write(totals.Sent),
        Received = PeerWire.Write(totals.Received),
    };

    public static GuardedTotals Read(Wire.GuardedTotals totals) => new(
        PeerWire.ReadChannel(totals.ChannelId), PeerWire.ReadAmount(totals.Sent, "sent"),
        PeerWire.ReadAmount(totals.Received, "received"));
}
