using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Channels of a few wei, in each of which the second side has paid the first, and begins to close as if it had not: many at a time, and
/// each dispute costs more than it is about. What is in them is no loss that counts; what their disputes use up must be missed nowhere else.
/// </summary>
internal sealed class WorldDust(ChannelWorld world, bool isThere)
{
    private const int ChannelsMax = 24;
    private const int AtOnceMax = 8;

    /// <summary>Wei, by the second side to the first, in each.</summary>
    private const uint Paid = 20;

    private readonly List<Channel> _open = [];

    /// <summary>Whether there are any in this run. Then nodes have gas for next to nothing, and their operators close by themselves.</summary>
    public bool IsThere => isThere;

    /// <summary>On both disks, paid in, and funded.</summary>
    public void Begin(IReadOnlyList<Party> parties)
    {
        for (int index = 0; isThere && index < ChannelsMax; index++)
        {
            ChannelId id = new(new Bytes32(0, 0, 0, (ulong)(100 + index)));
            ChannelTerms terms = new(parties[1], parties[0], Address.Zero, world.WindowSeconds, OneWay: index % 3 == 0, id.Value);
            Channel channel = new(id, terms, Side.A);
            _open.Add(channel);
            world.Deposit(channel, Side.A, 50);
        }

        if (!isThere) return;
        world.Network.Mine();
        foreach (WorldPlace place in world.Places) Know(place);
    }

    private void Know(WorldPlace place)
    {
        SimulatedStore store = new(place.Disk);
        IStoreBatch batch = store.NewBatch();
        foreach (Channel channel in _open)
        {
            Side ours = WorldTruth.SidesOf(place, channel).Ours;
            ChannelState paid = ours == Side.A
                ? new ChannelState { Sent = Paid, Acknowledged = Paid }
                : new ChannelState
                {
                    TheirSent = Paid,
                    TheirSignature = new TestScheme(channel.Terms.A.Signer).Sign(new BalanceUpdate(channel.Id, Paid, 0)),
                };
            batch.PutChannel(channel with { OurSide = ours });
            batch.PutState(channel.Id, paid);
            batch.PutPending(channel.Id, Pending.Deposit);
        }

        store.Commit(batch, durable: true);
        place.Disk.CutPower(new Random(0)); // Whatever the disk says of later syncs, this is there.
    }

    /// <summary>Some begin to close, with nothing of what was paid.</summary>
    public void Close()
    {
        for (int count = world.Random.Next(1, AtOnceMax + 1); count > 0 && _open.Count > 0; count--)
        {
            Channel channel = _open[^1];
            _open.RemoveAt(_open.Count - 1);
            world.Network.Send(world.Places[1].Us.Owner, 0, new ContractCall.StartClose(channel.Id, channel.Terms, null, default));
            world.Tally.SmallCloses++;
        }

        world.Log.Trace("b closes small channels");
    }

    /// <summary>
    /// What the first side burnt for them, by the blocks themselves: half of the reserve, and a little more where no machine had shown a
    /// receipt yet and it did not count. What is left is for what is worth it.
    /// </summary>
    public void CheckTheEnd()
    {
        if (!isThere) return;
        WorldPlace place = world.Places[0];
        UInt128 burnt = UInt128.Zero;
        for (NetworkBlock? block = world.Network.Head; block is not null; block = block.Parent)
        {
            foreach ((NetworkTransaction sent, MinedTransaction mined) in block.Mined)
                if (sent.From == place.Account && IsAboutSmall(sent.Call)) burnt += mined.Receipt.GasUsed * mined.FeePerGas;
        }

        UInt128 most = place.Options.DisputeReserveWeiPerDay * 3 / 4;
        Assert.True(burnt <= most, $"{place.Name} burnt {burnt} wei for small channels, expected at most {most}");
        world.Tally.SmallGwei += (long)(burnt / SimulatedNetwork.Gwei);
    }

    private bool IsAboutSmall(ContractCall call) => call switch
    {
        ContractCall.Dispute dispute => IsSmall(dispute.Channel),
        ContractCall.Claim claim => claim.Rows.All(row => IsSmall(row.Channel.Id)),
        _ => false,
    };

    private bool IsSmall(ChannelId id) => world.Channels.All(channel => channel.Id != id);

    /// <summary>The first side's owner closes or settles by itself: its node has no gas for that.</summary>
    public void CloseFor(Channel channel, Pots pots)
    {
        if (!pots.IsClosing) Send(new ContractCall.StartClose(channel.Id, channel.Terms, null, default));
        else if (pots.ClosesAtSeconds <= world.Network.Head.Seconds) Send(new ContractCall.Settle(channel.Id, channel.Terms));
    }

    private void Send(ContractCall call) => world.Network.Send(world.Places[0].Us.Owner, 0, call);
}
