using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Signing;
using Grpc.Core;
using Grpc.Net.Client;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Says to a watchtower exactly what a test wants, right or wrong.</summary>
internal sealed class RawGuard : IAsyncDisposable
{
    private readonly GrpcChannel _channel;
    private readonly AsyncDuplexStreamingCall<Wire.GuardRequest, Wire.GuardResponse> _call;
    private readonly Bytes32 _nonce = Bytes32.Read(RandomNumberGenerator.GetBytes(32));
    private readonly ulong _chainId;
    private readonly Address _contract;

    public RawGuard(string url, ulong chainId, Address contract, PrivateKey key)
    {
        (_chainId, _contract, Key) = (chainId, contract, key);
        Scheme = new SignatureScheme(key, chainId, contract);
        _channel = GrpcChannel.ForAddress(url);
        _call = new Wire.WatchtowerService.WatchtowerServiceClient(_channel).Guard();
    }

    public PrivateKey Key { get; }

    public SignatureScheme Scheme { get; }

    public static async Task<RawGuard> ConnectAsync(TestTower tower, TestChain chain, PrivateKey key)
    {
        RawGuard guard = new(tower.Url, chain.ChainId, chain.Contract, key);
        await guard.GreetAsync();
        return guard;
    }

    /// <summary>A hello that fits, for tests to spoil.</summary>
    public Wire.Hello Hello() => new()
    {
        ProtocolVersion = 1,
        ChainId = _chainId,
        Contract = Google.Protobuf.ByteString.CopyFrom(_contract.ToArray()),
        Signer = Google.Protobuf.ByteString.CopyFrom(Key.Address.ToArray()),
        Owner = Google.Protobuf.ByteString.CopyFrom(Key.Address.ToArray()),
        Nonce = Google.Protobuf.ByteString.CopyFrom(_nonce.ToArray()),
    };

    /// <summary>The handshake; answers what the watchtower says that it has.</summary>
    public async Task<IReadOnlyList<Wire.GuardedTotals>> GreetAsync(Wire.Hello? hello = null, PrivateKey? provenBy = null)
    {
        await SayAsync(new Wire.GuardRequest { Hello = hello ?? Hello() });
        Wire.Hello theirs = (await HearAsync()).Hello;
        Address tower = Address.Read(theirs.Signer.Span);
        SignatureScheme prover = provenBy is null ? Scheme : new SignatureScheme(provenBy, _chainId, _contract);
        Signature proof = prover.SignHello(Key.Address, tower, _nonce, Bytes32.Read(theirs.Nonce.Span));
        await SayAsync(new Wire.GuardRequest
        {
            HelloProof = new Wire.HelloProof { Signature = Google.Protobuf.ByteString.CopyFrom(proof.ToArray()) },
        });
        Signature their = Signature.Read((await HearAsync()).HelloProof.Signature.Span);
        Assert.True(Scheme.VerifyHello(new Party(tower, tower), Bytes32.Read(theirs.Nonce.Span), _nonce, their));
        List<Wire.GuardedTotals> holdings = [];
        while (true)
        {
            Wire.Holdings some = (await HearAsync()).Holdings;
            holdings.AddRange(some.Guarded);
            if (some.IsLast) return holdings;
        }
    }

    /// <summary>The other side's update with this one's consent, and the terms.</summary>
    public Wire.GuardedUpdate Update(ChannelTerms terms, UInt128 sent, UInt128 received, PrivateKey payer)
    {
        BalanceUpdate update = new(Scheme.IdOf(terms), sent, received);
        return new Wire.GuardedUpdate
        {
            ChannelId = Google.Protobuf.ByteString.CopyFrom(update.Channel.Value.ToArray()),
            Sent = RawPeer.Bytes(sent),
            Received = RawPeer.Bytes(received),
            Signature = Google.Protobuf.ByteString.CopyFrom(new SignatureScheme(payer, _chainId, _contract).Sign(update).ToArray()),
            Consent = Google.Protobuf.ByteString.CopyFrom(Scheme.SignConsent(update).ToArray()),
            Terms = RawPeer.Write(terms),
        };
    }

    public async Task<Wire.GuardFrameReply> AskAsync(params Wire.GuardedUpdate[] updates)
    {
        Wire.GuardFrame frame = new();
        frame.Updates.Add(updates);
        await SayAsync(new Wire.GuardRequest { Frame = frame });
        return (await HearAsync()).FrameReply;
    }

    /// <summary>To a watchtower that has ended the session already nothing is said: what is heard next tells why.</summary>
    public Task SayAsync(Wire.GuardRequest message) => _call.RequestStream.SayAsync(message);

    public async Task<Wire.GuardResponse> HearAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(60));
        Assert.True(await _call.ResponseStream.MoveNext(limit.Token), "the watchtower ended the session");
        return _call.ResponseStream.Current;
    }

    public ValueTask DisposeAsync()
    {
        _call.Dispose();
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }
}
