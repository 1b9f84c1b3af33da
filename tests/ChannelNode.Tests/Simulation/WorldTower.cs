using ChannelNode.Core;
using ChannelNode.Tests.Core;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// A third party that has each honest node's newest update of its peer with the node's consent, and presents it where a close
/// would forget it. It has an account of its own and cannot be bribed; a real watchtower can take its place.
/// </summary>
internal sealed class WorldTower(ChannelWorld world)
{
    public static readonly Address Account = new(0, 0, 0xD0);

    private readonly Dictionary<(WorldPlace, ChannelId), ContractCall.Dispute> _newest = [];

    /// <summary>Whether there is one in this run.</summary>
    public bool IsThere { get; } = world.Random.Next(3) == 0;

    /// <summary>What it knows in the node's favour.</summary>
    public void Hear()
    {
        if (!IsThere) return;
        foreach (WorldPlace place in world.Places)
        {
            if (!place.IsHonest || !place.IsUp || place.Life!.Turns == place.TurnsHeard) continue;
            place.TurnsHeard = place.Life.Turns;
            foreach (Channel channel in world.Channels)
            {
                ChannelState state = place.Life.StateOf(channel.Id);
                if (channel.Terms.OneWay || !state.HasTheirUpdate) continue;
                BalanceUpdate update = new(channel.Id, state.TheirSent, state.TheirReceived);
                _newest[(place, channel.Id)] = new ContractCall.Dispute(
                    channel.Id, channel.Terms, update, state.TheirSignature, new TestScheme(place.Us.Signer).SignConsent(update));
            }
        }
    }

    /// <summary>Looks at each block.</summary>
    public void Look()
    {
        if (!IsThere) return;
        foreach (((WorldPlace place, ChannelId id), ContractCall.Dispute dispute) in _newest)
        {
            NetworkBlock head = world.Network.Head;
            Refusal refusal = head.Contract.PotsOf(id).Dispute(
                false, WorldTruth.SidesOf(place, world.Channels.First(it => it.Id == id)).Theirs,
                dispute.Update.Sent, dispute.Update.Received, head.Seconds, out _);
            if (refusal != Refusal.None || world.Network.PendingNonce(Account) > head.NonceOf(Account)) continue;
            world.Log.Trace($"the tower says: {dispute.Text}");
            world.Network.Send(Account, 0, dispute);
        }
    }
}
