using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>Signs this node's part of the handshake: Hello(from us, our owner, to, our nonce, their nonce).</summary>
internal delegate ValueTask<Signature> HelloSigner(
    Address owner, Address to, Bytes32 ourNonce, Bytes32 theirNonce, CancellationToken cancel);

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
    SessionTls tls,
    IAsyncStreamReader<PeerEnvelope> reader,
    IAsyncStreamWriter<PeerEnvelope> writer,
    MessageRoom.Part part)
{
    public const uint ProtocolVersion = 3;

    /// <summary>A peer that reads nothing of a message for so long loses its session.</summary>
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Proves both identities and joins the engine. Throws <see cref="RefusalException"/> when the peer is not one for
    /// us, or not <paramref name="expected"/>, and what <paramref name="proven"/> throws when the peer has proven itself.
    /// </summary>
    public async Task<PeerSession> HandshakeAsync(Address? expected, Action<Address> proven, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Handshake.Timeout);
        try
        {
            Handshake handshake = new(identity, ProtocolVersion, tls.Presented);

            // Who is called speaks at once, so a caller that must know its certificate first hears it first.
            Wire.PeerMessage? hello = tls.IsEncryptedCall ? await NextAsync(limit.Token) : null;
            await SayAsync(new Wire.PeerMessage { Hello = handshake.Hello(tls.Seen) }, limit.Token);
            hello ??= await NextAsync(limit.Token);
            handshake.Take(hello.Hello ?? throw Handshake.Unexpected(hello.KindCase, "hello"), expected);

            // The caller proves itself first: a node signs nothing for someone who only knocks.
            if (tls.IsCaller) await SayAsync(new Wire.PeerMessage { HelloProof = await handshake.ProofAsync(limit.Token) }, limit.Token);
            Wire.PeerMessage proof = await NextAsync(limit.Token);
            handshake.Take(proof.HelloProof ?? throw Handshake.Unexpected(proof.KindCase, "hello_proof"));
            proven(handshake.Them.Signer);
            if (!tls.IsCaller) await SayAsync(new Wire.PeerMessage { HelloProof = await handshake.ProofAsync(limit.Token) }, limit.Token);

            PeerLink link = new(handshake.Them.Signer, handshake.Them.Owner, node.Options.PeerQueueMax) { Part = part };
            return await node.Peers.AttachAsync(link, limit.Token);
        }
        catch (OperationCanceledException error) when (!cancel.IsCancellationRequested)
        {
            throw new RefusalException(
                Refusal.PeerOffline, $"no handshake within {Handshake.Timeout.TotalSeconds} s", error);
        }
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
            while (batch.HasRoom && !session.IsCrowded && next.IsCompletedSuccessfully && next.Result && reader.Current.Frame is { } frame)
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
                await session.SignAsync(frame, cancel);
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

    /// <summary>Says a part of the handshake; who does not want to hear it any more has said why.</summary>
    private async Task SayAsync(Wire.PeerMessage message, CancellationToken cancel)
    {
        try
        {
            await WriteAsync(message, cancel);
        }
        catch (Exception ended) when (
            ended is RpcException or InvalidOperationException or IOException or HttpRequestException
            || ended is OperationCanceledException && !cancel.IsCancellationRequested)
        {
            while (true) await NextAsync(cancel); // What was said before the refusal is of no use any more.
        }
    }

    private async Task<Wire.PeerMessage> NextAsync(CancellationToken cancel) =>
        await reader.MoveNext(cancel)
            ? reader.Current.Message ?? throw PeerWire.Malformed("kind", "a frame", "a handshake")
            : throw new RefusalException(Refusal.PeerOffline, "the peer ended the handshake");
}
