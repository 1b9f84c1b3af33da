using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Ends when both have told, in this session, where the channel stands; refused when the peer is not there.</summary>
internal sealed class WhenEstablished(ChannelSlot slot) : EstablishedCommand
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Task => _done.Task;

    /// <summary>Nobody waits any more; the task is cancelled.</summary>
    public void GiveUp() => _done.TrySetCanceled();

    internal override void Apply(LedgerTurn turn)
    {
        if (slot.Link is null) Refuse(Refusal.PeerOffline, turn);
        else if (slot.IsEstablished) _done.TrySetResult();
        else turn.WaitForPeer(slot, this);
    }

    internal override void Refuse(Refusal refusal, LedgerTurn turn) => _done.TrySetException(new RefusalException(
        refusal,
        refusal == Refusal.PeerOffline
            ? $"peer {slot.Channel.Theirs.Signer} is not connected; a cooperative close needs it"
            : $"peer {slot.Channel.Theirs.Signer} does not know the channel"));

    internal override void Abandon(Exception error) =>
        _done.TrySetException(new RefusalException(Refusal.NotReady, "the node is stopping", error));
}
