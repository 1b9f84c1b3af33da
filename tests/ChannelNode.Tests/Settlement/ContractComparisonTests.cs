using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.EndToEnd;
using Xunit;
using Xunit.Abstractions;

namespace ChannelNode.Tests.Settlement;

/// <summary>
/// The core's pots against the real contract: the same calls, chosen at random from a fixed seed, are made on both.
/// After each, both hold the same, or both refused for the same reason; in the end both have paid the same.
/// CHANNELNODE_TEST_SCRIPTS runs more of them.
/// </summary>
[Collection(AnvilCollection.Name)]
public sealed class ContractComparisonTests(AnvilFixture anvil, ITestOutputHelper output)
{
    private const int CallsPerScript = 20;

    private static readonly int Scripts =
        int.TryParse(Environment.GetEnvironmentVariable("CHANNELNODE_TEST_SCRIPTS"), out int scripts) ? scripts : 25;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RandomCalls_DoToTheContractWhatTheyDoToPots(bool oneWay)
    {
        await using ChainBench bench = await ChainBench.OpenAsync(anvil, "http");
        UInt128 paidA = 0, paidB = 0;
        for (int seed = 1; seed <= Scripts; seed++)
        {
            output.WriteLine($"script {seed}");
            Channel channel = await bench.FundAsync(oneWay, a: 60, b: 30);
            var script = new Script(bench, channel, new Random(seed), output);
            for (int i = 0; i < CallsPerScript; i++) await script.CallAsync();
            paidA += script.PaidA;
            paidB += script.PaidB;
        }

        Assert.Equal(paidA, await bench.Alice.EtherBalanceAsync(bench.AliceOwner, default));
        Assert.Equal(paidB, await bench.Alice.EtherBalanceAsync(bench.BobOwner, default));
        Assert.True(paidA + paidB > 0);
    }

    private sealed class Script(ChainBench bench, Channel channel, Random random, ITestOutputHelper output)
    {
        private readonly bool _oneWay = channel.Terms.OneWay;
        private Pots _pots = new(60, 0, channel.Terms.OneWay ? 0 : (UInt128)30, 0, 0);
        private ulong _now;

        public UInt128 PaidA { get; private set; }

        public UInt128 PaidB { get; private set; }

        public async Task CallAsync()
        {
            _now = await bench.Anvil.NowSecondsAsync();
            Side side = random.Next(2) == 0 ? Side.A : Side.B;
            Task call = random.Next(12) switch
            {
                0 or 1 => DepositAsync(side, (UInt128)random.Next(40)),
                2 or 3 => StartCloseAsync(side),
                4 or 5 => DisputeAsync(side, Update()),
                6 or 7 => SettleAsync(),
                8 => CloseAsync(Near(_pots.SentA), Near(_pots.SentB)),
                9 or 10 => ClaimAsync(Near(_pots.SentA)),
                _ => bench.Anvil.PassTimeAsync(ChainBench.WindowSeconds),
            };
            await call;
            Assert.Equal(_pots, await bench.PotsAsync(channel));
        }

        private IChain By(Side side) => side == Side.A ? bench.Alice : bench.Bob;

        /// <summary>Old or new, covered or not, now and then too large for anything.</summary>
        private UInt128 Near(UInt128 recorded) => random.Next(12) switch
        {
            0 => Amounts.Max,
            1 => Amounts.Max + 1,
            2 => recorded,
            _ => Amounts.Excess(recorded + (UInt128)random.Next(60), (UInt128)random.Next(20)),
        };

        private (UInt128 Sent, UInt128 Received) Update() => random.Next(2) == 0
            ? (Near(_pots.SentA), Near(_pots.SentB))
            : (Near(_pots.SentA), _pots.SentB);

        private async Task DepositAsync(Side side, UInt128 amount)
        {
            Refusal refusal = _pots.Deposit(_oneWay, side, amount, out Pots next);
            await BothAsync($"deposit {side} {amount}", refusal, By(side).DepositAsync(channel, side, amount, null, default));
            _pots = next;
        }

        /// <summary>By a side, with the other's update or without.</summary>
        private async Task StartCloseAsync(Side by)
        {
            (UInt128 sent, UInt128 received) = Update();
            bool with = random.Next(3) > 0;
            Refusal refusal = _pots.StartClose(_now, ChainBench.WindowSeconds, out Pots next);
            if (refusal == Refusal.None && with) refusal = Refuses(sent, received);
            BalanceUpdate update = new(channel.Id, sent, received);
            await BothAsync(
                $"start close by {by} with {(with ? update : null)}", refusal,
                By(by).StartCloseAsync(channel, with ? update : null, with ? Sign(by.Other(), update) : default, null, default));
            if (refusal != Refusal.None) return;

            // The window begins with the block, which came after we looked at the time.
            uint closesAt = (await bench.PotsAsync(channel)).ClosesAtSeconds;
            Assert.InRange(closesAt, next.ClosesAtSeconds, next.ClosesAtSeconds + 60);
            next = next with { ClosesAtSeconds = closesAt };
            _pots = with ? next.Present(by.Other(), sent, received) : next;
        }

        private Refusal Refuses(UInt128 sent, UInt128 received) =>
            _oneWay ? Refusal.OneWayChannel
            : sent > Amounts.Max || received > Amounts.Max ? Refusal.AmountTooLarge
            : Refusal.None;

        private async Task DisputeAsync(Side payer, (UInt128 Sent, UInt128 Received) totals)
        {
            BalanceUpdate update = new(channel.Id, totals.Sent, totals.Received);
            Refusal refusal = _pots.Dispute(_oneWay, payer, totals.Sent, totals.Received, _now, out Pots next);
            await BothAsync(
                $"dispute with {payer}'s {update}", refusal,
                By(payer.Other()).DisputeAsync(channel, update, Sign(payer, update), null, default));
            _pots = next;
        }

        private async Task SettleAsync()
        {
            Pots before = _pots;
            Refusal refusal = _pots.Settle(_now, out Pots next);
            await BothAsync("settle", refusal, bench.Alice.SettleAsync(channel, null, default));
            _pots = next;
            if (refusal == Refusal.None) Paid(before.PotA, before.PotB);
        }

        private async Task CloseAsync(UInt128 sentA, UInt128 sentB)
        {
            if (_oneWay && random.Next(4) > 0) sentB = 0;
            var close = new CooperativeClose(channel.Id, sentA, sentB, _now + 600);
            Refusal refusal = _pots.Close(_oneWay, sentA, sentB, out Pots next, out UInt128 paidA, out UInt128 paidB);
            await BothAsync(
                $"close {close}", refusal,
                bench.Bob.CloseAsync(
                    channel, close, bench.AliceSigns.Sign(close), bench.BobSigns.Sign(close), null, default));
            _pots = next;
            Paid(paidA, paidB);
        }

        /// <summary>A bad row is skipped, and the call succeeds.</summary>
        private async Task ClaimAsync(UInt128 sent)
        {
            if (!_oneWay) return;
            Refusal refusal = _pots.Claim(sent, out Pots next, out UInt128 paid);
            Signature signature = bench.AliceSigns.Sign(new BalanceUpdate(channel.Id, sent, UInt128.Zero));
            await BothAsync(
                $"claim {sent}, which gives {refusal}", Refusal.None,
                bench.Bob.ClaimAsync([new ClaimRow(channel, sent, signature)], null, default));
            _pots = next;
            Paid(UInt128.Zero, paid);
        }

        private Signature Sign(Side side, BalanceUpdate update) =>
            side == Side.A ? bench.AliceSigns.Sign(update) : bench.BobSigns.Sign(update);

        private void Paid(UInt128 a, UInt128 b) => (PaidA, PaidB) = (PaidA + a, PaidB + b);

        private async Task BothAsync(string what, Refusal expected, Task call)
        {
            Refusal given = Refusal.None;
            try
            {
                await call;
            }
            catch (RefusalException refused)
            {
                given = refused.Refusal;
            }
            output.WriteLine($"{what}: {given} ({_pots})");
            Assert.Equal(expected, given);
        }
    }
}
