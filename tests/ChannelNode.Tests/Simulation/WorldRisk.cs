using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>What a short reorganisation could cost a node in all its channels together, by the chain's own blocks.</summary>
internal static class WorldRisk
{
    public static void Check(WorldPlace place, SimulatedLife life, IReadOnlyList<Channel> channels, NetworkBlock? cursor)
    {
        if (cursor is null || (life.Machine.IsGiving && life.Node.View.Cursor?.Hash == cursor.Hash)) return; // In the middle of a batch.
        UInt128 risk = UInt128.Zero;
        foreach (Channel channel in channels)
        {
            ChannelState state = life.StateOf(channel.Id);
            if (state.OnChain != cursor.Contract.PotsOf(channel.Id)) return; // It was not asked for yet.
            (_, Side theirs) = WorldTruth.SidesOf(place, channel);
            risk += Amounts.Excess(Young(place, channel.Id, theirs, cursor), state.UncreditedOf(theirs));
        }

        UInt128 limit = place.Options.CreditSmallTotalMax!.Value;
        if (risk > limit) Assert.Fail($"{place.Name} counts {risk} of young deposits at {cursor.Number}, expected at most {limit}");
    }

    private static UInt128 Young(WorldPlace place, ChannelId channel, Side side, NetworkBlock cursor)
    {
        NetworkBlock old = cursor;
        for (uint depth = 1; depth < place.Options.ConfirmationsLarger && old.Parent is { } parent; depth++) old = parent;
        return cursor.Contract.DepositedBy(channel, side) - old.Contract.DepositedBy(channel, side);
    }
}
