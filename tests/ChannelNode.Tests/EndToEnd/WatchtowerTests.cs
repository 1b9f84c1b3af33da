using ChannelNode.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A third key disputes for a node that is away, with nothing but what that node gave it before.</summary>
[Collection(AnvilCollection.Name)]
public sealed class WatchtowerTests(AnvilFixture anvil)
{
    [Fact]
    public async Task NodeThatIsAway_IsPaidByWhatItGaveToAnother()
    {
        await using TestChain tower = await TestChain.OpenAsync(anvil);
        await using TestNode cheat = await TestNode.StartAsync(tower);
        TestNode honest = await TestNode.StartAsync(tower);
        string id = await cheat.OpenAsync(honest, "1000");
        await cheat.PayAsync(id, "400");
        ChannelNode.Engine.ChannelSlot slot = SlotOf(honest, id);
        (BalanceUpdate Update, Signature Signature, Signature Consent)? given = honest.Host.Node.Operations.ForWatchtower(slot);
        Channel channel = slot.Channel;
        await honest.StopAsync();

        using (var closing = cheat.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id }))
            while (await closing.ResponseStream.MoveNext(TestChain.Limit)) { }
        Assert.NotNull(given);
        await tower.DisputeForAsync(channel, given.Value.Update, given.Value.Signature, given.Value.Consent);

        Wire.Channel seen = await cheat.UntilAsync(id, it => it.TheirPot == "400");
        Assert.Equal(("600", "400"), (seen.OurPot, seen.OurRecordedSent));
    }

    [Fact]
    public async Task NodeThatWasNeverPaid_HasNothingToGive()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode payer = await TestNode.StartAsync(chain);
        await using TestNode payee = await TestNode.StartAsync(chain);
        string id = await payer.OpenAsync(payee, "1000");

        Assert.Null(payee.Host.Node.Operations.ForWatchtower(SlotOf(payee, id)));
    }

    private static ChannelNode.Engine.ChannelSlot SlotOf(TestNode node, string id)
    {
        Assert.True(ChannelId.TryParse(id, out ChannelId channel));
        return node.Host.Node.Book.Get(channel);
    }
}
