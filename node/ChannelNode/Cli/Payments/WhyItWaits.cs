using ChannelNode.Proto.V1;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>Says why payments wait, beside the output: each cause once, however long it lasts and how often it comes again.</summary>
internal sealed class WhyItWaits(NodeConnection node, TokenUnits units, PaymentPlan plan, Terminal terminal, TimeProvider time)
{
    /// <summary>What passes within that is not worth a word.</summary>
    public static readonly TimeSpan SilentFor = TimeSpan.FromSeconds(2);

    private const int CausesMax = 16;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    private readonly HashSet<(Refusal Refusal, string Peers)> _said = [];
    private DateTimeOffset _nextLook;

    /// <summary>The peer's part in it, when that was looked at last and nothing else was refused; else empty.</summary>
    public string OfThePeer { get; private set; } = "";

    /// <summary>For the payment of a plan of one.</summary>
    public async Task SayAsync(Task paying, CancellationToken cancel)
    {
        while (!paying.IsCompleted && !cancel.IsCancellationRequested)
        {
            await Task.WhenAny(paying, Task.Delay(BetweenLooks, time, cancel));
            if (paying.IsCompleted) return;
            if (await TryLookAsync(cancel) is not { } channel) continue;
            if (!channel.PeerConnected) SayAway(channel, "asks for the same payment again");
            if (!channel.PeerConnected || channel.PeerRefusal is not (var refusal and not Refusal.Unspecified)) continue;
            Say($"this payment is signed, and the peer refuses it for now: {Failure.ReasonOf(refusal)}. The node offers it "
                + $"again until it is taken; to stop waiting is safe, and --key {plan.Key} asks for the same payment again. {IfNever}");
            return;
        }
    }

    /// <summary>For the payments of a plan of many. Never throws what the node says of it.</summary>
    /// <param name="newest">What the newest that is asked for again was refused by, and in which words.</param>
    public async Task SayAsync((Refusal Refusal, string Message) newest, CancellationToken cancel)
    {
        if (_said.Count >= CausesMax) return;
        if (newest.Refusal != Refusal.Unspecified)
        {
            // A peer's reason is in the words; other words may name amounts, which change while the cause does not.
            if (!_said.Add((newest.Refusal, newest.Refusal == Refusal.PeerRefusing ? newest.Message : ""))) return;
            string words = newest.Message.Length == 0 ? "" : $": {await units.TryInAsync(newest.Message, cancel)}";
            Say($"waiting: {Failure.ReasonOf(newest.Refusal)}{words}. It is asked for again until it passes{OrStop}"
                + (newest.Refusal == Refusal.PeerRefusing ? $" {IfNever}" : ""));
        }
        else if (time.GetUtcNow() >= _nextLook)
        {
            _nextLook = time.GetUtcNow() + BetweenLooks;
            if (await TryLookAsync(cancel) is not { } channel) return;
            OfThePeer = "";
            if (!channel.PeerConnected)
            {
                OfThePeer = "the peer is not connected";
                SayAway(channel, "asks for the same payments again");
            }

            if (!channel.PeerConnected || channel.PeerRefusal is not (var refusal and not Refusal.Unspecified)) return;
            string reason = Failure.ReasonOf(refusal);
            OfThePeer = $"the peer refuses what is under way: {reason}";
            if (!_said.Add((Refusal.PeerRefusing, reason))) return;
            Say($"waiting: what is under way is signed, and the peer refuses it for now: {reason}. The node offers it "
                + $"again until it is taken{OrStop} {IfNever}");
        }
    }

    /// <summary>What is signed is offered for ever; what is not waits for a peer that said that it would be back, and not for long.</summary>
    private void SayAway(Channel channel, string asksAgain)
    {
        if (!_said.Add((Refusal.PeerOffline, ""))) return;
        string safe = $"; to stop waiting is safe, and --key {plan.Key} {asksAgain}.";
        Say(channel.Sent == channel.Acknowledged
            ? $"waiting: the peer is not connected, and the node waits for it for a while{safe}"
            : $"waiting: the peer is not connected, and what is under way is signed: it is offered when the peer is back{safe} {IfNever}");
    }

    private string OrStop => $"; to stop waiting is safe, and --key {plan.Key} asks for the same payments again.";

    private string IfNever => $"If the peer never takes it: 'channelnode channel start-close {Views.Short(plan.ChannelId)}'";

    private void Say(string sentence)
    {
        if (terminal.Live) terminal.Line(sentence);
        else terminal.Note(sentence);
    }

    /// <summary>
    /// Null where the node does not say: whoever may pay need not be one who may read. What becomes of the payments is another question.
    /// </summary>
    private async Task<Channel?> TryLookAsync(CancellationToken cancel)
    {
        try
        {
            GetChannelRequest question = new() { ChannelId = plan.ChannelId };
            return (await node.Client.GetChannelAsync(
                question, deadline: (time.GetUtcNow() + AnswerWithin).UtcDateTime, cancellationToken: cancel)).Channel;
        }
        catch (RpcException)
        {
            return null;
        }
    }
}
