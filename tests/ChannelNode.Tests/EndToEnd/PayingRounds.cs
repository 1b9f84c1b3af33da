using System.Diagnostics;
using System.Globalization;
using ChannelNode.Grpc;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A node that pays as quickly as it can, in a channel of its own, for a moment at a time. Each payment must be paid, and counted.</summary>
internal sealed class PayingRounds
{
    private const int Messages = 40;
    private const int PerMessage = PaymentStream.PaymentsPerRequestMax;
    private const string Deposit = "1000000000";

    private readonly NodeProcess _payer;
    private readonly TestNode _payee;
    private readonly string _channel;
    private readonly Wire.StreamPaymentsRequest _request = new();
    private long _paid;

    private PayingRounds(NodeProcess payer, TestNode payee, string channel)
    {
        (_payer, _payee, _channel) = (payer, payee, channel);
        for (int payment = 0; payment < PerMessage; payment++) _request.Payments.Add(new Wire.Payment { ChannelId = channel, Amount = "1" });
    }

    public static async Task<PayingRounds> OpenAsync(NodeProcess payer, TestNode payee)
    {
        string channel = await payer.OpenAsync(payee.PeerUrl, Deposit, oneWay: false);
        await payee.UntilAsync(channel, it => it.Status == Wire.ChannelStatus.Open);
        return new PayingRounds(payer, payee, channel);
    }

    /// <summary>Payments a second in the middle one of so many rounds, behind one in which the programs are still being compiled.</summary>
    public async Task<double> UsualAsync(int rounds)
    {
        await NextAsync();
        List<double> rates = [];
        while (rates.Count < rounds) rates.Add(await NextAsync());
        return rates.Order().ElementAt(rounds / 2);
    }

    /// <summary>The quickest round, in payments a second: the first that reaches <paramref name="enough"/>, or of all until the time is over.</summary>
    public async Task<double> BestAsync(double enough, TimeSpan limit)
    {
        long begunAt = Stopwatch.GetTimestamp();
        double best = 0;
        while (best < enough && Stopwatch.GetElapsedTime(begunAt) < limit) best = Math.Max(best, await NextAsync());
        return best;
    }

    private async Task<double> NextAsync()
    {
        long begunAt = Stopwatch.GetTimestamp();
        using var call = _payer.Api.StreamPayments(deadline: DateTime.UtcNow.AddSeconds(60));
        Task saying = Task.Run(async () =>
        {
            for (int message = 0; message < Messages; message++) await call.RequestStream.WriteAsync(_request);
            await call.RequestStream.CompleteAsync();
        });
        List<Wire.PaymentResult> results = [];
        await foreach (Wire.StreamPaymentsResponse response in call.ResponseStream.ReadAllAsync()) results.AddRange(response.Results);
        double seconds = Stopwatch.GetElapsedTime(begunAt).TotalSeconds;
        await saying;
        HashSet<ulong> paid = [];
        foreach (Wire.PaymentResult result in results)
            Assert.True(result.Refusal == Wire.Refusal.Unspecified && paid.Add(result.Index), $"{result}");
        Assert.Equal(Messages * PerMessage, paid.Count);
        _paid += paid.Count;
        Assert.Equal(_paid.ToString(CultureInfo.InvariantCulture), (await _payee.ChannelAsync(_channel)).Received);
        return paid.Count / seconds;
    }
}
