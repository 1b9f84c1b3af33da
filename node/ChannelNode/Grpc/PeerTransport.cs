using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Signs this node's part of the handshake: Hello(from us, our owner, to, our nonce, their nonce).</summary>
internal delegate Signature HelloSigner(Address owner, Address to, Bytes32 ourNonce, Bytes32 theirNonce);

/// <summary>Checks a peer's part of the handshake.</summary>
internal delegate bool HelloVerifier(Party from, Bytes32 theirNonce, Bytes32 ourNonce, Signature signature);

/// <summary>Who this node is to its peers.</summary>
internal sealed record NodeIdentity(
    ulong ChainId, Address Contract, Party Us, HelloSigner SignHello, HelloVerifier VerifyHello);

/// <summary>
/// One session over one stream, whichever side called: the handshake, then a loop that reads and a loop that writes
/// until either ends. Everything that waits to be said goes into one frame.
/// </summary>
internal sealed class PeerTransport(
    Node node,
    NodeIdentity identity,
    bool isCaller,
    IAsyncStreamReader<PeerEnvelope> reader,
    IAsyncStreamWriter<PeerEnvelope> writer)
{
    public const uint ProtocolVersion = 2;

    /// <summary>A peer that reads nothing of a message for so long loses its session.</summary>
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Proves both identities and joins the engine. Throws <see cref="RefusalException"/> when the peer is not one for
    /// us, or not <paramref name="expected"/>.
    /// </summary>
    public async Task<PeerSession> HandshakeAsync(Address? expected, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(HandshakeTimeout);
        try
        {
            Bytes32 ourNonce = Bytes32.Read(RandomNumberGenerator.GetBytes(Bytes32.Size));
            await WriteAsync(new Wire.PeerMessage { Hello = OurHello(ourNonce) }, limit.Token);
            (Party them, Bytes32 theirNonce) = CheckHello(await NextAsync(limit.Token), expected);

            // The caller proves itself first: a node signs nothing for someone who only knocks.
            if (isCaller) await ProveAsync(them.Signer, ourNonce, theirNonce, limit.Token);
            CheckProof(await NextAsync(limit.Token), them, ourNonce, theirNonce);
            if (!isCaller) await ProveAsync(them.Signer, ourNonce, theirNonce, limit.Token);

            PeerLink link = new(them.Signer, them.Owner, node.Options.PeerQueueMax);
            return await node.Peers.AttachAsync(link, limit.Token);
        }
        catch (OperationCanceledException error) when (!cancel.IsCancellationRequested)
        {
            throw new RefusalException(
                Refusal.PeerOffline, $"no handshake within {HandshakeTimeout.TotalSeconds} s", error);
        }
    }

    private Task ProveAsync(Address to, Bytes32 ourNonce, Bytes32 theirNonce, CancellationToken cancel)
    {
        Signature proof = identity.SignHello(identity.Us.Owner, to, ourNonce, theirNonce);
        return WriteAsync(
            new Wire.PeerMessage { HelloProof = new Wire.HelloProof { Signature = PeerWire.Write(proof) } }, cancel);
    }

    private Wire.Hello OurHello(Bytes32 nonce) => new()
    {
        ProtocolVersion = ProtocolVersion,
        ChainId = identity.ChainId,
        Contract = PeerWire.Write(identity.Contract),
        Signer = PeerWire.Write(identity.Us.Signer),
        Owner = PeerWire.Write(identity.Us.Owner),
        Nonce = PeerWire.Write(nonce),
    };

    private (Party Them, Bytes32 Nonce) CheckHello(Wire.PeerMessage message, Address? expected)
    {
        if (message.KindCase != Wire.PeerMessage.KindOneofCase.Hello) throw Unexpected(message, "hello");
        Wire.Hello hello = message.Hello;
        if (hello.ProtocolVersion != ProtocolVersion)
            throw Wrong(Refusal.WrongProtocolVersion, "protocol_version", hello.ProtocolVersion, ProtocolVersion);
        if (hello.ChainId != identity.ChainId)
            throw Wrong(Refusal.WrongChain, "chain_id", hello.ChainId, identity.ChainId);
        Address contract = PeerWire.ReadAddress(hello.Contract, "contract");
        if (contract != identity.Contract) throw Wrong(Refusal.WrongContract, "contract", contract, identity.Contract);

        Party them = new(
            PeerWire.ReadAddress(hello.Owner, "owner"), PeerWire.ReadAddress(hello.Signer, "signer"));
        if (them.Signer == identity.Us.Signer)
            throw Wrong(Refusal.WrongIdentity, "signer", them.Signer, "another node's, not our own");
        if (expected is { } signer && them.Signer != signer)
            throw Wrong(Refusal.WrongIdentity, "signer", them.Signer, signer);
        return (them, PeerWire.ReadBytes32(hello.Nonce, "nonce"));
    }

    private void CheckProof(Wire.PeerMessage message, Party them, Bytes32 ourNonce, Bytes32 theirNonce)
    {
        if (message.KindCase != Wire.PeerMessage.KindOneofCase.HelloProof) throw Unexpected(message, "hello_proof");
        Signature signature = PeerWire.ReadSignature(message.HelloProof.Signature, "signature");
        if (!identity.VerifyHello(them, theirNonce, ourNonce, signature))
            throw Wrong(Refusal.WrongIdentity, "signature", "a proof by another key or of another owner", $"{them.Signer}'s");
    }

    /// <summary>Runs an attached session to its end and leaves the engine; throws what ended it, if anything did.</summary>
    public async Task RunAsync(PeerSession session, CancellationToken cancel)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancel, session.Link.Ended);
        string reason = "the connection ended";
        try
        {
            Task reading = ReadAsync(session, ending.Token);
            Task writing = WriteAsync(session, ending.Token);
            Task first = await Task.WhenAny(reading, writing);
            await ending.CancelAsync();
            await IgnoreAsync(first == reading ? writing : reading);
            await first;
        }
        catch (OperationCanceledException)
        {
            reason = "the session was ended";
        }
        catch (Exception error)
        {
            reason = error.Message;
            throw;
        }
        finally
        {
            await node.Peers.DetachAsync(session.Link, reason);
        }
    }

    private static async Task IgnoreAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception)
        {
            // The other loop ended first and tells why.
        }
    }

    private async Task ReadAsync(PeerSession session, CancellationToken cancel)
    {
        Task<bool> next = reader.MoveNext(cancel);
        while (await next)
        {
            if (reader.Current.Message is { } message)
            {
                await session.ReceiveAsync(PeerWire.Read(message), cancel);
                next = reader.MoveNext(cancel);
                continue;
            }

            bool isAlone = session.FindsNobodyElse;
            PeerBatch batch = await session.RentBatchAsync(cancel);
            await session.AddAsync(batch, reader.Current.Frame!, cancel);
            next = reader.MoveNext(cancel);
            while (batch.HasRoom && next.IsCompletedSuccessfully && next.Result && reader.Current.Frame is { } frame)
            {
                // What has arrived already waits together, and so is verified and committed together.
                await session.AddAsync(batch, frame, cancel);
                next = reader.MoveNext(cancel);
            }

            await session.ReceiveAsync(batch, isAlone && !next.IsCompleted, cancel);
        }
    }

    private async Task WriteAsync(PeerSession session, CancellationToken cancel)
    {
        OutgoingFrame frame = new();
        using CancellationTokenRegistration ending = cancel.UnsafeRegister(static link => ((PeerLink)link!).Wake(), session.Link);
        while (true)
        {
            while (session.Link.TryTake(ref frame))
            {
                session.Sign(frame);
                PeerEnvelope envelope = new() { Outgoing = frame };
                FramePart part = default;
                while (PeerFrameWriter.TryNext(frame, ref part))
                {
                    envelope.Part = part;
                    await WriteAsync(envelope, cancel);
                }

                foreach (PeerMessage message in frame.Messages) await WriteAsync(PeerWire.Write(message), cancel);
                frame.Clear();
            }

            await session.Link.WaitToTakeAsync();
            cancel.ThrowIfCancellationRequested();
        }
    }

    private Task WriteAsync(Wire.PeerMessage message, CancellationToken cancel) =>
        WriteAsync(new PeerEnvelope { Message = message }, cancel);

    private async Task WriteAsync(PeerEnvelope envelope, CancellationToken cancel)
    {
        Task writing = writer.WriteAsync(envelope, cancel);
        try
        {
            await (writing.IsCompleted ? writing : writing.WaitAsync(ReadTimeout, node.Clock.Time, cancel));
        }
        catch (TimeoutException error)
        {
            throw new RefusalException(Refusal.PeerOffline, "the peer reads too slowly", error);
        }
    }

    private async Task<Wire.PeerMessage> NextAsync(CancellationToken cancel) =>
        await reader.MoveNext(cancel)
            ? reader.Current.Message ?? throw PeerWire.Malformed("kind", "a frame", "a handshake")
            : throw new RefusalException(Refusal.PeerOffline, "the peer ended the handshake");

    private static RefusalException Wrong(Refusal refusal, string field, object value, object expected) =>
        new(refusal, $"{field} is {value}, expected {expected}") { Field = field };

    private static RefusalException Unexpected(Wire.PeerMessage message, string expected) =>
        new(Refusal.InvalidArgument, $"kind is {message.KindCase}, expected {expected}") { Field = "kind" };
}
