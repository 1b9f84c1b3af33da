using System.Buffers.Binary;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// A payee that remembers everything that a node has ever signed for it, over all of the node's lives: which item lies
/// at which total. What it has not acknowledged it says it does not have, so that the node must sign the same again.
/// </summary>
internal sealed class RecordingPayee
{
    private readonly Dictionary<ulong, (ulong Amount, string Item)> _items = [];
    private ulong _acknowledged;
    private ByteString _newest = ByteString.Empty;

    public ChannelId Channel { get; private set; }

    public int Payments => _items.Count;

    /// <summary>While set, nothing is acknowledged.</summary>
    public bool IsSilent { get; set; }

    /// <summary>Whether something was signed that was not acknowledged.</summary>
    public bool HasUnderWay => Signed > _acknowledged;

    /// <summary>While set, it shows the newest signature that it has: else it only says what it has.</summary>
    public bool Shows { get; set; }

    public int ToldAgain { get; private set; }

    /// <summary>The largest total that was signed.</summary>
    public ulong Signed { get; private set; }

    /// <summary>By the total that an item was paid with.</summary>
    public IReadOnlyDictionary<ulong, (ulong Amount, string Item)> Items => _items;

    /// <summary>Answers what the node says until the session ends.</summary>
    public async Task RunAsync(RawPeer peer)
    {
        try
        {
            if (Channel != default) await peer.SayAsync(Stands());
            while (true)
            {
                Wire.PeerMessage heard = await peer.HearAsync();
                if (heard.ChannelProposal is not null) await ConsentAsync(peer, heard);
                if (heard.Frame is { } frame) await TakeAsync(peer, frame);
            }
        }
        catch (Exception error) when (CallWriting.IsOfEndedCall(error))
        {
            // Killed, or stopped.
        }
    }

    private Wire.PeerMessage Stands() => new()
    {
        ChannelReestablish = new Wire.ChannelReestablish
        {
            ChannelId = ByteString.CopyFrom(Channel.Value.ToArray()),
            Sent = RawPeer.Bytes(0),
            Received = RawPeer.Bytes(_acknowledged),
            Held = Shows
                ? new Wire.HeldUpdate { Sent = RawPeer.Bytes(Signed), Received = RawPeer.Bytes(0), Signature = _newest }
                : null,
        },
    };

    private Task ConsentAsync(RawPeer peer, Wire.PeerMessage heard)
    {
        ChannelTerms terms = Assert.IsType<PeerMessage.Proposal>(PeerWire.Read(heard)).Terms;
        Channel = peer.Scheme.IdOf(terms);
        return peer.SayAsync(new Wire.PeerMessage
        {
            ChannelProposalReply = new Wire.ChannelProposalReply
            {
                ChannelId = ByteString.CopyFrom(Channel.Value.ToArray()),
                Consent = ByteString.CopyFrom(peer.Scheme.Sign(new BalanceUpdate(Channel, 0, 0)).ToArray()),
            },
        });
    }

    private async Task TakeAsync(RawPeer peer, Wire.Frame frame)
    {
        foreach (Wire.Update update in frame.Updates) Record(peer, update);
        if (frame.Updates.Count == 0 || IsSilent) return;
        _acknowledged = Signed;
        Wire.Frame answer = new();
        answer.Acknowledgements.Add(new Wire.Acknowledgement
        {
            ChannelId = frame.Updates[0].ChannelId,
            Received = RawPeer.Bytes(_acknowledged),
        });
        await peer.SayAsync(new Wire.PeerMessage { Frame = answer });
    }

    private void Record(RawPeer peer, Wire.Update update)
    {
        ulong sent = (ulong)BinaryPrimitives.ReadUInt128BigEndian(update.Sent.Span);
        BalanceUpdate balance = new(Channel, sent, 0);
        if (!peer.Scheme.Verify(balance, Signature.Read(update.Signature.Span), peer.Them.Signer))
            throw new InvalidDataException($"the signature over {sent} is wrong");

        List<IncomingPayment> payments = [];
        for (ReadOnlyMemory<byte> rest = update.Payments.Memory; !rest.IsEmpty;) payments.Add(PaymentList.Take(ref rest));
        ulong total = sent - payments.Aggregate(0ul, (sum, payment) => sum + (ulong)payment.Amount);
        if (total > Signed) throw new InvalidDataException($"{sent} was signed over {total}, and the payments above {Signed} never told");
        foreach (IncomingPayment payment in payments)
        {
            total += (ulong)payment.Amount;
            Record(total, ((ulong)payment.Amount, System.Text.Encoding.UTF8.GetString(payment.ItemId.Span)));
        }

        if (sent < Signed) return;
        (Signed, _newest) = (sent, update.Signature);
    }

    /// <summary>What was signed once for a total stays what that total means.</summary>
    private void Record(ulong total, (ulong Amount, string Item) payment)
    {
        if (_items.TryAdd(total, payment)) return;
        ToldAgain++;
        if (_items[total] != payment)
            throw new InvalidDataException($"{total} was signed for {_items[total]}, and then for {payment}");
    }
}
