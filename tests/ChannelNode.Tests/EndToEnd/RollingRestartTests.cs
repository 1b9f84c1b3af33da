using System.Buffers.Binary;
using ChannelNode.Storage;
using Google.Protobuf;
using Grpc.Core;
using RocksDbSharp;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A payee is restarted again and again while a peer's application pays through its own node.</summary>
[Collection(AnvilCollection.Name)]
public sealed class RollingRestartTests(AnvilFixture anvil)
{
    private const int PerRequest = 50;

    private int _asked;
    private int _answered;
    private volatile bool _enough;

    [Fact]
    public Task PeerRestartedUnderLoad_CostsNoPayment_AndTellsEachOnce() => PayWhileRestartedAsync(Kills.Share(3), _ => { });

    /// <summary>Its program is a newer one each time, and has to bring its database up before it serves.</summary>
    [Fact]
    public async Task PeerUpgradedUnderLoad_CostsNoPayment_AndTellsEachOnce()
    {
        uint[] schemas = [IdentityRow.Schema - 1, StoreMigrations.Oldest];
        int upgrades = 0;
        IReadOnlyList<string> log = await PayWhileRestartedAsync(
            schemas.Length, folder => MarkOlder(folder, schemas[upgrades++]));

        foreach (uint schema in schemas) Assert.Single(log, line => line.Contains($"was brought up from schema {schema}"));
    }

    /// <summary>By its number only: the rows are of today, and a program that brings them up reads these as it reads older ones.</summary>
    private static void MarkOlder(string folder, uint schema)
    {
        using RocksDb database = StoreOpening.Open(folder, StoreSchema.DatabaseOptions()).Database;
        ColumnFamilyHandle meta = database.GetColumnFamily(StoreSchema.Meta);
        byte[] row = database.Get(IdentityRow.Key, meta)!;
        BinaryPrimitives.WriteUInt32BigEndian(row, schema);
        database.Put(IdentityRow.Key, row, meta);
    }

    private async Task<IReadOnlyList<string>> PayWhileRestartedAsync(int restarts, Action<string> whileAway)
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        await using NodeProcess payee = await NodeProcess.StartAsync(chain);
        string channel = await payer.OpenAsync(payee, "1000000");
        using var call = payer.Api.StreamPayments();
        Task asking = AskAsync(call.RequestStream, channel);
        Task<List<Wire.Refusal>> answers = ReadAsync(call.ResponseStream);

        for (int restart = 0; restart < restarts; restart++)
        {
            int before = Volatile.Read(ref _answered);
            CancellationToken limit = TestChain.Limit;
            while (Volatile.Read(ref _answered) < before + 500 && !answers.IsCompleted) await Task.Delay(5, limit);
            Assert.Equal(0, await payee.TerminateAsync());
            int away = Volatile.Read(ref _asked);
            while (Volatile.Read(ref _asked) < away + (5 * PerRequest) && !asking.IsCompleted) await Task.Delay(5, limit); // Asked while it is away.
            whileAway(payee.DataDirectory);
            await payee.StartAsync();
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
