using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Signing;
using ChannelNode.Tests.Telemetry;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Two whole nodes whose keys are with signers elsewhere: all that they sign, and what a signer's absence does.</summary>
[Collection(DoorsCollection.Name)]
public sealed class ExternalSignerNodeTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private TestSigner _aliceSigner = null!;
    private TestSigner _bobSigner = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _aliceSigner = await TestSigner.StartAsync();
        _bobSigner = await TestSigner.StartAsync();
        _alice = await StartAsync(_aliceSigner, metricsListen: "127.0.0.1:0"); // Hers alone: meters are the process's.
        _bob = await StartAsync(_bobSigner);
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
        await _aliceSigner.DisposeAsync();
        await _bobSigner.DisposeAsync();
    }

    private async Task<TestNode> StartAsync(TestSigner signer, string metricsListen = "")
    {
        await _chain.FundAsync(signer.Address);
        return await TestNode.StartAsync(
            _chain, options => options with { KeyFile = "none", SignerUrl = signer.Url, SignerTimeoutMs = 20_000, MetricsListen = metricsListen });
    }

    [Fact]
    public async Task ChannelsWholeLife_IsSignedElsewhere()
    {
        Assert.Equal((_aliceSigner.Address, _bobSigner.Address), (_alice.Signer, _bob.Signer));
        string id = await _alice.OpenAsync(_bob, "1000");

        await _alice.PayAsync(id, "300");
        await _bob.PayAsync(id, "100");
        await StartCloseAsync(_bob, id);

        await _chain.UntilAsync(Id(id), pots => pots.SentA == 300);
        Assert.Contains(_aliceSigner.Asked, data => data[0] == 2); // a transaction
        Assert.All(_aliceSigner.Asked, data => Assert.True(data[0] == 2 || (data[0] == 0x19 && data[1] is 0 or 1)));
        Assert.All(_bobSigner.Asked, data => Assert.NotEqual(Bytes32.Size, data.Length));
    }

    [Fact]
    public async Task PaymentsWhileTheSignerIsAway_WaitOrAreRefusedAndNothingIsLost()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(id, "100", key: "before");
        _aliceSigner.Fail(503);

        // The first finds out: it is on disk and waits. Those after it are refused, and nothing of them is.
        Task<Wire.PayResponse> waits = _alice.PayAsync(id, "10", key: "found out");
        await UntilMissedAsync(_aliceSigner);
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(id, "500", key: "refused"), StatusCode.Unavailable, "SIGNER_UNAVAILABLE");
        await Refusals.AssertRefusedAsync(() => CloseAsync(_alice, id), StatusCode.Unavailable, "SIGNER_UNAVAILABLE");
        Assert.True((await _alice.PayAsync(id, "100", key: "before")).Repeated);
        Assert.False(waits.IsCompleted);
        Assert.Equal("100", (await _bob.ChannelAsync(id)).Received);

        _aliceSigner.BeHonest();
        Assert.Equal("110", (await waits).TotalSent);
        Assert.Equal("610", (await PayWhenPossibleAsync(id, "500", "refused")).TotalSent);
        Assert.Equal("610", (await _bob.ChannelAsync(id)).Received);
    }

    [Fact]
    public async Task SignerThatGoesAwayAndComesBack_IsToldInEventsStatusAndMetrics()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        Assert.Equal(1, await SampleAsync("channelnode_signer_up"));
        _aliceSigner.Fail(503);

        Task<Wire.PayResponse> waits = _alice.PayAsync(id, "10");
        Wire.OperatorEvent lost = await UntilToldAsync(Wire.EventKind.SignerLost);
        Assert.Equal((Wire.EventSeverity.Alarm, Wire.Refusal.SignerUnavailable), (lost.Severity, lost.Reason));
        Assert.Contains($"the signer at {_aliceSigner.Url} does not sign: it answers 503", lost.Sentence);
        Wire.SignerStatus away = (await _alice.Api.GetStatusAsync(new Wire.GetStatusRequest { Brief = true })).ExternalSigner;
        Assert.Equal((_aliceSigner.Url, false, true), (away.Url, away.Reachable, away.HasAwayMs));
        Assert.StartsWith("it answers 503", away.Problem);
        Assert.InRange(away.Failed, 3UL, 1_000UL);
        await UntilAsync(async () => await SampleAsync("channelnode_signer_up") == 0); // A scrape is kept for a moment.
        await UntilAsync(async () => await SampleAsync("channelnode_signer_requests_total{outcome=\"failed\"}") >= 3);

        _aliceSigner.BeHonest();
        await waits;
        Wire.OperatorEvent back = await UntilToldAsync(Wire.EventKind.SignerBack);
        Assert.Equal(Wire.EventSeverity.Info, back.Severity);
        Assert.True(back.Cursor > lost.Cursor);
        Wire.SignerStatus there = (await _alice.Api.GetStatusAsync(new Wire.GetStatusRequest { Brief = true })).ExternalSigner;
        Assert.Equal((true, false, ""), (there.Reachable, there.HasAwayMs, there.Problem));
        await UntilAsync(async () => await SampleAsync("channelnode_signer_up") == 1);
        await UntilAsync(async () => await SampleAsync("channelnode_signer_request_duration_seconds_count") >= 3);
        using HttpClient http = new(new SocketsHttpHandler { UseProxy = false });
        string told = await http.GetStringAsync(_alice.Host.Exports.MetricsUrl!);
        Assert.NotEmpty(WatchedNames.OfASigner());
        Assert.All(WatchedNames.OfASigner(), name => Assert.Contains($"\n{name}", told));
    }

    private async Task<Wire.OperatorEvent> UntilToldAsync(Wire.EventKind kind)
    {
        using var call = _alice.Api.SubscribeEvents(new Wire.SubscribeEventsRequest { Kinds = { kind } });
        Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));
        return call.ResponseStream.Current.Events[0];
    }

    /// <summary>Whatever else its labels say.</summary>
    private async Task<double> SampleAsync(string sample)
    {
        using HttpClient http = new(new SocketsHttpHandler { UseProxy = false });
        string[] parts = sample.TrimEnd('}').Split('{');
        string line = (await http.GetStringAsync(_alice.Host.Exports.MetricsUrl!)).Split('\n')
            .Single(line => line.StartsWith(parts[0] + "{", StringComparison.Ordinal) && line.Contains(parts.ElementAtOrDefault(1) ?? "", StringComparison.Ordinal));
        return double.Parse(line[(line.LastIndexOf('}') + 2)..].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task SignerThatSignsWithAnotherKey_PaysNothing()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        using var other = ChannelNode.Signing.PrivateKey.Generate();
        _aliceSigner.Lie((data, _) => other.Sign(Keccak.Hash(data)).ToString());

        Task<Wire.PayResponse> waits = _alice.PayAsync(id, "10");
        await UntilMissedAsync(_aliceSigner);

        Assert.False(waits.IsCompleted);
        Assert.Equal("0", (await _bob.ChannelAsync(id)).Received);
        _aliceSigner.BeHonest();
        Assert.Equal("10", (await waits).TotalSent);
    }

    [Fact]
    public async Task TransactionWhileTheSignerIsAway_IsSentWhenItIsBack()
    {
        string id = await _alice.OpenAsync(_bob, "1000");
        _bobSigner.Fail(503);

        Task closing = StartCloseAsync(_bob, id);
        await UntilAsync(async () => (await _bob.Api.ListJobsAsync(new Wire.ListJobsRequest())).Jobs
            .Any(job => job.Problem == Wire.Refusal.SignerUnavailable));
        Assert.False(closing.IsCompleted);

        _bobSigner.BeHonest();
        await closing.WaitAsync(TestChain.Limit);
    }

    private static ChannelId Id(string id) => ChannelId.TryParse(id, out ChannelId parsed) ? parsed : throw new FormatException(id);

    /// <summary>Until the node knows that its signer is away: then it asks in a way of its own whether it is back.</summary>
    private static Task UntilMissedAsync(TestSigner signer)
    {
        int before = Probes();
        return UntilAsync(() => Task.FromResult(Probes() > before));

        int Probes() => signer.Asked.Count(data => data[0] == 0x19 && data[1] == 0);
    }

    private async Task<Wire.PayResponse> PayWhenPossibleAsync(string id, string amount, string key)
    {
        for (int look = 0; ; look++)
        {
            try
            {
                return await _alice.PayAsync(id, amount, key);
            }
            catch (RpcException refused) when (Refusals.NameOf(refused) == "SIGNER_UNAVAILABLE" && look < 100)
            {
                await Task.Delay(100);
            }
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> reached)
    {
        for (int look = 0; look < 600; look++)
        {
            if (await reached()) return;
            await Task.Delay(50);
        }

        throw new TimeoutException("never reached");
    }

    private static async Task CloseAsync(TestNode node, string id)
    {
        using var call = node.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id });
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
    }

    private static async Task StartCloseAsync(TestNode node, string id)
    {
        using var call = node.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id });
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
    }
}
