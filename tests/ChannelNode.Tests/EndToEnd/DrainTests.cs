using ChannelNode.Signing;
using Grpc.Core;
using Grpc.Health.V1;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Nodes that are stopped by SIGTERM while they are paid, and pay, as fast as they can.</summary>
[Collection(RestartsCollection.Name)]
public sealed class DrainTests(AnvilFixture anvil)
{
    private const int Count = 30_000;

    [Fact]
    public async Task PayerTerminatedUnderLoad_AnswersAllThatItTook_AndPaysEachOnceInTheEnd()
    {
        int stops = Kills.Share(3);
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        using PrivateKey key = PrivateKey.Generate();
        RecordingPayee payee = new();
        (RawPeer peer, Task answering) = await ConnectAsync(payer, chain, key, payee);
        string channel = await peer.HaveOpenedAsync(payer.Api, 3 * Count);
        ResumedPayments payments = new(channel, Count);

        for (int stop = 0; stop < stops; stop++)
        {
            int before = payee.Payments;
            Task streaming = payments.StreamAsync(payer, pauseMs: 20);
            CancellationToken limit = TestChain.Limit;
            while (payee.Payments < before + 2_000 && !streaming.IsCompleted) await Task.Delay(1, limit);
            int exitCode = await payer.TerminateAsync();
            await streaming;
            await answering;
            await peer.DisposeAsync();

            Assert.Equal(0, exitCode);
            Assert.Equal("DRAINING", ReasonOf(payments.EndedBy));
            Assert.False(payee.HasUnderWay, "something was signed and not waited for");
            Assert.Equal(payee.Payments, payments.Totals.Count(total => total > 0));
            await payer.StartAsync();
            (peer, answering) = await ConnectAsync(payer, chain, key, payee);
            await payer.UntilAsync(channel, state => state.PeerConnected);
        }

        await payments.StreamAsync(payer, pauseMs: 0);
        Assert.True(payments.AllPaid);
        Assert.Equal((Count, 0), (payee.Payments, payee.ToldAgain));
        Assert.Equal(0, await payer.TerminateAsync());
        await answering;
        await peer.DisposeAsync();
    }

    [Fact]
    public async Task WhileSomethingIsUnderWay_ItIsNotServingAndRefusesWhatIsNew_AndASecondSignalEndsIt()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        using NotifySocket manager = new();
        await using NodeProcess payer = await NodeProcess.StartAsync(
            chain, manager.Variables(watchdog: TimeSpan.FromMilliseconds(600)), "--drain-seconds", "300");
        await manager.UntilToldAsync("READY=1", "WATCHDOG=1", "WATCHDOG=1");
        using PrivateKey key = PrivateKey.Generate();
        RecordingPayee payee = new();
        (RawPeer peer, Task answering) = await ConnectAsync(payer, chain, key, payee);
        string channel = await peer.HaveOpenedAsync(payer.Api, 3 * Count);
        Health.HealthClient health = new(payer.Channel);
        HealthCheckResponse serving = await health.CheckAsync(new HealthCheckRequest());
        using var events = payer.Api.SubscribeEvents(new Wire.SubscribeEventsRequest());
        Task<Exception> followed = Record.ExceptionAsync(() => events.ResponseStream.ReadAllAsync(TestChain.Limit).ToListAsync().AsTask())!;
        payee.IsSilent = true;
        Task<Exception> underWay = Record.ExceptionAsync(() => PayAsync(payer, channel))!;
        CancellationToken limit = TestChain.Limit;
        while (!payee.HasUnderWay && !underWay.IsCompleted) await Task.Delay(5, limit);

        payer.Terminate();
        await manager.UntilToldAsync("STOPPING=1");
        while (!(await payer.Api.GetInfoAsync(new Wire.GetInfoRequest())).Draining) await Task.Delay(20, limit);
        HealthCheckResponse stopping = await health.CheckAsync(new HealthCheckRequest());
        string refused = ReasonOf(await Record.ExceptionAsync(() => PayAsync(payer, channel)));
        Wire.Channel read = (await payer.Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = channel })).Channel;
        payer.Terminate();
        int exitCode = await payer.WhenEndedAsync();

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, serving.Status);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, stopping.Status);
        Assert.Equal(("DRAINING", 0, "1", "0"), (refused, exitCode, read.Sent, read.Acknowledged));
        Assert.Equal("DRAINING", ReasonOf(await followed));
        Assert.IsType<RpcException>(await underWay);
        await answering;
        await peer.DisposeAsync();
    }

    private static Task PayAsync(NodeProcess payer, string channel) => payer.Api.PayAsync(
        new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = channel, Amount = "1" } }).ResponseAsync;

    private static string ReasonOf(Exception? error) =>
        (error as RpcException)?.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>()?.Reason ?? $"{error}";

    private static async Task<(RawPeer Peer, Task Answering)> ConnectAsync(
        NodeProcess payer, TestChain chain, PrivateKey key, RecordingPayee payee)
    {
        RawPeer peer = new(payer.PeerUrl, chain.ChainId, chain.Contract, key);
        await peer.JoinAsync(payer.Api);
        return (peer, payee.RunAsync(peer));
    }
}
