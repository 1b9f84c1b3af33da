using System.Security.Cryptography;
using System.Threading.Channels;
using ChannelNode.Core;
using ChannelNode.Signing;
using Google.Protobuf;
using Say = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>
/// One peer's session with the node over a connection of its own: the real handshake with the peer's own key, then
/// frames from tapes, and acknowledgements to the lanes.
/// </summary>
internal sealed class PeerStream : IAnswered, IAsyncDisposable
{
    private const int HeadBytesMax = 16;

    private readonly Http2Call _call;
    private readonly Channel<Say.PeerMessage> _talk = System.Threading.Channels.Channel.CreateUnbounded<Say.PeerMessage>();
    private readonly Channel<bool> _answers = System.Threading.Channels.Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, AllowSynchronousContinuations = true });
    private readonly Dictionary<ulong, (Lane Lane, int Channel)> _lanes = [];
    private readonly SignatureScheme _scheme;
    private readonly PeerContext _context;
    private Task _reading = Task.CompletedTask;

    /// <summary><paramref name="windowBytes"/>: what the node may send ahead of this peer's reading.</summary>
    public PeerStream(LoadKey key, PeerContext context, int windowBytes = 1 << 20)
    {
        (Key, _context) = (key, context);
        _scheme = new SignatureScheme(key.Key, context.ChainId, context.Contract);
        _call = new Http2Call(context.Url, windowBytes);
    }

    public LoadKey Key { get; }

    /// <summary>The node's parties as it named them.</summary>
    public Party Node { get; private set; }

    public long Refusals { get; private set; }

    /// <summary>When set, refusals are counted; otherwise one fails the run.</summary>
    public bool MayBeRefused { get; init; }

    /// <summary>Ends, faulted, when the node ends the session.</summary>
    public Task Reading => _reading;

    /// <summary>Half of a handshake: who this is said to be.</summary>
    public async Task<Bytes32> SayHelloAsync()
    {
        _call.Start($"/{Say.PeerService.Descriptor.FullName}/Exchange");
        Bytes32 nonce = Bytes32.Read(RandomNumberGenerator.GetBytes(32));
        await SayAsync(new Say.PeerMessage { Hello = Hello(nonce) });
        _reading = ReadAllAsync();
        return nonce;
    }

    /// <summary>Anything as a message, with the length that it is said to have.</summary>
    public Task SayBytesAsync(byte[] bytes, int? claimedBytes = null) => _call.SendAsync([], bytes, claimedBytes);

    public async Task ConnectAsync()
    {
        Bytes32 ourNonce = await SayHelloAsync();
        Say.Hello hello = (await HearAsync()).Hello;
        Node = new Party(Address.Read(hello.Owner.Span), Address.Read(hello.Signer.Span));
        Bytes32 theirNonce = Bytes32.Read(hello.Nonce.Span);
        Signature proof = _scheme.SignHello(Key.Address, Node.Signer, ourNonce, theirNonce);
        await SayAsync(new Say.PeerMessage { HelloProof = new Say.HelloProof { Signature = Bytes(proof.ToArray()) } });
        Signature answer = Signature.Read((await HearAsync()).HelloProof.Signature.Span);
        if (!_scheme.VerifyHello(Node, theirNonce, ourNonce, answer)) throw new InvalidDataException("the node's proof is wrong");
    }

    /// <summary>Agrees terms in which this peer is side A and will pay the node.</summary>
    public async Task<List<PaidChannel>> ProposeAsync(int count, uint disputeWindowSeconds = 3_600)
    {
        List<PaidChannel> channels = [];
        for (int index = 0; index < count; index++)
        {
            Party us = new(Key.Address, Key.Address);
            ChannelTerms terms = new(
                us, Node, Address.Zero, disputeWindowSeconds, OneWay: false, Bytes32.Read(RandomNumberGenerator.GetBytes(32)));
            channels.Add(new PaidChannel(Key, terms, _scheme.IdOf(terms)));
            await SayAsync(new Say.PeerMessage { ChannelProposal = new Say.ChannelProposal { Terms = Terms(terms) } });
        }

        for (int answered = 0; answered < count;)
        {
            if ((await HearAsync()).ChannelProposalReply is not { } reply) continue; // Where a channel stands.
            if (reply.Refusal != Say.Refusal.Unspecified) throw new InvalidDataException($"terms refused: {reply.Refusal}");
            answered++;
        }

        return channels;
    }

    /// <summary>From now on acknowledgements of the lane's channels are its own.</summary>
    public void Attach(Lane lane)
    {
        for (int index = 0; index < lane.Tape.Channels.Count; index++)
            _lanes[lane.Tape.Channels[index].Id.Value.W0] = (lane, index);
    }

    /// <summary>Neighbours on a tape as one frame. Not to be called again before it has completed.</summary>
    public Task SayAsync(Tape tape, long first, int count)
    {
        ReadOnlySpan<byte> entries = tape.Entries(first, count);
        Span<byte> head = stackalloc byte[HeadBytesMax];
        return _call.SendAsync(head[..WriteHead(head, entries.Length)], entries);
    }

    /// <summary>Waits until something was answered since the last time; throws when the session has ended.</summary>
    public async ValueTask WhenAnsweredAsync()
    {
        if (!await _answers.Reader.WaitToReadAsync()) await _reading;
        _answers.Reader.TryRead(out _);
    }

    /// <summary>Reads nothing any more, and stays connected.</summary>
    public void Stall() => _call.Stall();

    void IAnswered.Acknowledged(ulong channel, ulong total)
    {
        if (_lanes.TryGetValue(channel, out (Lane Lane, int Channel) at)) at.Lane.Acknowledge(at.Channel, total);
    }

    void IAnswered.Refused(ulong channel, Say.Refusal reason)
    {
        Refusals++;
        if (!MayBeRefused) throw new InvalidDataException($"an update was refused: {reason}");
    }

    private void Read(ReadOnlySpan<byte> message)
    {
        if (AnswerReader.Read(message, this) is { } said) _talk.Writer.TryWrite(said);
    }

    private async Task ReadAllAsync()
    {
        try
        {
            await _call.ReadAsync(Read, () => _answers.Writer.TryWrite(true));
        }
        catch (Exception error)
        {
            _talk.Writer.TryComplete(error);
            _answers.Writer.TryComplete();
            _call.Dispose();
            throw;
        }
    }

    private Task SayAsync(Say.PeerMessage message) =>
        _call.SendAsync([], new Say.ExchangeRequest { Message = message }.ToByteArray());

    /// <summary>ExchangeRequest.message and PeerMessage.frame, each a tag and a length, before the entries.</summary>
    private static int WriteHead(Span<byte> head, int entriesBytes)
    {
        int frameBytes = 1 + Tape.VarintBytes((uint)entriesBytes) + entriesBytes;
        int written = 0;
        head[written++] = Tape.Tag(Say.ExchangeRequest.MessageFieldNumber);
        written += Tape.WriteVarint(head[written..], (uint)frameBytes);
        head[written++] = Tape.Tag(Say.PeerMessage.FrameFieldNumber);
        return written + Tape.WriteVarint(head[written..], (uint)entriesBytes);
    }

    private async Task<Say.PeerMessage> HearAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(60));
        return await _talk.Reader.ReadAsync(limit.Token);
    }

    private Say.Hello Hello(Bytes32 nonce) => new()
    {
        ProtocolVersion = Grpc.PeerTransport.ProtocolVersion,
        ChainId = _context.ChainId,
        Contract = Bytes(_context.Contract.ToArray()),
        Signer = Bytes(Key.Address.ToArray()),
        Owner = Bytes(Key.Address.ToArray()),
        Nonce = Bytes(nonce.ToArray()),
    };

    private static Say.Terms Terms(ChannelTerms terms) => new()
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

    private static ByteString Bytes(byte[] bytes) => UnsafeByteOperations.UnsafeWrap(bytes);

    public async ValueTask DisposeAsync()
    {
        _call.Dispose();
        try
        {
            await _reading;
        }
        catch (Exception)
        {
            // We ended it.
        }
    }
}

/// <summary>Where the node is and what it works with.</summary>
internal sealed record PeerContext(string Url, ulong ChainId, Address Contract)
{
    public TypedData Typed { get; } = new(ChainId, Contract);
}
