using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Two node processes, one killed with SIGKILL in the middle of payments: nothing acknowledged is lost, nothing doubled.</summary>
[Collection(KillsCollection.Name)]
public sealed class KilledNodeTests(AnvilFixture anvil)
{
    private const int Count = 20_000;
    private const int PauseMs = 20; // So that the kill comes in the middle.

    private static async Task<List<Wire.ReceivedPayment>> JournalAsync(NodeProcess payee)
    {
        ulong last = (await payee.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor;
        using var call = payee.Api.SubscribePayments(new Wire.SubscribePaymentsRequest());
        List<Wire.ReceivedPayment> journal = [];
        while ((ulong)journal.Count < last && await call.ResponseStream.MoveNext(TestChain.Limit))
            journal.AddRange(call.ResponseStream.Current.Payments);
        return journal;
    }

    [Theory]
    [InlineData("the payee")]
    [InlineData("the payer")]
    public async Task KilledWhilePaying_LosesAndDoublesNothing(string who)
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        await using NodeProcess payee = await NodeProcess.StartAsync(chain);
        string channel = await payer.OpenAsync(payee, "1000000");
        NodeProcess victim = who == "the payee" ? payee : payer;
        ResumedPayments payments = new(channel, Count);

        for (int kill = 0; kill < Kills.Share(2); kill++)
        {
            string before = (await payee.UntilAsync(channel, _ => true)).Received;
            Task streaming = payments.StreamAsync(payer, PauseMs);
            await payee.UntilAsync(channel, state => state.Received != before);
            await victim.KillAsync();
            ulong[] acknowledged = payments.Totals;
            await victim.StartAsync();
            await streaming;
            await payer.UntilAsync(channel, state => state.PeerConnected && state.Sent == state.Acknowledged);

            HashSet<string> there = [.. (await JournalAsync(payee)).Select(payment => payment.ItemId.ToStringUtf8())];
            Assert.All(
                Enumerable.Range(0, Count).Where(number => acknowledged[number] != 0),
                number => Assert.Contains(ResumedPayments.ItemOf(number), there));
        }

        while (!payments.AllPaid) await payments.StreamAsync(payer, PauseMs);
        List<Wire.ReceivedPayment> journal = await JournalAsync(payee);
        Assert.Equal(Count, journal.Count);
        Assert.Equal(Count, journal.Select(payment => payment.ItemId).Distinct().Count());
        string total = Enumerable.Range(0, Count).Sum(number => (long)ResumedPayments.AmountOf(number)).ToString();
        Assert.Equal(total, (await payee.UntilAsync(channel, _ => true)).Received);
        Assert.Equal(total, (await payer.UntilAsync(channel, _ => true)).Sent);
    }
}
