using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// One session with one peer, as the engine sees it: who it is and a bounded queue of what it is to be told. A peer
/// that reads too slowly overflows its queue and loses the session, never anyone else's time; what it missed is told
/// again when it comes back.
/// </summary>
internal sealed class PeerLink(Address signer, Address owner, int queueMax)
{
    /// <summary>Bytes of payments that may wait to be told to a slow peer; with the number of messages a bound of its memory.</summary>
    private const int PaymentBytesWaitingMax = 8 * 1024 * 1024;

    private readonly Channel<PeerMessage> _outbound = System.Threading.Channels.Channel.CreateBounded<PeerMessage>(
        new BoundedChannelOptions(queueMax) { SingleReader = true });
    private readonly CancellationTokenSource _ended = new();
    private int _paymentBytesWaiting;

    public Address Signer { get; } = signer;

    public Address Owner { get; } = owner;

    /// <summary>Cancelled when the session must end, for whatever reason.</summary>
    public CancellationToken Ended => _ended.Token;

    public bool TryTake([NotNullWhen(true)] out PeerMessage? message)
    {
        bool taken = _outbound.Reader.TryRead(out message);
        if (message is PeerMessage.Update update) Interlocked.Add(ref _paymentBytesWaiting, -update.Payments.Length);
        return taken;
    }

    public ValueTask<bool> WaitToTakeAsync(CancellationToken cancel) => _outbound.Reader.WaitToReadAsync(cancel);

    /// <summary>Why the engine ended the session; null when it did not.</summary>
    public string? EndReason { get; private set; }

    public void Send(PeerMessage message)
    {
        int waiting = message is PeerMessage.Update update
            ? Interlocked.Add(ref _paymentBytesWaiting, update.Payments.Length)
            : 0;
        if (waiting > PaymentBytesWaitingMax || !_outbound.Writer.TryWrite(message)) End("the peer reads too slowly");
    }

    public void End(string? reason)
    {
        EndReason ??= reason;
        _outbound.Writer.TryComplete();
        // The token's callbacks run elsewhere: whoever ends a session must not wait for its transport.
        _ = _ended.CancelAsync();
    }
}
