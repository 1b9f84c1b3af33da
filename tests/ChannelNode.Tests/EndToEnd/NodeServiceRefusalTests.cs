using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Bad input of each call of NodeService gets its named refusal, and nothing is paid.</summary>
[Collection(AnvilCollection.Name)]
public sealed class NodeServiceRefusalTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const string Unknown = "0x00000000000000000000000000000000000000000000000000000000000000ff";
    private const string AboveMax = "5192296858534827628530496329220096"; // 2^112
    private const string AboveUInt128 = "340282366920938463463374607431768211456";

    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;
    private string _duplex = string.Empty;
    private string _oneWay = string.Empty;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _alice = await TestNode.StartAsync(_chain);
        _bob = await TestNode.StartAsync(_chain);
        _duplex = await _alice.OpenAsync(_bob, "1000");
        _oneWay = await _alice.OpenAsync(_bob, "1000", oneWay: true);
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private static async Task DrainAsync<T>(AsyncServerStreamingCall<T> call)
    {
        using (call)
        {
            while (await call.ResponseStream.MoveNext(TestChain.Limit))
            {
                // Only its end matters.
            }
        }
    }

    public static TheoryData<string, string, StatusCode, string, string> BadPayments => new()
    {
        { "", "1", StatusCode.InvalidArgument, "INVALID_ARGUMENT", "channel_id" },
        { "0x1234", "1", StatusCode.InvalidArgument, "INVALID_ARGUMENT", "channel_id" },
        { Unknown, "1", StatusCode.NotFound, "UNKNOWN_CHANNEL", "channel_id" },
        { "duplex", "", StatusCode.InvalidArgument, "INVALID_ARGUMENT", "amount" },
        { "duplex", "-1", StatusCode.InvalidArgument, "INVALID_ARGUMENT", "amount" },
        { "duplex", "1.5", StatusCode.InvalidArgument, "INVALID_ARGUMENT", "amount" },
        { "duplex", "0", StatusCode.InvalidArgument, "ZERO_AMOUNT", "amount" },
        { "duplex", AboveMax, StatusCode.InvalidArgument, "AMOUNT_TOO_LARGE", "amount" },
        { "duplex", AboveUInt128, StatusCode.InvalidArgument, "AMOUNT_TOO_LARGE", "amount" },
        { "duplex", "1001", StatusCode.FailedPrecondition, "INSUFFICIENT_BALANCE", "amount" },
    };

    [Theory]
    [MemberData(nameof(BadPayments))]
    public async Task Pay_RefusesByName(string channel, string amount, StatusCode code, string reason, string field)
    {
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(channel == "duplex" ? _duplex : channel, amount), code, reason, field);

        Assert.Equal("0", (await _alice.ChannelAsync(_duplex)).Sent);
    }

    [Fact]
    public async Task Pay_WithTooLongItemOrKey_IsRefused()
    {
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(_duplex, "1", item: new string('i', 65)),
            StatusCode.InvalidArgument, "ITEM_ID_TOO_LONG", "item_id");
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(_duplex, "1", key: new string('é', 33)),
            StatusCode.InvalidArgument, "IDEMPOTENCY_KEY_TOO_LONG", "idempotency_key");

        await _alice.PayAsync(_duplex, "1", key: new string('é', 32), item: new string('i', 64));
    }

    [Fact]
    public async Task Pay_FromSideBOfAOneWayChannel_IsRefused() => await Refusals.AssertRefusedAsync(
        () => _bob.PayAsync(_oneWay, "1"), StatusCode.FailedPrecondition, "ONE_WAY_CHANNEL");

    [Fact]
    public async Task Pay_WithAKeyUsedForSomethingElse_IsRefused()
    {
        await _alice.PayAsync(_duplex, "5", key: "k", item: "a");

        foreach ((string channel, string amount, string item) in new[]
        {
            (_duplex, "6", "a"), (_duplex, "5", "b"), (_oneWay, "5", "a"),
        })
        {
            await Refusals.AssertRefusedAsync(
                () => _alice.PayAsync(channel, amount, key: "k", item: item),
                StatusCode.AlreadyExists, "IDEMPOTENCY_KEY_REUSED", "idempotency_key");
        }
    }

    [Fact]
    public async Task Pay_WhileThePeerIsAway_IsRefusedAndPaidLaterUnderTheSameKey()
    {
        await _bob.StopAsync();
        await _alice.UntilAsync(_duplex, channel => !channel.PeerConnected);
        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(_duplex, "5", key: "later"), StatusCode.Unavailable, "PEER_OFFLINE");
        await _bob.StartAsync();
    }

    [Fact]
    public async Task StreamPayments_RefusesEachBadOneAndGoesOn()
    {
        using var call = _alice.Api.StreamPayments();
        Wire.StreamPaymentsRequest request = new()
        {
            Payments =
            {
                new Wire.Payment { ChannelId = _duplex, Amount = "1" },
                new Wire.Payment { ChannelId = Unknown, Amount = "1" },
                new Wire.Payment { ChannelId = "x", Amount = "1" },
                new Wire.Payment { ChannelId = _duplex, Amount = "0" },
                new Wire.Payment { ChannelId = _duplex, Amount = "1000" },
                new Wire.Payment { ChannelId = _duplex, Amount = "1", ItemId = ByteString.CopyFrom(new byte[65]) },
                new Wire.Payment { ChannelId = _duplex, Amount = "2" },
            },
        };

        UInt128 balance = UInt128.Parse((await _alice.ChannelAsync(_duplex)).OurBalance);
        await call.RequestStream.WriteAsync(request);
        await call.RequestStream.CompleteAsync();
        SortedDictionary<ulong, Wire.Refusal> results = [];
        SortedDictionary<ulong, string> messages = [];
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
        {
            foreach (Wire.PaymentResult result in call.ResponseStream.Current.Results)
            {
                results.Add(result.Index, result.Refusal);
                messages.Add(result.Index, result.Message);
            }
        }

        Assert.Equal(
            [
                Wire.Refusal.Unspecified, Wire.Refusal.UnknownChannel, Wire.Refusal.InvalidArgument,
                Wire.Refusal.ZeroAmount, Wire.Refusal.InsufficientBalance, Wire.Refusal.ItemIdTooLong,
                Wire.Refusal.Unspecified,
            ],
            results.Values);
        Assert.Equal(
            [
                "", $"channel_id {Unknown} is not known to this node", "channel_id is \"x\", expected 0x and 64 hex digits",
                "amount is 0, expected at least 1", $"amount is 1000 wei, expected at most {balance - 1} wei, the balance; a deposit adds to it ('channel deposit')",
                "item_id has 65 bytes, expected at most 64", "",
            ],
            messages.Values);
        Assert.Equal("3", (await _bob.ChannelAsync(_duplex)).Received);
    }

    [Fact]
    public async Task StreamPayments_WithAnEmptyRequest_EndsByName()
    {
        using var call = _alice.Api.StreamPayments();
        await call.RequestStream.SayAsync(new Wire.StreamPaymentsRequest());

        await Refusals.AssertRefusedAsync(
            () => call.ResponseStream.MoveNext(TestChain.Limit), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "payments");
    }

    public static TheoryData<string, Wire.OpenChannelRequest, StatusCode, string, string> BadOpenings => new()
    {
        { "no peer", new() { Amount = "1" }, StatusCode.NotFound, "UNKNOWN_PEER", "peer_url" },
        { "no url", new() { Amount = "1", PeerUrl = "bob" }, StatusCode.InvalidArgument, "INVALID_ARGUMENT", "peer_url" },
        { "no node", new() { Amount = "1", PeerUrl = "http://127.0.0.1:1" }, StatusCode.Unavailable, "PEER_OFFLINE", "" },
        { "peer", new() { Amount = "1", Peer = "0x12" }, StatusCode.InvalidArgument, "INVALID_ARGUMENT", "peer" },
        { "zero", new() { Amount = "0", PeerUrl = "peer" }, StatusCode.InvalidArgument, "ZERO_AMOUNT", "amount" },
        { "max", new() { Amount = AboveMax, PeerUrl = "peer" }, StatusCode.InvalidArgument, "AMOUNT_TOO_LARGE", "amount" },
        { "token", new() { Amount = "1", Token = "0x", PeerUrl = "peer" }, StatusCode.InvalidArgument, "INVALID_ARGUMENT", "token" },
        { "salt", new() { Amount = "1", Salt = "0x01", PeerUrl = "peer" }, StatusCode.InvalidArgument, "INVALID_ARGUMENT", "salt" },
        {
            "window", new() { Amount = "1", DisputeWindowSeconds = 9, PeerUrl = "peer" },
            StatusCode.InvalidArgument, "DISPUTE_WINDOW_OUT_OF_RANGE", "dispute_window_seconds"
        },
        {
            "another peer", new() { Amount = "1", PeerUrl = "peer", Peer = "0x0000000000000000000000000000000000000001" },
            StatusCode.Unauthenticated, "WRONG_IDENTITY", ""
        },
        {
            "no funds", new() { Amount = "1000000000000000000000", PeerUrl = "peer" },
            StatusCode.FailedPrecondition, "INSUFFICIENT_FUNDS", ""
        },
    };

    [Theory]
    [MemberData(nameof(BadOpenings))]
    public async Task OpenChannel_RefusesByName(
        string what, Wire.OpenChannelRequest request, StatusCode code, string reason, string field)
    {
        Wire.OpenChannelRequest asked = request.Clone();
        if (asked.PeerUrl == "peer") asked.PeerUrl = _bob.PeerUrl;

        RpcException error = await Assert.ThrowsAsync<RpcException>(() => DrainAsync(_alice.Api.OpenChannel(asked)));

        Assert.True(error.StatusCode == code, $"{what}: {error.Status}");
        Refusals.AssertIs(error, code, reason, field.Length == 0 ? null : field);
    }

    [Fact]
    public async Task DepositChannel_RefusesByName()
    {
        await RefusedAsync(Unknown, "1", StatusCode.NotFound, "UNKNOWN_CHANNEL", _alice);
        await RefusedAsync(_duplex, "0", StatusCode.InvalidArgument, "ZERO_AMOUNT", _alice);
        await RefusedAsync(_duplex, AboveMax, StatusCode.InvalidArgument, "AMOUNT_TOO_LARGE", _alice);
        await RefusedAsync(
            _duplex, "5192296858534827628530496329220095", StatusCode.InvalidArgument, "AMOUNT_TOO_LARGE", _alice);
        await RefusedAsync(_oneWay, "1", StatusCode.FailedPrecondition, "ONE_WAY_CHANNEL", _bob);

        static Task RefusedAsync(string id, string amount, StatusCode code, string reason, TestNode node) =>
            Refusals.AssertRefusedAsync(
                () => DrainAsync(node.Api.DepositChannel(
                    new Wire.DepositChannelRequest { ChannelId = id, Amount = amount })),
                code,
                reason);
    }

    [Fact]
    public async Task CallsOfOneChannel_RefuseUnknownAndMalformedIds()
    {
        (string Id, StatusCode Code, string Reason)[] bad =
        [
            (Unknown, StatusCode.NotFound, "UNKNOWN_CHANNEL"),
            ("zz", StatusCode.InvalidArgument, "INVALID_ARGUMENT"),
            (Unknown[2..], StatusCode.InvalidArgument, "INVALID_ARGUMENT"),
        ];
        foreach ((string id, StatusCode code, string reason) in bad)
        {
            Func<Task>[] calls =
            [
                async () => await _alice.Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = id }),
                () => DrainAsync(_alice.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id })),
                () => DrainAsync(_alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id })),
                () => DrainAsync(_alice.Api.SettleChannel(new Wire.SettleChannelRequest { ChannelId = id })),
                () => DrainAsync(_alice.Api.ClaimChannels(new Wire.ClaimChannelsRequest { ChannelIds = { id } })),
                () => DrainAsync(_alice.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { ChannelId = id })),
            ];
            foreach (Func<Task> call in calls) await Refusals.AssertRefusedAsync(call, code, reason);
        }
    }

    [Fact]
    public async Task OtherCalls_RefuseByName()
    {
        await Refusals.AssertRefusedAsync(
            async () => await _alice.Api.ListChannelsAsync(
                new Wire.ListChannelsRequest { Status = (Wire.ChannelStatus)99 }),
            StatusCode.InvalidArgument, "INVALID_ARGUMENT", "status");
        await Refusals.AssertRefusedAsync(
            () => DrainAsync(_alice.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { AfterCursor = 1 })),
            StatusCode.OutOfRange, "CURSOR_UNKNOWN", "after_cursor");
        await Refusals.AssertRefusedAsync(
            () => DrainAsync(_alice.Api.SettleChannel(new Wire.SettleChannelRequest { ChannelId = _duplex })),
            StatusCode.FailedPrecondition, "NOT_CLOSING");
        await Refusals.AssertRefusedAsync(
            () => DrainAsync(_bob.Api.ClaimChannels(new Wire.ClaimChannelsRequest())),
            StatusCode.FailedPrecondition, "NOTHING_NEW");
        await Refusals.AssertRefusedAsync(
            () => DrainAsync(_bob.Api.ClaimChannels(new Wire.ClaimChannelsRequest { ChannelIds = { _duplex } })),
            StatusCode.FailedPrecondition, "ONE_WAY_CHANNEL");
        await Refusals.AssertRefusedAsync(
            () => DrainAsync(_alice.Api.ClaimChannels(new Wire.ClaimChannelsRequest { ChannelIds = { _oneWay } })),
            StatusCode.FailedPrecondition, "ONE_WAY_CHANNEL");
    }

    [Fact]
    public async Task ClosingChannel_RefusesPaymentsDepositsAndAnotherStart()
    {
        await DrainAsync(_alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = _duplex }));

        await Refusals.AssertRefusedAsync(
            () => _alice.PayAsync(_duplex, "1"), StatusCode.FailedPrecondition, "CHANNEL_CLOSING");
        await Refusals.AssertRefusedAsync(
            () => DrainAsync(_alice.Api.DepositChannel(
                new Wire.DepositChannelRequest { ChannelId = _duplex, Amount = "1" })),
            StatusCode.FailedPrecondition, "CHANNEL_CLOSING", "channel_id");
        await Refusals.AssertRefusedAsync(
            () => DrainAsync(_alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = _duplex })),
            StatusCode.FailedPrecondition, "CHANNEL_CLOSING");
        RpcException early = await Assert.ThrowsAsync<RpcException>(
            () => DrainAsync(_alice.Api.SettleChannel(new Wire.SettleChannelRequest { ChannelId = _duplex })));
        Refusals.AssertIs(early, StatusCode.FailedPrecondition, "WINDOW_OPEN", "channel_id");
        Assert.Matches("its dispute window ends at 2[0-9-]+ [0-9:]+ UTC [(][0-9]+[)], in [1-9][0-9]* s", early.Status.Detail);
    }
}
