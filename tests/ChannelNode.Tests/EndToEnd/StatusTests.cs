using ChannelNode.Cli;
using ChannelNode.Tests.Cli;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>status and top, of real nodes.</summary>
[Collection(DoorsCollection.Name)]
public sealed class StatusTests(AnvilFixture anvil)
{
    [Fact]
    public async Task Status_FollowsAChannelThroughPaymentsAndClosing()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode payer = await TestNode.StartAsync(chain);
        await using TestNode payee = await TestNode.StartAsync(chain);
        string id = await payer.OpenAsync(payee, "1000", oneWay: true);
        for (int index = 0; index < 4; index++) await payer.PayAsync(id, "10");

        Wire.GetStatusResponse paid = await StatusAsync(payee);
        Wire.ChannelTotals open = Assert.Single(paid.Channels);
        Assert.Equal((Wire.ChannelStatus.Open, 1UL, "40", "960", "40"), (open.Status, open.Count, open.OurBalance, open.TheirBalance, open.AtRisk));
        Assert.Equal((4UL, 4UL, 0UL), (paid.Counts.UpdatesAccepted, paid.Counts.PaymentsReceived, paid.Counts.PaymentsPaid));
        Assert.Empty(paid.Deadlines);
        Assert.True(paid.Chain.Current);
        Assert.Equal(paid.Chain.HeadNumber, paid.Chain.BlockNumber);
        Assert.Equal((1U, 1U), (paid.PeersConnected, (await StatusAsync(payer)).PeersConnected));

        CliRun top = await CliRun.AsyncOf("top", "--every-ms", "100", "--count", "1", "--node", payer.Host.ApiUrl);
        Assert.Equal(ExitCode.Done, top.ExitCode);
        CliRun screen = await CliRun.AsyncOf("status", "--node", payer.Host.ApiUrl);
        Assert.Contains("sent 4, under way 0, refused 0", screen.Output);

        using (var call = payer.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id }))
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
        await payee.UntilAsync(id, channel => channel.TheirRecordedSent == "40"); // The guardian has claimed.

        Wire.GetStatusResponse closing = await StatusAsync(payee);
        for (int look = 0; look < 1_200 && closing.Channels[0].AtRisk != "0"; look++) // A slow machine adds up seldom.
        {
            await Task.Delay(50);
            closing = await StatusAsync(payee);
        }

        Assert.Equal((Wire.ChannelStatus.Closing, "0"), (closing.Channels[0].Status, closing.Channels[0].AtRisk));
        Wire.Deadline window = Assert.Single(closing.Deadlines, deadline => deadline.Kind == Wire.DeadlineKind.Window);
        Assert.Equal(id, window.ChannelId);
        Assert.InRange(window.SecondsLeft, 1UL, 600UL);
        Assert.Equal(1U, closing.Alarms.Warnings);
        Assert.Contains(closing.Alarms.Newest, what => what.Kind == Wire.EventKind.ChannelClosing);
        Assert.True(UInt128.Parse(closing.Gas.ProtectiveLeftWei) < UInt128.Parse(closing.Gas.ProtectiveLimitWei));
        Assert.InRange(closing.Disk.StoreBytes, 1_000UL, 1UL << 30);
    }

    private static async Task<Wire.GetStatusResponse> StatusAsync(TestNode node) =>
        await node.Api.GetStatusAsync(new Wire.GetStatusRequest());
}
