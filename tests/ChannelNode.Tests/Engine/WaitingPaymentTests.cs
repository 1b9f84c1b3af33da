using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// No payment waits for a wake-up that never comes: what it waits for may come in the very turn in which it begins to wait,
/// or in another order than usual.
/// </summary>
public sealed class WaitingPaymentTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new();
    private readonly List<PaymentOutcome> _outcomes = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private ValueTask PayAsync(UInt128 amount) =>
        _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, amount, "", _outcomes.Add), CancellationToken.None);

    private static UInt128[] Sent(OutgoingFrame said) => [.. said.Updates.ToArray().Select(update => update.Balance.Sent)];

    private static ChannelId[] Asked(OutgoingFrame said) =>
        [.. said.Messages.OfType<PeerMessage.Reestablish>().Select(question => question.Channel)];

    /// <summary>When the new session asks for what is under way, the payment is not known to be.</summary>
    [Fact]
    public async Task SessionThatBeginsInTheTurnOfTheFirstPayment_IsToldOfIt()
    {
        PeerLink newer = new(_rig.Link.Signer, _rig.Link.Owner, queueMax: 16);
        Task<PeerSession>? attached = null;
        await _rig.WhileHeldAsync(async () =>
        {
            await PayAsync(5);
            attached = _rig.Peers.AttachAsync(newer, CancellationToken.None);
        });
        PeerSession session = await attached!;
        OutgoingFrame said = new();
        Assert.True(newer.TryTake(ref said), "nobody is told of the payment");
        Assert.Equal([_rig.Slot.Channel.Id], Asked(said));
        said.Clear();

        await session.ReceiveAsync(new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 0, 0), CancellationToken.None);
        await _rig.SaidAsync();

        newer.TryTake(ref said);
        Assert.Equal([(UInt128)5], Sent(said));
    }

    /// <summary>As where the chain, after a reorganisation, is found to know an older life of the channel.</summary>
    [Fact]
    public async Task ChannelThatIsNotEstablishedAnyMore_IsAskedForOnceMoreInTheSameSession()
    {
        for (int time = 1; time <= 2; time++)
        {
            await _rig.Ledger.RunAsync(turn => _rig.Slot.EstablishedOn = null, CancellationToken.None);
            await PayAsync(5);
            await PayAsync(5);
            OutgoingFrame question = await _rig.SaidAsync();
            Assert.Equal([_rig.Slot.Channel.Id], Asked(question));
            Assert.Empty(Sent(question));

            await _rig.Session.ReceiveAsync(
                new PeerMessage.Reestablish(_rig.Slot.Channel.Id, 0, _rig.Slot.State.Sent), CancellationToken.None);
            OutgoingFrame update = await _rig.SaidAsync();
            Assert.Equal([(UInt128)(10 * time)], Sent(update));
            Assert.Empty(Asked(update)); // What was an answer is not answered.
            await _rig.AnswerAsync(Acknowledged((UInt128)(10 * time)));
        }

        Assert.Equal(4, _outcomes.Count(it => it.Refusal == Refusal.None));
    }
}
