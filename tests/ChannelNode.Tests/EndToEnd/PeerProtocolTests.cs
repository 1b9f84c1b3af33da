using ChannelNode.Core;
using ChannelNode.Signing;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a peer may say wrongly, each with its named refusal, and what it costs nobody.</summary>
[Collection(AnvilCollection.Name)]
public sealed class PeerProtocolTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const ulong Deposit = 1_000;

    private TestChain _chain = null!;
    private TestNode _node = null!;
    private RawPeer _peer = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await TestNode.StartAsync(_chain);
        _peer = NewPeer();
    }

    public async Task DisposeAsync()
    {
        await _peer.DisposeAsync();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private RawPeer NewPeer() => new(_node.PeerUrl, _chain.ChainId, _chain.Contract, PrivateKey.Generate());

    private async Task<ChannelId> OpenAsync(bool oneWay = false, bool fund = true, uint windowSeconds = 600)
    {
        await _peer.ConnectAsync();
        ChannelTerms terms = await _peer.ProposeAsync(Terms(oneWay, windowSeconds));
        ChannelId id = _peer.Scheme.IdOf(terms);
        if (!fund) return id;
        await _chain.DepositAsync(new Channel(id, terms, Side.A), Side.A, Deposit);
        await _node.UntilAsync(id.ToString(), channel => channel.Status == Wire.ChannelStatus.Open);
        return id;
    }

    private ChannelTerms Terms(bool oneWay = false, uint windowSeconds = 600) =>
        new(_peer.Us, _peer.Them, Address.Zero, windowSeconds, oneWay, new Bytes32(1, 2, 3, (ulong)Random.Shared.NextInt64()));

    private static void AssertRefused(Wire.Frame answers, Wire.Refusal reason) =>
        Assert.Equal(reason, Assert.Single(answers.Refusals).Reason);

    [Fact]
    public async Task GoodUpdate_IsAcknowledgedAndJournalled()
    {
        ChannelId id = await OpenAsync();

        Wire.Frame answers = await _peer.ExchangeAsync(_peer.Update(id, 30, 0, 10, 20));

        Assert.Equal(RawPeer.Bytes(30), Assert.Single(answers.Acknowledgements).Received);
        Assert.Equal(2ul, (await _node.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor);
    }

    [Fact]
    public async Task RepeatedUpdate_IsAcknowledgedAgainAndCountsOnce()
    {
        ChannelId id = await OpenAsync();
        Wire.Update update = _peer.Update(id, 30, 0, 30);

        await _peer.ExchangeAsync(update);
        Wire.Frame answers = await _peer.ExchangeAsync(update);

        Assert.Equal(RawPeer.Bytes(30), Assert.Single(answers.Acknowledgements).Received);
        Assert.Equal(1ul, (await _node.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor);
    }

    public static TheoryData<string, ulong, ulong, ulong[], Wire.Refusal> BadUpdates => new()
    {
        { "stale sent", 40, 0, [], Wire.Refusal.StaleSent },
        { "received what was never sent", 60, 1, [10], Wire.Refusal.ReceivedNotSent },
        { "overspend", Deposit + 1, 0, [Deposit + 1 - 50], Wire.Refusal.InsufficientBalance },
        { "payments below the step", 60, 0, [9], Wire.Refusal.PaymentsMismatch },
        { "payments above the step", 60, 0, [11], Wire.Refusal.PaymentsMismatch },
        { "no payments", 60, 0, [], Wire.Refusal.PaymentsMismatch },
        { "a payment of zero", 60, 0, [10, 0], Wire.Refusal.ZeroAmount },
    };

    [Theory]
    [MemberData(nameof(BadUpdates))]
    public async Task BadUpdate_IsRefusedByName(
        string what, ulong sent, ulong received, ulong[] amounts, Wire.Refusal reason)
    {
        ChannelId id = await OpenAsync();
        await _peer.ExchangeAsync(_peer.Update(id, 50, 0, 50));

        Wire.Frame answers = await _peer.ExchangeAsync(
            _peer.Update(id, sent, received, [.. amounts.Select(amount => (UInt128)amount)]));

        Assert.True(answers.Refusals.Count == 1, what);
        AssertRefused(answers, reason);
        Assert.Equal("50", (await _node.ChannelAsync(id.ToString())).Received);
    }

    [Fact]
    public async Task AmountsThatWrapAround_AreRefused()
    {
        ChannelId id = await OpenAsync();
        UInt128 wrapping = UInt128.MaxValue - 9; // With 20 it would add up to 10.

        AssertRefused(await _peer.ExchangeAsync(_peer.Update(id, 10, 0, wrapping, 20)), Wire.Refusal.AmountTooLarge);
        AssertRefused(await _peer.ExchangeAsync(_peer.Update(id, Amounts.Max + 1, 0, 1)), Wire.Refusal.AmountTooLarge);
    }

    [Fact]
    public async Task UpdateByAnotherSigner_IsRefused()
    {
        ChannelId id = await OpenAsync();
        await using RawPeer other = NewPeer();

        Wire.Update forged = other.Update(id, 10, 0, 10);

        AssertRefused(await _peer.ExchangeAsync(forged), Wire.Refusal.WrongSigner);
    }

    [Fact]
    public async Task UpdateOfSomeoneElsesChannel_IsUnknown()
    {
        ChannelId id = await OpenAsync();
        await using RawPeer other = NewPeer();
        await other.ConnectAsync();

        AssertRefused(await other.ExchangeAsync(_peer.Update(id, 10, 0, 10)), Wire.Refusal.UnknownChannel);
        AssertRefused(await _peer.ExchangeAsync(_peer.Update(default, 10, 0, 10)), Wire.Refusal.UnknownChannel);
    }

    [Fact]
    public async Task UpdateBeforeTheDeposit_IsRefused()
    {
        ChannelId id = await OpenAsync(fund: false);

        AssertRefused(await _peer.ExchangeAsync(_peer.Update(id, 10, 0, 10)), Wire.Refusal.DepositUnconfirmed);
    }

    [Fact]
    public async Task ReceivedInOneWayChannel_IsRefused()
    {
        ChannelId id = await OpenAsync(oneWay: true);

        AssertRefused(await _peer.ExchangeAsync(_peer.Update(id, 10, 1, 10)), Wire.Refusal.OneWayChannel);
    }

    [Fact]
    public async Task OldReceived_IsRefusedAsStale()
    {
        ChannelId id = await OpenAsync();
        await _peer.ExchangeAsync(_peer.Update(id, 50, 0, 50));
        // The node pays 20 of what it got; the raw peer acknowledges it within its next update.
        Task<Wire.PayResponse> paying = _node.PayAsync(id.ToString(), "20");
        while ((await _peer.HearAsync()).Frame?.Updates.Count is null or 0)
        {
            // Until the node's update is here.
        }

        await _peer.ExchangeAsync(_peer.Update(id, 60, 20, 10));
        await paying;

        AssertRefused(await _peer.ExchangeAsync(_peer.Update(id, 70, 19, 10)), Wire.Refusal.StaleReceived);
    }

    [Fact]
    public async Task BadUpdatesInAFrame_CostNoGoodOne()
    {
        ChannelId id = await OpenAsync();
        await using RawPeer other = NewPeer();

        Wire.Frame answers = await _peer.ExchangeAsync(
            other.Update(id, 5, 0, 5),
            _peer.Update(id, 10, 0, 10),
            _peer.Update(id, 20, 0, 9),
            _peer.Update(id, 30, 0, 20));
        await _node.UntilAsync(id.ToString(), channel => channel.Received == "30");
        while (answers.Refusals.Count < 2) answers.MergeFrom((await _peer.HearAsync()).Frame);

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
    [InlineData("amount", 8)]
    public async Task MalformedUpdate_EndsTheSessionNamingTheField(string field, int length)
    {
        ChannelId id = await OpenAsync();
        var wrong = Google.Protobuf.ByteString.CopyFrom(new byte[length]);
        Wire.Update update = _peer.Update(id, 10, 0, 10);
        switch (field)
        {
            case "channel_id": update.ChannelId = wrong; break;
            case "sent": update.Sent = wrong; break;
            case "received": update.Received = wrong; break;
            case "signature": update.Signature = wrong; break;
            default: update.Payments[0].Amount = wrong; break;
        }

        await _peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame { Updates = { update } } });
        RpcException error = await _peer.HearErrorAsync();

        Refusals.AssertIs(error, StatusCode.InvalidArgument, "INVALID_ARGUMENT", field);
        Assert.Contains($"{length} bytes", error.Status.Detail);
    }

    [Fact]
    public async Task EmptyMessage_EndsTheSession()
    {
        await _peer.ConnectAsync();

        await _peer.SayAsync(new Wire.PeerMessage());

        Refusals.AssertIs(await _peer.HearErrorAsync(), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "kind");
    }

    public static TheoryData<string, StatusCode> BadHellos => new()
    {
        { "WRONG_PROTOCOL_VERSION", StatusCode.FailedPrecondition },
        { "WRONG_CHAIN", StatusCode.FailedPrecondition },
        { "WRONG_CONTRACT", StatusCode.FailedPrecondition },
        { "WRONG_IDENTITY", StatusCode.Unauthenticated },
        { "INVALID_ARGUMENT", StatusCode.InvalidArgument },
    };

    [Theory]
    [MemberData(nameof(BadHellos))]
    public async Task BadHello_EndsTheSessionByName(string reason, StatusCode code)
    {
        Wire.Hello hello = _peer.Hello();
        switch (reason)
        {
            case "WRONG_PROTOCOL_VERSION": hello.ProtocolVersion = 2; break;
            case "WRONG_CHAIN": hello.ChainId++; break;
            case "WRONG_CONTRACT": hello.Contract = Google.Protobuf.ByteString.CopyFrom(new byte[20]); break;
            case "WRONG_IDENTITY": hello.Signer = Google.Protobuf.ByteString.CopyFrom(_node.Signer.ToArray()); break;
            default: hello.Nonce = Google.Protobuf.ByteString.CopyFrom(new byte[31]); break;
        }

        await _peer.SayAsync(new Wire.PeerMessage { Hello = hello });

        Refusals.AssertIs(await _peer.HearErrorAsync(), code, reason);
    }

    [Fact]
    public async Task ProofByAnotherKey_EndsTheSession()
    {
        using PrivateKey other = PrivateKey.Generate();
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => _peer.ConnectAsync(spoilProof: _ => other.Sign(new Bytes32(1, 2, 3, 4))));

        Refusals.AssertIs(error, StatusCode.Unauthenticated, "WRONG_IDENTITY", "signature");
    }

    /// <summary>Whoever relays a handshake must not be able to have itself paid out.</summary>
    [Fact]
    public async Task HelloThatNamesAnotherOwnerThanTheProof_EndsTheSession()
    {
        Wire.Hello hello = _peer.Hello();
        hello.Owner = Google.Protobuf.ByteString.CopyFrom(new Address(6, 6, 6).ToArray());

        await _peer.SayAsync(new Wire.PeerMessage { Hello = hello });
        await _peer.HearAsync();
        await _peer.ProveAsync();

        Refusals.AssertIs(await _peer.HearErrorAsync(), StatusCode.Unauthenticated, "WRONG_IDENTITY", "signature");
    }

    /// <summary>A node signs nothing for someone who only knocks.</summary>
    [Fact]
    public async Task CalledNode_ProvesItselfOnlyAfterTheCaller()
    {
        await _peer.SayAsync(new Wire.PeerMessage { Hello = _peer.Hello() });
        Assert.Equal(Wire.PeerMessage.KindOneofCase.Hello, (await _peer.HearAsync()).KindCase);

        await _peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame() });

        Refusals.AssertIs(await _peer.HearErrorAsync(), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "kind");
    }

    [Fact]
    public async Task ChannelsWaitingForTheirDeposit_AreLimited()
    {
        await _peer.ConnectAsync();
        for (int count = 0; count < 100; count++) await _peer.ProposeAsync(Terms());

        await _peer.SayAsync(new Wire.PeerMessage
        {
            ChannelProposal = new Wire.ChannelProposal { Terms = RawPeer.Write(Terms()) },
        });

        Assert.Equal(Wire.Refusal.TooManyChannels, (await _peer.HearAsync()).ChannelProposalReply.Refusal);
    }

    [Fact]
    public async Task RefusalOfWhatWasNeverSent_StopsNoPayment()
    {
        ChannelId id = await OpenAsync();
        await _peer.ExchangeAsync(_peer.Update(id, 50, 0, 50));

        await _peer.SayAsync(new Wire.PeerMessage
        {
            Frame = new Wire.Frame
            {
                Refusals =
                {
                    new Wire.UpdateRefusal { ChannelId = Id(id), Sent = RawPeer.Bytes(1), Reason = Wire.Refusal.StaleSent },
                },
            },
        });
        await _peer.ExchangeAsync(_peer.Update(id, 51, 0, 1)); // The refusal is taken when this is answered.
        Task<Wire.PayResponse> paying = _node.PayAsync(id.ToString(), "20");
        while ((await _peer.HearAsync()).Frame?.Updates.Count is null or 0)
        {
            // Until the node's update is here.
        }

        await _peer.ExchangeAsync(_peer.Update(id, 52, 20, 1));
        Assert.Equal("20", (await paying).TotalSent);
    }

    [Fact]
    public async Task PeerThatKnowsMoreThanWasSigned_StopsPaymentsOnlyUntilAnHonestSession()
    {
        ChannelId id = await OpenAsync();
        await _peer.ExchangeAsync(_peer.Update(id, 50, 0, 50));
        await _peer.DisposeAsync();
        await ReconnectAsync(id, claims: 999);
        await Refusals.AssertRefusedAsync(
            () => _node.PayAsync(id.ToString(), "20"), StatusCode.FailedPrecondition, "PEER_REFUSING");
        await _peer.DisposeAsync();

        await ReconnectAsync(id, claims: 0);
        Task<Wire.PayResponse> paying = _node.PayAsync(id.ToString(), "20");
        while ((await _peer.HearAsync()).Frame?.Updates.Count is null or 0)
        {
            // Until the node's update is here.
        }

        await _peer.ExchangeAsync(_peer.Update(id, 51, 20, 1));
        await paying;
    }

    /// <summary>The same key in a new session, saying that it has accepted so much of the node's payments.</summary>
    private async Task ReconnectAsync(ChannelId id, UInt128 claims)
    {
        await _node.UntilAsync(id.ToString(), channel => !channel.PeerConnected);
        _peer = new RawPeer(_node.PeerUrl, _chain.ChainId, _chain.Contract, _peer.Key);
        await _peer.ConnectAsync();
        await _peer.SayAsync(new Wire.PeerMessage
        {
            ChannelReestablish = new Wire.ChannelReestablish
            {
                ChannelId = Id(id),
                Sent = RawPeer.Bytes(50),
                Received = RawPeer.Bytes(claims),
            },
        });
        await _node.UntilAsync(id.ToString(), channel => channel.PeerConnected);
    }

    private static Google.Protobuf.ByteString Id(ChannelId id) =>
        Google.Protobuf.ByteString.CopyFrom(id.Value.ToArray());

    [Fact]
    public async Task ProposalsThatDoNotFit_AreRefusedByName()
    {
        await _peer.ConnectAsync();
        ChannelTerms good = Terms();
        (ChannelTerms Terms, Wire.Refusal Reason)[] cases =
        [
            (good with { B = good.B with { Owner = good.A.Owner } }, Wire.Refusal.NotOurTerms),
            (good with { A = good.A with { Signer = new Address(9, 9, 9) } }, Wire.Refusal.NotOurTerms),
            (good with { A = good.A with { Owner = Address.Zero } }, Wire.Refusal.ZeroOwner),
            (good with { A = good.A with { Signer = Address.Zero } }, Wire.Refusal.ZeroSigner),
            (good with { A = good.A with { Signer = good.B.Signer } }, Wire.Refusal.SameSigner),
            (good with { A = good.A with { Owner = _chain.Contract } }, Wire.Refusal.OwnerIsContract),
            (good with { Token = new Address(7, 7, 7) }, Wire.Refusal.TokenNotAccepted),
            (good with { DisputeWindowSeconds = 9 }, Wire.Refusal.DisputeWindowOutOfRange),
            (good with { DisputeWindowSeconds = 2_592_001 }, Wire.Refusal.DisputeWindowOutOfRange),
        ];

        foreach ((ChannelTerms terms, Wire.Refusal reason) in cases)
        {
            await _peer.SayAsync(new Wire.PeerMessage
            {
                ChannelProposal = new Wire.ChannelProposal { Terms = RawPeer.Write(terms) },
            });
            Assert.Equal(reason, (await _peer.HearAsync()).ChannelProposalReply.Refusal);
        }
    }
}
