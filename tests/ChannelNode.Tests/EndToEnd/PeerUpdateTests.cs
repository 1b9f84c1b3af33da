using ChannelNode.Core;
using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a peer may say wrongly of a channel, each with its named refusal, and what it costs nobody.</summary>
public sealed class PeerUpdateTests(AnvilFixture anvil) : PeerFixture(anvil)
{
    private static void AssertRefused(Wire.Frame answers, Wire.Refusal reason) =>
        Assert.Equal(reason, Assert.Single(answers.Refusals).Reason);

    /// <summary>What the peer would sign at totals that this node goes on to change would be worth nothing.</summary>
    [Fact]
    public async Task WhileACloseIsAskedFor_NothingIsPaid_AndARefusalLiftsThat()
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 50, 0, 50));
        using var closing = Node.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id.ToString() });
        Wire.PeerMessage heard = await Peer.HearAsync();
        while (heard.KindCase != Wire.PeerMessage.KindOneofCase.CloseProposal) heard = await Peer.HearAsync();

        await Refusals.AssertRefusedAsync(
            () => Node.PayAsync(id.ToString(), "20"), StatusCode.FailedPrecondition, "CLOSE_AGREED");

        await Peer.SayAsync(new Wire.PeerMessage
        {
            CloseProposalReply = new Wire.CloseProposalReply
            {
                ChannelId = Bytes(id),
                DeadlineSeconds = heard.CloseProposal.DeadlineSeconds,
                Refusal = Wire.Refusal.PaymentsInFlight,
            },
        });
        await Refusals.AssertRefusedAsync(
            async () =>
            {
                while (await closing.ResponseStream.MoveNext(TestChain.Limit))
                {
                    // Only its end matters.
                }
            },
            StatusCode.FailedPrecondition,
            "PAYMENTS_IN_FLIGHT");
        Task<Wire.PayResponse> paying = Node.PayAsync(id.ToString(), "20");
        while ((await Peer.HearAsync()).Frame?.Updates.Count is null or 0)
        {
            // Until the node's update is here.
        }

        await Peer.ExchangeAsync(Peer.Update(id, 51, 20, 1));
        await paying;
    }

    [Fact]
    public async Task CloseByConsent_WhileThePeerRefusesAPayment_SaysWhyNotAndWhatElse()
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 50, 0, 50));
        _ = Node.PayAsync(id.ToString(), "20");
        while ((await Peer.HearAsync()).Frame?.Updates.Count is null or 0)
        {
            // Until the node's update is here.
        }

        Wire.UpdateRefusal refused = new() { ChannelId = Bytes(id), Sent = RawPeer.Bytes(20), Reason = Wire.Refusal.PolicyRefused };
        await Peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame { Refusals = { refused } } });
        await Node.UntilAsync(id.ToString(), it => it.PeerRefusal == Wire.Refusal.PolicyRefused);

        using var closing = Node.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id.ToString() });
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await closing.ResponseStream.MoveNext(TestChain.Limit))
            {
                // Only its end matters.
            }
        });

        Refusals.AssertIs(error, StatusCode.FailedPrecondition, "PAYMENTS_IN_FLIGHT");
        Assert.Contains("the peer refuses 20 wei", error.Status.Detail);
        Assert.Contains("start-close", error.Status.Detail);
    }

    [Fact]
    public async Task GoodUpdate_IsAcknowledgedAndJournalled()
    {
        ChannelId id = await OpenAsync();

        Wire.Frame answers = await Peer.ExchangeAsync(Peer.Update(id, 30, 0, 10, 20));

        Assert.Equal(RawPeer.Bytes(30), Assert.Single(answers.Acknowledgements).Received);
        Assert.Equal(2ul, (await Node.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor);
    }

    [Fact]
    public async Task RepeatedUpdate_IsAcknowledgedAgainAndCountsOnce()
    {
        ChannelId id = await OpenAsync();
        Wire.Update update = Peer.Update(id, 30, 0, 30);

        await Peer.ExchangeAsync(update);
        Wire.Frame answers = await Peer.ExchangeAsync(update);

        Assert.Equal(RawPeer.Bytes(30), Assert.Single(answers.Acknowledgements).Received);
        Assert.Equal(1ul, (await Node.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor);
    }

    public static TheoryData<string, ulong, ulong, ulong[], Wire.Refusal> BadUpdates => new()
    {
        { "stale sent", 40, 0, [], Wire.Refusal.StaleSent },
        { "received what was never sent", 60, 1, [10], Wire.Refusal.ReceivedNotSent },
        { "overspend", Deposit + 1, 0, [Deposit + 1 - 50], Wire.Refusal.InsufficientBalance },
        { "payments below the step", 60, 0, [9], Wire.Refusal.PaymentsMismatch },
        { "payments above the step", 60, 0, [11], Wire.Refusal.PaymentsMismatch },
        { "a payment of zero", 60, 0, [10, 0], Wire.Refusal.ZeroAmount },
    };

    [Theory]
    [MemberData(nameof(BadUpdates))]
    public async Task BadUpdate_IsRefusedByName(
        string what, ulong sent, ulong received, ulong[] amounts, Wire.Refusal reason)
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 50, 0, 50));

        Wire.Frame answers = await Peer.ExchangeAsync(
            Peer.Update(id, sent, received, [.. amounts.Select(amount => (UInt128)amount)]));

        Assert.True(answers.Refusals.Count == 1, what);
        AssertRefused(answers, reason);
        Assert.Equal("50", (await Node.ChannelAsync(id.ToString())).Received);
    }

    [Fact]
    public async Task UpdateWithoutAList_IsOnePaymentOfItsWholeStep()
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 10, 0, 3, 7));

        await Peer.ExchangeAsync(Peer.Update(id, 60, 0));

        using var call = Node.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { AfterCursor = 2 });
        Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));
        Wire.ReceivedPayment payment = Assert.Single(call.ResponseStream.Current.Payments);
        Assert.Equal((3ul, "50", "60", ""), (payment.Cursor, payment.Amount, payment.TotalReceived, payment.ItemId.ToStringUtf8()));
    }

    [Fact]
    public async Task AmountsThatWrapAround_AreRefused()
    {
        ChannelId id = await OpenAsync();
        UInt128 wrapping = UInt128.MaxValue - 9; // With 20 it would add up to 10.

        AssertRefused(await Peer.ExchangeAsync(Peer.Update(id, 10, 0, wrapping, 20)), Wire.Refusal.AmountTooLarge);
        AssertRefused(await Peer.ExchangeAsync(Peer.Update(id, Amounts.Max + 1, 0, 1)), Wire.Refusal.AmountTooLarge);
    }

    [Fact]
    public async Task UpdateByAnotherSigner_IsRefused()
    {
        ChannelId id = await OpenAsync();
        await using RawPeer other = NewPeer();

        Wire.Update forged = other.Update(id, 10, 0, 10);

        AssertRefused(await Peer.ExchangeAsync(forged), Wire.Refusal.WrongSigner);
    }

    [Fact]
    public async Task UpdateOfSomeoneElsesChannel_IsUnknown()
    {
        ChannelId id = await OpenAsync();
        await using RawPeer other = NewPeer();
        await other.ConnectAsync();

        AssertRefused(await other.ExchangeAsync(Peer.Update(id, 10, 0, 10)), Wire.Refusal.UnknownChannel);
        AssertRefused(await Peer.ExchangeAsync(Peer.Update(default, 10, 0, 10)), Wire.Refusal.UnknownChannel);
    }

    [Fact]
    public async Task UpdateBeforeTheDeposit_IsRefused()
    {
        ChannelId id = await OpenAsync(fund: false);

        AssertRefused(await Peer.ExchangeAsync(Peer.Update(id, 10, 0, 10)), Wire.Refusal.DepositUnconfirmed);
    }

    [Fact]
    public async Task ReceivedInOneWayChannel_IsRefused()
    {
        ChannelId id = await OpenAsync(oneWay: true);

        AssertRefused(await Peer.ExchangeAsync(Peer.Update(id, 10, 1, 10)), Wire.Refusal.OneWayChannel);
    }

    [Fact]
    public async Task OldReceived_IsRefusedAsStale()
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 50, 0, 50));
        // The node pays 20 of what it got; the raw peer acknowledges it within its next update.
        Task<Wire.PayResponse> paying = Node.PayAsync(id.ToString(), "20");
        while ((await Peer.HearAsync()).Frame?.Updates.Count is null or 0)
        {
            // Until the node's update is here.
        }

        await Peer.ExchangeAsync(Peer.Update(id, 60, 20, 10));
        await paying;

        AssertRefused(await Peer.ExchangeAsync(Peer.Update(id, 70, 19, 10)), Wire.Refusal.StaleReceived);
    }

    [Fact]
    public async Task BadUpdatesInAFrame_CostNoGoodOne()
    {
        ChannelId id = await OpenAsync();
        await using RawPeer other = NewPeer();

        Wire.Frame answers = await Peer.ExchangeAsync(
            other.Update(id, 5, 0, 5),
            Peer.Update(id, 10, 0, 10),
            Peer.Update(id, 20, 0, 9),
            Peer.Update(id, 30, 0, 20));
        await Node.UntilAsync(id.ToString(), channel => channel.Received == "30");
        while (answers.Refusals.Count < 2) answers.MergeFrom((await Peer.HearAsync()).Frame);

        Assert.Equal(
            [Wire.Refusal.WrongSigner, Wire.Refusal.PaymentsMismatch],
            answers.Refusals.Select(refusal => refusal.Reason));
    }

    [Theory]
    [InlineData("channel_id", 31)]
    [InlineData("channel_id", 0)]
    [InlineData("sent", 17)]
    [InlineData("received", 15)]
    [InlineData("signature", 64)]
    public async Task MalformedUpdate_EndsTheSessionNamingTheField(string field, int length)
    {
        ChannelId id = await OpenAsync();
        var wrong = ByteString.CopyFrom(new byte[length]);
        Wire.Update update = Peer.Update(id, 10, 0, 10);
        switch (field)
        {
            case "channel_id": update.ChannelId = wrong; break;
            case "sent": update.Sent = wrong; break;
            case "received": update.Received = wrong; break;
            default: update.Signature = wrong; break;
        }

        await Peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame { Updates = { update } } });
        RpcException error = await Peer.HearErrorAsync();

        Refusals.AssertIs(error, StatusCode.InvalidArgument, "INVALID_ARGUMENT", field);
        Assert.Contains($"{length} bytes", error.Status.Detail);
    }

    [Fact]
    public async Task RefusalOfWhatWasNeverSent_StopsNoPayment()
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 50, 0, 50));

        await Peer.SayAsync(new Wire.PeerMessage
        {
            Frame = new Wire.Frame
            {
                Refusals =
                {
                    new Wire.UpdateRefusal { ChannelId = Bytes(id), Sent = RawPeer.Bytes(1), Reason = Wire.Refusal.StaleSent },
                },
            },
        });
        await Peer.ExchangeAsync(Peer.Update(id, 51, 0, 1)); // The refusal is taken when this is answered.
        Task<Wire.PayResponse> paying = Node.PayAsync(id.ToString(), "20");
        while ((await Peer.HearAsync()).Frame?.Updates.Count is null or 0)
        {
            // Until the node's update is here.
        }

        await Peer.ExchangeAsync(Peer.Update(id, 52, 20, 1));
        Assert.Equal("20", (await paying).TotalSent);
    }

    [Fact]
    public async Task PeerThatKnowsMoreThanWasSigned_StopsPaymentsOnlyUntilAnHonestSession()
    {
        ChannelId id = await OpenAsync();
        await Peer.ExchangeAsync(Peer.Update(id, 50, 0, 50));
        await Peer.DisposeAsync();
        await ReconnectAsync(id, claims: 999);
        await Refusals.AssertRefusedAsync(
            () => Node.PayAsync(id.ToString(), "20"), StatusCode.FailedPrecondition, "STATE_LOST");
        Assert.Equal("999", (await Node.ChannelAsync(id.ToString())).PeerProves);
        await Peer.DisposeAsync();

        await ReconnectAsync(id, claims: 0);
        Task<Wire.PayResponse> paying = Node.PayAsync(id.ToString(), "20");
        while ((await Peer.HearAsync()).Frame?.Updates.Count is null or 0)
        {
            // Until the node's update is here.
        }

        await Peer.ExchangeAsync(Peer.Update(id, 51, 20, 1));
        await paying;
    }

    /// <summary>The same key in a new session, saying that it has accepted so much of the node's payments.</summary>
    private async Task ReconnectAsync(ChannelId id, UInt128 claims)
    {
        await Node.UntilAsync(id.ToString(), channel => !channel.PeerConnected);
        Peer = NewPeer(Peer.Key);
        await Peer.ConnectAsync();
        await Peer.SayAsync(new Wire.PeerMessage
        {
            ChannelReestablish = new Wire.ChannelReestablish
            {
                ChannelId = Bytes(id),
                Sent = RawPeer.Bytes(50),
                Received = RawPeer.Bytes(claims),
            },
        });
        await Node.UntilAsync(id.ToString(), channel => channel.PeerConnected);
    }
}
