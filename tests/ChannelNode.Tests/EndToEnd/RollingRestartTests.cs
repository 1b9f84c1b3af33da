using ChannelNode.Engine;
using ChannelNode.Tests.Storage;
using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A payee is restarted again and again while a peer's application pays through its own node.</summary>
[Collection(RestartsCollection.Name)]
public sealed class RollingRestartTests(AnvilFixture anvil)
{
    private const int PerRequest = 50;

    private int _asked;
    private int _answered;
    private volatile bool _enough;

    [Fact]
    public Task PeerRestartedUnderLoad_CostsNoPayment_AndTellsEachOnce() => PayWhileRestartedAsync(Kills.Share(3), _ => { });

    /// <summary>Each time its database is what the last program of an older schema would have left, and has to be brought up before it serves.</summary>
    [Fact]
    public async Task PeerUpgradedUnderLoad_CostsNoPayment_AndTellsEachOnce()
    {
        int upgrades = 0;
        IReadOnlyList<string> log = await PayWhileRestartedAsync(
            OlderSchemas.Length,
            folder => Assert.InRange(OlderRows.TakeDown(folder, OlderSchemas[upgrades++]), 1, int.MaxValue),
            PutRowsOfEveryKindAsync,
            payee => CheckRowsAsync(payee, OlderSchemas[upgrades - 1]));

        foreach (uint schema in OlderSchemas) Assert.Single(log, line => line.Contains($"was brought up from schema {schema}"));
    }

    /// <summary>Killed in the middle of what its application pays, upgraded, and asked again for whatever is not known to be paid.</summary>
    [Fact]
    public async Task PayerUpgradedUnderLoad_PaysEachKeyOnce()
    {
        const int perUpgrade = 3_000;
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        await using NodeProcess payee = await NodeProcess.StartAsync(chain);
        string channel = await payer.OpenAsync(payee, "1000000");
        await PutRowsOfEveryKindAsync(payer, channel);
        ResumedPayments payments = new(channel, (OlderSchemas.Length + 1) * perUpgrade);

        foreach (uint schema in OlderSchemas)
        {
            int before = payments.Totals.Count(total => total != 0);
            Task streaming = payments.StreamAsync(payer, pauseMs: 5, most: perUpgrade);
            CancellationToken limit = TestChain.Limit;
            while (payments.Totals.Count(total => total != 0) < before + (perUpgrade / 3) && !streaming.IsCompleted) await Task.Delay(5, limit);
            await payer.KillAsync();
            await streaming;
            Assert.InRange(OlderRows.TakeDown(payer.DataDirectory, schema), 1, int.MaxValue);
            await payer.StartAsync();
            Assert.Contains(payer.Log, line => line.Contains($"was brought up from schema {schema}"));
            await CheckRowsAsync(payer, schema);
            await payer.UntilAsync(channel, state => state.PeerConnected);
        }

        for (int stream = 0; stream < 3 && !payments.AllPaid; stream++) await payments.StreamAsync(payer, pauseMs: 0);
        Assert.True(payments.AllPaid, $"{payments.EndedBy}\n{payer.LogTail}");
        int[] items = [.. Enumerable.Range(0, payments.Totals.Length)];
        string all = items.Aggregate(0ul, (sum, number) => sum + ResumedPayments.AmountOf(number)).ToString();
        Assert.Equal(all, (await payee.UntilAsync(channel, state => state.Received == all)).Received);
        Assert.Equal(items.Select(ResumedPayments.ItemOf).Order(), (await ItemsAsync(payee)).Order());
    }

    /// <summary>Newest first: what is brought up from one is what the next one is made of.</summary>
    private static readonly uint[] OlderSchemas = [.. SchemaFixture.Versions.Select(SchemaFixture.SchemaOf).OrderDescending()];

    /// <summary>Beside channels, payments, blocks and events: an access token, a decision in the audit log, a job with its receipt.</summary>
    private static async Task PutRowsOfEveryKindAsync(NodeProcess node, string channel)
    {
        await node.Api.CreateAccessTokenAsync(new Wire.CreateAccessTokenRequest
        {
            Name = "shop",
            Scopes = { Wire.Scope.Pay, Wire.Scope.Channels },
            Caps = { new Wire.SpendingCap { PerDay = "100", DepositPerDay = "50" } },
        });
        Wire.Channel shown = (await node.Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = channel })).Channel;
        await node.Api.SetPeerTierAsync(new Wire.SetPeerTierRequest { Peer = shown.Peer, Tier = PolicyBook.DefaultTier, Comment = "met" });
        using var call = node.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = channel, Amount = "7", IdempotencyKey = "seven" });
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
    }

    /// <summary>They are there, but for those of which the schema knew nothing.</summary>
    private static async Task CheckRowsAsync(NodeProcess node, uint schema)
    {
        Wire.ListJobsResponse jobs = await node.Api.ListJobsAsync(new Wire.ListJobsRequest { All = true });
        Assert.Equal(Wire.JobStatus.Done, Assert.Single(jobs.Jobs, job => job.Purpose.EndsWith("/seven", StringComparison.Ordinal)).Status);
        Wire.ListAccessTokensResponse tokens = await node.Api.ListAccessTokensAsync(new Wire.ListAccessTokensRequest());
        using var call = node.Api.ReadPolicyAudit(new Wire.ReadPolicyAuditRequest());
        List<string> audit = [];
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) audit.AddRange(call.ResponseStream.Current.Entries.Select(entry => entry.Detail));
        Assert.Equal(schema == 5 ? [] : [("shop", "100")], tokens.AccessTokens.Select(token => (token.Name, token.Caps.Single().PerDay)));
        Assert.Equal(schema == 5 ? 0 : 1, audit.Count(detail => detail.Contains("met", StringComparison.Ordinal)));
    }

    private async Task<IReadOnlyList<string>> PayWhileRestartedAsync(
        int restarts, Action<string> whileAway, Func<NodeProcess, string, Task>? before = null, Func<NodeProcess, Task>? after = null)
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        await using NodeProcess payee = await NodeProcess.StartAsync(chain);
        string channel = await payer.OpenAsync(payee, "1000000");
        if (before is not null) await before(payee, channel);
        using var call = payer.Api.StreamPayments();
        Task asking = AskAsync(call.RequestStream, channel);
        Task<List<Wire.Refusal>> answers = ReadAsync(call.ResponseStream);

        for (int restart = 0; restart < restarts; restart++)
        {
            int answered = Volatile.Read(ref _answered);
            CancellationToken limit = TestChain.Limit;
            while (Volatile.Read(ref _answered) < answered + 500 && !answers.IsCompleted) await Task.Delay(5, limit);
            Assert.Equal(0, await payee.TerminateAsync());
            int away = Volatile.Read(ref _asked);
            while (Volatile.Read(ref _asked) < away + (5 * PerRequest) && !asking.IsCompleted) await Task.Delay(5, limit); // Asked while it is away.
            whileAway(payee.DataDirectory);
            await payee.StartAsync();
            if (after is not null) await after(payee);
        }

        _enough = true;
        await asking;
        Assert.Empty(await answers); // No payment was refused.
        Assert.Equal(_asked, _answered);
        Wire.Channel received = await payee.UntilAsync(channel, state => state.Received == _asked.ToString());
        Assert.Equal(_asked.ToString(), received.Received);
        Assert.Equal(Enumerable.Range(1, _asked).Select(number => $"{number}"), await ItemsAsync(payee));
        return [.. payee.Log];
    }

    [Fact]
    public async Task PeerThatSaidThatItComesBack_AndDoesNot_IsWaitedForSoLongAndNoLonger()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain, "--peer-restart-seconds", "3");
        await using NodeProcess payee = await NodeProcess.StartAsync(chain);
        string channel = await payer.OpenAsync(payee, "1000");
        await PayAsync(payer, channel, "one");
        await payee.TerminateAsync();
        await payer.UntilAsync(channel, it => !it.PeerConnected);

        RpcException waited = await Assert.ThrowsAsync<RpcException>(() => PayAsync(payer, channel, "two"));
        RpcException later = await Assert.ThrowsAsync<RpcException>(() => PayAsync(payer, channel, "three"));

        Assert.Equal("PEER_OFFLINE", ReasonOf(waited));
        Assert.Equal("PEER_OFFLINE", ReasonOf(later));
        Assert.Single(payer.Log, line => line.Contains(payee.PeerUrl, StringComparison.Ordinal) && line.Contains(" is away: ", StringComparison.Ordinal));
        Assert.DoesNotContain(payer.Log, line => line.Contains("trying again", StringComparison.Ordinal));
        Wire.Channel stands = (await payer.Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = channel })).Channel;
        Assert.Equal(("1", "1"), (stands.Sent, stands.Acknowledged)); // Nothing was signed for what waited.
    }

    private static Task PayAsync(NodeProcess payer, string channel, string key) => payer.Api.PayAsync(
        new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = channel, Amount = "1", IdempotencyKey = key } }).ResponseAsync;

    private static string ReasonOf(RpcException error) => error.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>()!.Reason;

    private async Task AskAsync(IClientStreamWriter<Wire.StreamPaymentsRequest> requests, string channel)
    {
        while (!_enough)
        {
            Wire.StreamPaymentsRequest request = new();
            for (int payment = 0; payment < PerRequest; payment++)
            {
                _asked++;
                request.Payments.Add(new Wire.Payment
                {
                    ChannelId = channel,
                    Amount = "1",
                    ItemId = ByteString.CopyFromUtf8($"{_asked}"),
                });
            }

            await requests.WriteAsync(request);
            await Task.Delay(20);
        }

        await requests.CompleteAsync();
    }

    private async Task<List<Wire.Refusal>> ReadAsync(IAsyncStreamReader<Wire.StreamPaymentsResponse> responses)
    {
        List<Wire.Refusal> refused = [];
        while (await responses.MoveNext(TestChain.Limit))
        {
            foreach (Wire.PaymentResult result in responses.Current.Results)
            {
                if (result.Refusal != Wire.Refusal.Unspecified) refused.Add(result.Refusal);
                Interlocked.Increment(ref _answered);
            }
        }

        return refused;
    }

    private static async Task<List<string>> ItemsAsync(NodeProcess payee)
    {
        using var call = payee.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { KeptOnly = true });
        List<string> items = [];
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
            items.AddRange(call.ResponseStream.Current.Payments.Select(payment => payment.ItemId.ToStringUtf8()));
        return items;
    }
}
