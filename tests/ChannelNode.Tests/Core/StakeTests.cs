using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Core;

public sealed class StakeTests
{
    [Theory]
    [InlineData(100, 100, 30, 0, 30)]
    [InlineData(100, 100, 1_000, 1_000, 100)] // Much went to and fro; ours is what we put in.
    [InlineData(0, 100, 60, 60, 0)]
    [InlineData(100, 100, 300, 0, 100)] // A deposit was reorganised away.
    [InlineData(100, 100, 0, 50, 0)]
    public void AtStake_IsWhatTheyHaveSentAndNothingRecords_AndNeverMoreThanIsOurs(int ours, int theirs, int sent, int received, int expected)
    {
        ChannelState state = Sample.Funded((UInt128)ours, (UInt128)theirs) with { TheirSent = (UInt128)sent, TheirReceived = (UInt128)received };

        Assert.Equal((UInt128)expected, Lifecycle.AtStake(Sample.Channel(), state));
    }

    [Fact]
    public void AtStake_InAOneWayChannel_IsWhatAClaimPays()
    {
        ChannelState state = Sample.Funded(100, 0) with { TheirSent = 60 };

        Assert.Equal((UInt128)60, Lifecycle.AtStake(Sample.Channel(Side.B, oneWay: true), state));
        Assert.Equal((UInt128)100, Lifecycle.AtStake(Sample.Channel(Side.B, oneWay: true), state with { TheirSent = 900 }));
    }

    [Fact]
    public void WhatTheContractHasRecorded_IsAtStakeNoMore()
    {
        ChannelState both = Sample.Funded(0, 0) with { OnChain = new Pots(200, 0, 50, 100, 0), TheirSent = 130 };
        ChannelState oneWay = Sample.Funded(0, 0) with { OnChain = new Pots(40, 60, 0, 0, 0), TheirSent = 80 };

        Assert.Equal((UInt128)30, Lifecycle.AtStake(Sample.Channel(), both));
        Assert.Equal((UInt128)30, Lifecycle.WonAtLeast(Sample.Channel(), both));
        Assert.Equal((UInt128)20, Lifecycle.AtStake(Sample.Channel(Side.B, oneWay: true), oneWay));
        Assert.Equal((UInt128)20, Lifecycle.WonAtLeast(Sample.Channel(Side.B, oneWay: true), oneWay));
    }

    /// <summary>All small cases: whatever update of ours the peer presents, with whatever it says of theirs.</summary>
    [Fact]
    public void WhateverThePeerPresents_NoMoreThanTheStakeIsLostWithoutTheDispute()
    {
        Channel channel = Sample.Channel();
        for (uint all = 0; all < 4 * 4 * 6 * 6; all++)
        {
            (UInt128 ours, UInt128 theirs, UInt128 sent, UInt128 received) = (all % 4, all / 4 % 4, all / 16 % 6, all / 96);
            if (sent > theirs + received) continue; // Never accepted.
            ChannelState state = Sample.Funded(ours, theirs) with { TheirSent = sent, TheirReceived = received };
            UInt128 stake = Lifecycle.AtStake(channel, state);
            for (uint said = 0; said < 8 * 6; said++)
            {
                Pots without = state.OnChain.Present(Side.A, said % 8, UInt128.Min(said / 8, sent));
                Pots with = without.Present(Side.B, sent, received);
                Assert.True(
                    with.PotA <= without.PotA + stake, $"{state.OnChain}, sent {sent}, received {received}, presented {said}: {stake} at stake");
            }
        }
    }

    /// <summary>The peer pays, is paid back, keeps silent about that, and closes with nothing: the dispute earns nothing.</summary>
    [Theory]
    [InlineData(0, 100, 100, 100, 0)]
    [InlineData(0, 100, 100, 70, 30)]
    [InlineData(50, 100, 100, 100, 50)]
    [InlineData(200, 100, 100, 100, 100)]
    public void WonAtLeast_IsWhatWasNotPaidBack(int ours, int theirs, int theirSent, int sent, int expected)
    {
        ChannelState state = Sample.Funded((UInt128)ours, (UInt128)theirs) with { TheirSent = (UInt128)theirSent, Sent = (UInt128)sent };

        Assert.Equal((UInt128)expected, Lifecycle.WonAtLeast(Sample.Channel(), state));
        Assert.InRange(Lifecycle.AtStake(Sample.Channel(), state), (UInt128)100, (UInt128)100);
    }

    /// <summary>All small cases: the peer answers by what is worst for us, nothing or any update of ours, with the dispute and without.</summary>
    [Fact]
    public void WhateverThePeerPresents_TheDisputeEarnsWhatIsWonAtLeast()
    {
        Channel channel = Sample.Channel();
        int cases = 0;
        for (uint all = 0; all < 4 * 4 * 6 * 6 * 6; all++)
        {
            (UInt128 ours, UInt128 theirs, UInt128 theirSent, UInt128 received, UInt128 sent) =
                (all % 4, all / 4 % 4, all / 16 % 6, all / 96 % 6, all / 576);
            if (theirSent > theirs + received || received > sent || sent > ours + theirSent) continue; // Never signed.
            cases++;
            ChannelState state = Sample.Funded(ours, theirs) with { TheirSent = theirSent, TheirReceived = received, Sent = sent };

            UInt128 without = Worst(state.OnChain), with = Worst(state.OnChain.Present(Side.B, theirSent, received));

            Assert.True(
                with >= without + Lifecycle.WonAtLeast(channel, state),
                $"{state.OnChain}, sent {theirSent}, received {received}, ours {sent}: {with} is left instead of {without}");

            UInt128 Worst(Pots pots)
            {
                UInt128 worst = pots.PotA;
                for (UInt128 said = 0; said <= sent; said++)
                {
                    // What we never signed: more than we had when so much was heard.
                    for (UInt128 heard = said > ours ? said - ours : 0; heard <= theirSent; heard++)
                        worst = UInt128.Min(worst, pots.Present(Side.A, said, heard).PotA);
                }

                return worst;
            }
        }

        Assert.InRange(cases, 500, int.MaxValue);
    }

    /// <summary>What may have been paid back pays for no gas, of one channel and of several.</summary>
    [Fact]
    public void Stake_TellsWhatIsWonApart_AndOfSeveralIsTheSum()
    {
        ChannelState paid = Sample.Funded(0, 100) with { TheirSent = 100 };
        StoredChannel[] closing = [new(Sample.Channel(), paid with { Sent = 70 }), new(Sample.Channel(), paid with { TheirSent = 60 })];

        Assert.Equal(new Stake(Address.Zero, 100, Won: 30), Stake.In(closing[0]));
        Assert.Equal(new Stake(Address.Zero, 160, Won: 90), Stake.In(closing));
    }

    [Fact]
    public void ClaimOfMuch_SharesItsGasWithNoneOfLittle()
    {
        UInt128[] stakes = [3, 900, 5, 4_000, 1_000, 2, 999, 250];
        StoredChannel[] closing =
        [
            .. stakes.Select((stake, index) => new StoredChannel(
                Sample.Channel(Side.B, oneWay: true) with { Id = new ChannelId(new Bytes32(0, 0, 0, (ulong)index)) },
                Sample.Funded(10_000, 0) with { TheirSent = stake })),
        ];

        UInt128[][] groups = [.. ChainOrders.UrgentClaimGroups(closing).Select(rows => rows.Select(row => row.State.TheirSent).ToArray())];

        Assert.Equal<UInt128[]>([[4_000, 1_000], [999, 900, 250], [5, 3, 2]], groups);
    }
}
