using ChannelNode.Core;
using ChannelNode.Signing;
using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Who may have a session and open channels: everyone else is told why not.</summary>
public sealed class PeerHandshakeTests(AnvilFixture anvil) : PeerFixture(anvil)
{
    [Fact]
    public async Task EmptyMessage_EndsTheSession()
    {
        await Peer.ConnectAsync();

        await Peer.SayAsync(new Wire.PeerMessage());

        Refusals.AssertIs(await Peer.HearErrorAsync(), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "kind");
    }

    /// <summary>Two bytes each on the wire, a hundred in memory: refused before anything is made of them.</summary>
    [Fact]
    public async Task FrameOfEmptyParts_IsRefusedUnread()
    {
        Wire.Frame frame = new();
        for (int count = 0; count < 500_000; count++) frame.Updates.Add(new Wire.Update());

        await Peer.ConnectAsync();

        // Refused as soon as it is there, perhaps before the call knows that all of it has left.
        await Peer.SayBytesAsync(new Wire.ExchangeRequest { Message = new Wire.PeerMessage { Frame = frame } }.ToByteArray());

        Refusals.AssertIs(await Peer.HearErrorAsync(), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "channel_id");
    }

    [Fact]
    public async Task LongHello_IsRefusedUnread()
    {
        Wire.Hello hello = Peer.Hello();
        hello.Nonce = ByteString.CopyFrom(new byte[2_000]);

        await Peer.SayAsync(new Wire.PeerMessage { Hello = hello });

        Refusals.AssertIs(await Peer.HearErrorAsync(), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "kind");
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
        Wire.Hello hello = Peer.Hello();
        switch (reason)
        {
            case "WRONG_PROTOCOL_VERSION": hello.ProtocolVersion = 1; break;
            case "WRONG_CHAIN": hello.ChainId++; break;
            case "WRONG_CONTRACT": hello.Contract = ByteString.CopyFrom(new byte[20]); break;
            case "WRONG_IDENTITY": hello.Signer = ByteString.CopyFrom(Node.Signer.ToArray()); break;
            default: hello.Nonce = ByteString.CopyFrom(new byte[31]); break;
        }

        await Peer.SayAsync(new Wire.PeerMessage { Hello = hello });

        Refusals.AssertIs(await Peer.HearErrorAsync(), code, reason);
    }

    [Fact]
    public async Task ProofByAnotherKey_EndsTheSession()
    {
        using PrivateKey other = PrivateKey.Generate();
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => Peer.ConnectAsync(spoilProof: _ => other.Sign(new Bytes32(1, 2, 3, 4))));

        Refusals.AssertIs(error, StatusCode.Unauthenticated, "WRONG_IDENTITY", "signature");
    }

    /// <summary>Whoever relays a handshake must not be able to have itself paid out.</summary>
    [Fact]
    public async Task HelloThatNamesAnotherOwnerThanTheProof_EndsTheSession()
    {
        Wire.Hello hello = Peer.Hello();
        hello.Owner = ByteString.CopyFrom(new Address(6, 6, 6).ToArray());

        await Peer.SayAsync(new Wire.PeerMessage { Hello = hello });
        await Peer.HearAsync();
        await Peer.ProveAsync();

        Refusals.AssertIs(await Peer.HearErrorAsync(), StatusCode.Unauthenticated, "WRONG_IDENTITY", "signature");
    }

    /// <summary>A node signs nothing for someone who only knocks.</summary>
    [Fact]
    public async Task CalledNode_ProvesItselfOnlyAfterTheCaller()
    {
        await Peer.SayAsync(new Wire.PeerMessage { Hello = Peer.Hello() });
        Assert.Equal(Wire.PeerMessage.KindOneofCase.Hello, (await Peer.HearAsync()).KindCase);

        await Peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame() });

        Refusals.AssertIs(await Peer.HearErrorAsync(), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "kind");
    }

    [Fact]
    public async Task ChannelsWaitingForTheirDeposit_AreLimited()
    {
        await Peer.ConnectAsync();
        for (int count = 0; count < 100; count++) await Peer.ProposeAsync(Terms());

        await Peer.SayAsync(new Wire.PeerMessage
        {
            ChannelProposal = new Wire.ChannelProposal { Terms = RawPeer.Write(Terms()) },
        });

        Assert.Equal(Wire.Refusal.TooManyChannels, (await Peer.HearAsync()).ChannelProposalReply.Refusal);
    }

    [Fact]
    public async Task ChannelsOfAllPeers_AreLimited()
    {
        await using TestNode narrow = await TestNode.StartAsync(Chain, options => options with { ChannelsMax = 1 });
        await using RawPeer peer = new(narrow.PeerUrl, Chain.ChainId, Chain.Contract, PrivateKey.Generate());
        await peer.ConnectAsync();
        ChannelTerms terms = Terms() with { A = peer.Us, B = peer.Them };
        await peer.ProposeAsync(terms);

        await peer.SayAsync(new Wire.PeerMessage
        {
            ChannelProposal = new Wire.ChannelProposal { Terms = RawPeer.Write(terms with { Salt = new Bytes32(0, 0, 0, 9) }) },
        });

        Assert.Equal(Wire.Refusal.TooManyChannels, (await peer.HearAsync()).ChannelProposalReply.Refusal);
    }

    [Fact]
    public async Task OpenChannelsOfOnePeer_AreLimited_AndAnotherPeersAreNot()
    {
        await using TestNode narrow = await TestNode.StartAsync(Chain, options => options with { ChannelsPerPeerMax = 2 });
        await using RawPeer peer = new(narrow.PeerUrl, Chain.ChainId, Chain.Contract, PrivateKey.Generate());
        await peer.ConnectAsync();
        ChannelTerms terms = Terms() with { A = peer.Us, B = peer.Them };
        for (ulong salt = 1; salt <= 2; salt++) await peer.ProposeAsync(terms with { Salt = new Bytes32(0, 0, 0, salt) });
        Assert.True(narrow.Host.Node.Book.Open.HasFewerThan(2, peer.Us.Signer, 2)); // Looked through from now on.
        await narrow.Host.Node.Book.Open.WhenLookedAsync();

        await peer.SayAsync(new Wire.PeerMessage
        {
            ChannelProposal = new Wire.ChannelProposal { Terms = RawPeer.Write(terms with { Salt = new Bytes32(0, 0, 0, 9) }) },
        });
        Assert.Equal(Wire.Refusal.TooManyChannels, (await peer.HearAsync()).ChannelProposalReply.Refusal);

        await peer.ProposeAsync(terms with { Salt = new Bytes32(0, 0, 0, 1) }); // Known: it is answered as before.
        await using RawPeer other = new(narrow.PeerUrl, Chain.ChainId, Chain.Contract, PrivateKey.Generate());
        await other.ConnectAsync();
        await other.ProposeAsync(terms with { A = other.Us });
    }

    [Fact]
    public async Task SessionWhoseWrongSignaturesWouldWaitTooLong_EndsByName()
    {
        await using TestNode strict = await TestNode.StartAsync(Chain, options => options with { WrongSignaturesPerSecondMax = 1 });
        await using RawPeer peer = new(strict.PeerUrl, Chain.ChainId, Chain.Contract, PrivateKey.Generate());
        await peer.ConnectAsync();
        ChannelTerms terms = await peer.ProposeAsync(Terms() with { A = peer.Us, B = peer.Them });
        Wire.Frame frame = new();
        for (UInt128 sent = 10; sent <= 60; sent += 10) // None follows the one before: each is looked at.
        {
            Wire.Update update = peer.Update(peer.Scheme.IdOf(terms), sent, 0, 3);
            byte[] signature = update.Signature.ToByteArray();
            signature[7] ^= 1;
            update.Signature = Google.Protobuf.ByteString.CopyFrom(signature);
            frame.Updates.Add(update);
        }

        await peer.SayAsync(new Wire.PeerMessage { Frame = frame });

        Refusals.AssertIs(await peer.HearErrorAsync(), StatusCode.ResourceExhausted, "RATE_LIMITED", "wrong_signatures");
    }

    [Fact]
    public async Task ProposalsThatDoNotFit_AreRefusedByName()
    {
        await Peer.ConnectAsync();
        ChannelTerms good = Terms();
        (ChannelTerms Terms, Wire.Refusal Reason)[] cases =
        [
            (good with { B = good.B with { Owner = good.A.Owner } }, Wire.Refusal.NotOurTerms),
            (good with { A = good.A with { Signer = new Address(9, 9, 9) } }, Wire.Refusal.NotOurTerms),
            (good with { A = good.A with { Owner = Address.Zero } }, Wire.Refusal.ZeroOwner),
            (good with { A = good.A with { Signer = Address.Zero } }, Wire.Refusal.ZeroSigner),
            (good with { A = good.A with { Signer = good.B.Signer } }, Wire.Refusal.SameSigner),
            (good with { A = good.A with { Owner = Chain.Contract } }, Wire.Refusal.OwnerIsContract),
            (good with { Token = new Address(7, 7, 7) }, Wire.Refusal.TokenNotAccepted),
            (good with { DisputeWindowSeconds = 9 }, Wire.Refusal.DisputeWindowOutOfRange),
            (good with { DisputeWindowSeconds = 2_592_001 }, Wire.Refusal.DisputeWindowOutOfRange),
        ];

        foreach ((ChannelTerms terms, Wire.Refusal reason) in cases)
        {
            await Peer.SayAsync(new Wire.PeerMessage
            {
                ChannelProposal = new Wire.ChannelProposal { Terms = RawPeer.Write(terms) },
            });
            Assert.Equal(reason, (await Peer.HearAsync()).ChannelProposalReply.Refusal);
        }
    }
}
