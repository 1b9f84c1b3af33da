using ChannelNode.Core;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A payer process killed with SIGKILL while an application pays by it as fast as it can.</summary>
[Collection(KillsCollection.Name)]
public sealed class KilledPayerTests(AnvilFixture anvil)
{
    private const int PaymentsPerKill = 10_000;
    private const int PaidBeforeKill = 4_000;

    [Fact]
    public async Task KilledUnderLoad_SignsNoTotalForTwoThings_AndPaysNoKeyTwice()
    {
        int kills = Kills.Share(8), count = (kills + 1) * PaymentsPerKill;
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        using PrivateKey key = PrivateKey.Generate();
        RecordingPayee payee = new();
        (RawPeer peer, Task answering) = await ConnectAsync(payer, chain, key, payee);
        string channel = await peer.HaveOpenedAsync(payer.Api, 3 * (ulong)count);
        ResumedPayments payments = new(channel, count);

        for (int kill = 0; kill < kills; kill++)
        {
            int before = payee.Payments;
            Task streaming = payments.StreamAsync(payer, pauseMs: 0, PaymentsPerKill);
            CancellationToken limit = TestChain.Limit;
            while (payee.Payments < before + PaidBeforeKill && !answering.IsCompleted && !streaming.IsCompleted) await Task.Delay(1, limit);
            payee.IsSilent = true;
            while (!payee.HasUnderWay && !answering.IsCompleted && !streaming.IsCompleted) await Task.Delay(1, limit);
            await payer.KillAsync();
            await streaming;
            await answering;
            await peer.DisposeAsync();
            await payer.StartAsync();
            payee.IsSilent = false;
            (peer, answering) = await ConnectAsync(payer, chain, key, payee);
            await payer.UntilAsync(channel, state => state.PeerConnected);
        }

        for (int stream = 0; stream < 3 && !payments.AllPaid; stream++) await payments.StreamAsync(payer, pauseMs: 0);
        Assert.True(payments.AllPaid);
        await payer.UntilAsync(channel, state => state.Sent == payee.Signed.ToString());
        await payer.KillAsync();
        await answering;
        await peer.DisposeAsync();
        CheckItems(payee, payments.Totals);
    }

    /// <summary>Every item once, at the total that the application was told, and nothing between them.</summary>
    private static void CheckItems(RecordingPayee payee, ulong[] totals)
    {
        Assert.Equal(totals.Length, payee.Payments);
        ulong before = 0;
        foreach ((ulong total, (ulong amount, _)) in payee.Items.OrderBy(item => item.Key))
        {
            Assert.Equal(before, total - amount);
            before = total;
        }

        for (int number = 0; number < totals.Length; number++)
        {
            Assert.Equal(
                (ResumedPayments.AmountOf(number), ResumedPayments.ItemOf(number)), payee.Items[totals[number]]);
        }

        Assert.True(payee.ToldAgain > 0, "nothing that was under way at a death was told again: the test shows nothing");
    }

    private static async Task<(RawPeer Peer, Task Answering)> ConnectAsync(
        NodeProcess payer, TestChain chain, PrivateKey key, RecordingPayee payee)
    {
        RawPeer peer = new(payer.PeerUrl, chain.ChainId, chain.Contract, key);
        await peer.JoinAsync(payer.Api);
        return (peer, payee.RunAsync(peer));
    }
}
