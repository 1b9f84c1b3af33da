using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// Everybody waits for the writer: however a peer mixes what is refused with wrong signatures, they are looked at on its own
/// session's time.
/// </summary>
public sealed class WriterSignatureTests : IAsyncLifetime
{
    private const int WrongOnes = 500;

    private readonly LedgerRig _rig = new(options => options with { WrongSignaturesPerSecondMax = 1_000_000 });

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private static Wire.Update Pays(UInt128 sent, params UInt128[] amounts) => Update(Side.B, sent, 0, amounts);

    private static Wire.Update[] Wrong => [.. Enumerable.Range(2, WrongOnes).Select(sent => Pays((UInt128)sent, 1).WronglySigned())];

    private async Task<(int ByWriter, OutgoingFrame Said)> HearAsync(params Wire.Update[] updates)
    {
        int before = 0;
        await _rig.WhileHeldAsync(async () =>
        {
            await _rig.Session.HearAsync(Of(updates));
            before = _rig.Scheme.Checked;
        });
        OutgoingFrame said = await _rig.SaidAsync();
        return (_rig.Scheme.Checked - before, said);
    }

    private Task UncreditAsync(UInt128 amount) => _rig.Ledger.RunAsync(
        turn =>
        {
            _rig.Slot.Working = _rig.Slot.Working with { UncreditedB = amount };
            turn.Touch(_rig.Slot, durable: false);
            return true;
        },
        CancellationToken.None);

    [Fact]
    public async Task WrongSignaturesBelowAnUncreditedUpdate_AreNotTheWriters_AndCostTheGoodOneNothing()
    {
        await UncreditAsync(400);

        (int byWriter, OutgoingFrame said) = await HearAsync([Pays(1, 1), .. Wrong, Pays(601, 100)]);

        Assert.Equal(0, byWriter);
        Assert.Equal((UInt128)1, said.Acknowledgements[0].Received);
        Assert.Equal(WrongOnes, said.Refusals.Count(refusal => refusal.Reason == Refusal.WrongSigner));
        Assert.Equal((UInt128)601, said.Refusals.Single(refusal => refusal.Reason != Refusal.WrongSigner).Sent);
    }

    [Fact]
    public async Task UncreditedUpdateThatFollowsGoodOnes_IsRefusedByThatName_AndCostsThemNothing()
    {
        await UncreditAsync(400);

        (int byWriter, OutgoingFrame said) = await HearAsync(Pays(100, 100), Pays(500, 400), Pays(601, 101));

        Assert.Equal(0, byWriter);
        Assert.Equal((UInt128)500, said.Acknowledgements[0].Received);
        Assert.Equal(((UInt128)601, Refusal.DepositUncredited), (said.Refusals[0].Sent, Assert.Single(said.Refusals).Reason));
    }

    [Fact]
    public async Task WrongSignaturesBelowALimit_CostTheWriterAFew()
    {
        PolicyRules rules = new() { Amounts = new Dictionary<Address, AmountRules> { [Address.Zero] = new() { SumPerMinuteMax = 600 } } };
        await _rig.Ledger.RunAsync(
            turn =>
            {
                _rig.Policies.Book.Put(turn, new PolicyFact.TierRules(PolicyBook.DefaultTier, rules));
                return true;
            },
            CancellationToken.None);

        (int byWriter, OutgoingFrame said) = await HearAsync([Pays(1, 1).WronglySigned(), .. Wrong, Pays(701, 200)]);

        Assert.InRange(byWriter, 1, 4);
        Assert.Equal(WrongOnes + 1, said.Refusals.Count(refusal => refusal.Reason == Refusal.WrongSigner));
        Assert.Equal((UInt128)701, said.Refusals.Single(refusal => refusal.Reason == Refusal.PolicyRefused).Sent);
    }

    [Fact]
    public async Task WhileTheChainIsAway_TheWriterChecksNothing()
    {
        await using LedgerRig silent = new(silenceMax: TimeSpan.Zero);
        Wire.Update[] all = [.. Enumerable.Range(1, 100).Select(sent => Pays((UInt128)sent, 1))];

        OutgoingFrame said = await silent.AnswerAsync(Of(all));

        Assert.Equal(1, silent.Scheme.Checked);
        Assert.Equal(100, said.Refusals.Count(refusal => refusal.Reason == Refusal.ChainUnavailable));
    }
}
