using System.Buffers.Binary;
using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Signing;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// A peer that says on the wire exactly what a test wants, right or wrong: its own key, none of the node's checks.
/// </summary>
internal sealed class RawPeer : IAsyncDisposable
{
    private readonly GrpcChannel _channel;
    private static readonly Method<byte[], Wire.ExchangeResponse> Exchange = new(
        MethodType.DuplexStreaming, Wire.PeerService.Descriptor.FullName, "Exchange",
        new Marshaller<byte[]>(bytes => bytes, bytes => bytes),
        new Marshaller<Wire.ExchangeResponse>(message => message.ToByteArray(), bytes => Wire.ExchangeResponse.Parser.ParseFrom(bytes)));

    private readonly AsyncDuplexStreamingCall<byte[], Wire.ExchangeResponse> _call;
    private readonly Bytes32 _nonce = Bytes32.Read(RandomNumberGenerator.GetBytes(32));
    private Bytes32 _theirNonce;
    private readonly ulong _chainId;
    private readonly Address _contract;

    public RawPeer(string url, ulong chainId, Address contract, PrivateKey key, HttpMessageHandler? through = null)
    {
        (_chainId, _contract, Key) = (chainId, contract, key);
        Scheme = new SignatureScheme(key, chainId, contract);
        _channel = GrpcChannel.ForAddress(url, new GrpcChannelOptions { MaxSendMessageSize = null, HttpHandler = through });
        _call = _channel.CreateCallInvoker().AsyncDuplexStreamingCall(Exchange, null, default);
    }

    public PrivateKey Key { get; }

    public SignatureScheme Scheme { get; }

    public Party Us => new(Key.Address, Key.Address);

    public Party Them { get; private set; }

    /// <summary>Everything that this peer said, in its order.</summary>
    public List<Wire.PeerMessage> Said { get; } = [];

    /// <summary>A hello that fits, for tests to spoil.</summary>
    public Wire.Hello Hello() => new()
    {
        ProtocolVersion = 3,
        ChainId = _chainId,
        Contract = Bytes(_contract.ToArray()),
        Signer = Bytes(Key.Address.ToArray()),
        Owner = Bytes(Key.Address.ToArray()),
        Nonce = Bytes(_nonce.ToArray()),
    };

    public async Task ConnectAsync(Wire.Hello? hello = null, Func<Signature, Signature>? spoilProof = null)
    {
        await SayAsync(new Wire.PeerMessage { Hello = hello ?? Hello() });
        await HearAsync();
        Signature proof = Scheme.SignHello(Us.Owner, Them.Signer, _nonce, _theirNonce);
        proof = spoilProof is null ? proof : spoilProof(proof);
        try
        {
            await SayAsync(new Wire.PeerMessage { HelloProof = new Wire.HelloProof { Signature = Bytes(proof.ToArray()) } });
        }
        catch (Exception ended) when (CallWriting.IsOfEndedCall(ended))
        {
            // The node has refused the hello meanwhile: its reason is what is heard next.
        }

        Wire.PeerMessage answer = await HearAsync();
        Assert.True(Scheme.VerifyHello(
            Them, _theirNonce, _nonce, Signature.Read(answer.HelloProof.Signature.Span)));
    }

    /// <summary>Connects; returns when the node counts this peer among its own, which is a moment after it has shown who it is.</summary>
    public async Task JoinAsync(Wire.NodeService.NodeServiceClient node)
    {
        await ConnectAsync();
        for (int look = 0; look < 600; look++)
        {
            Wire.GetInfoResponse info = await node.GetInfoAsync(new Wire.GetInfoRequest());
            if (info.Peers.Any(peer => peer.Connected && peer.Signer == Key.Address.ToString())) return;
            await Task.Delay(20);
        }

        Assert.Fail($"never joined: {Key.Address}");
    }

    /// <summary>Has the node open a channel with this peer, which has joined it and gives its consent meanwhile.</summary>
    public async Task<string> HaveOpenedAsync(Wire.NodeService.NodeServiceClient node, ulong amount)
    {
        using var call = node.OpenChannel(new Wire.OpenChannelRequest { Peer = Key.Address.ToString(), Amount = amount.ToString() });
        string id = string.Empty;
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) id = call.ResponseStream.Current.Progress.ChannelId;
        return id;
    }

    /// <summary>Proves this peer's own key and owner, whatever its hello said, to a node not yet heard.</summary>
    public async Task ProveAsync()
    {
        Signature proof = Scheme.SignHello(Us.Owner, Them.Signer, _nonce, _theirNonce);
        await SayAsync(new Wire.PeerMessage { HelloProof = new Wire.HelloProof { Signature = Bytes(proof.ToArray()) } });
    }

    public Task SayAsync(Wire.PeerMessage message)
    {
        Said.Add(message.Clone());
        return _call.RequestStream.WriteAsync(new Wire.ExchangeRequest { Message = message }.ToByteArray());
    }

    /// <summary>Says what need be no message. May be refused before all of it has left.</summary>
    public async Task SayBytesAsync(byte[] bytes)
    {
        try
        {
            await _call.RequestStream.WriteAsync(bytes).WaitAsync(TimeSpan.FromSeconds(10));
        }
        catch (Exception ended) when (CallWriting.IsOfEndedCall(ended) || ended is TimeoutException)
        {
            // The reason is what is heard next.
        }
    }

    public async Task<Wire.PeerMessage> HearAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(60));
        if (!await _call.ResponseStream.MoveNext(limit.Token)) throw new EndOfStreamException("the node ended the session");
        Wire.PeerMessage heard = _call.ResponseStream.Current.Message;
        if (heard.Hello is not { } theirs) return heard;
        Them = new Party(Address.Read(theirs.Owner.Span), Address.Read(theirs.Signer.Span));
        _theirNonce = Bytes32.Read(theirs.Nonce.Span);
        return heard;
    }

    /// <summary>Reads until the node ends the session with an error.</summary>
    public async Task<RpcException> HearErrorAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(60));
        return await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await _call.ResponseStream.MoveNext(limit.Token))
            {
                // What was said before the end does not matter.
            }
        });
    }

    /// <summary>Sends one frame and gathers frames until each of its updates is answered.</summary>
    public async Task<Wire.Frame> ExchangeAsync(params Wire.Update[] updates)
    {
        Wire.Frame frame = new();
        frame.Updates.Add(updates);
        await SayAsync(new Wire.PeerMessage { Frame = frame });
        Wire.Frame answers = new();
        while (answers.Refusals.Count + answers.Acknowledgements.Count == 0) answers.MergeFrom((await HearAsync()).Frame);
        return answers;
    }

    public async Task<ChannelTerms> ProposeAsync(ChannelTerms terms)
    {
        await SayAsync(new Wire.PeerMessage { ChannelProposal = new Wire.ChannelProposal { Terms = Write(terms) } });
        Wire.ChannelProposalReply reply = (await HearAsync()).ChannelProposalReply;
        Assert.Equal(Wire.Refusal.Unspecified, reply.Refusal);
        Assert.Equal(Bytes(Scheme.IdOf(terms).Value.ToArray()), reply.ChannelId);
        BalanceUpdate nothing = new(Scheme.IdOf(terms), 0, 0);
        Assert.True(Scheme.Verify(nothing, Signature.Read(reply.Consent.Span), Them.Signer));
        return terms;
    }

    /// <summary>A signed update with one payment for each amount, each with the item id "item".</summary>
    public Wire.Update Update(ChannelId channel, UInt128 sent, UInt128 received, params UInt128[] amounts) =>
        Update(channel, sent, received, ByteString.CopyFrom([.. amounts.SelectMany(amount => Payment(amount, "item"u8.ToArray()))]));

    /// <summary>A signed update with a list of payments as it travels.</summary>
    public Wire.Update Update(ChannelId channel, UInt128 sent, UInt128 received, ByteString payments) => new()
    {
        ChannelId = Bytes(channel.Value.ToArray()),
        Sent = Bytes(sent),
        Received = Bytes(received),
        Signature = Bytes(Scheme.Sign(new BalanceUpdate(channel, sent, received)).ToArray()),
        Payments = payments,
    };

    /// <summary>One payment of a list.</summary>
    public static ByteString Payment(UInt128 amount, byte[] itemId)
    {
        List<byte> list = [];
        for (; amount >= 0x80; amount >>= 7) list.Add((byte)((byte)amount | 0x80));
        list.Add((byte)amount);
        list.Add((byte)itemId.Length);
        return ByteString.CopyFrom([.. list, .. itemId]);
    }

    public static Wire.Terms Write(ChannelTerms terms) => new()
    {
        OwnerA = Bytes(terms.A.Owner.ToArray()),
        SignerA = Bytes(terms.A.Signer.ToArray()),
        OwnerB = Bytes(terms.B.Owner.ToArray()),
        SignerB = Bytes(terms.B.Signer.ToArray()),
        Token = Bytes(terms.Token.ToArray()),
        DisputeWindowSeconds = terms.DisputeWindowSeconds,
        OneWay = terms.OneWay,
        Salt = Bytes(terms.Salt.ToArray()),
    };

    public static ByteString Bytes(UInt128 amount)
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, amount);
        return ByteString.CopyFrom(bytes);
    }

    private static ByteString Bytes(byte[] bytes) => ByteString.CopyFrom(bytes);

    public ValueTask DisposeAsync()
    {
        _call.Dispose();
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }
}
