using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using ChannelNode.Core;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>What a hostile peer does, again and again.</summary>
internal enum Hostility
{
    /// <summary>Bytes of no protocol on a connection.</summary>
    Garbage,

    /// <summary>Says who it is and never proves it, for as long as the node waits.</summary>
    HalfHandshake,

    /// <summary>Proven, with a channel, and every signature by another key; as fast as the node looks at them.</summary>
    WrongSignatures,

    /// <summary>Proven, and announces a message of 64 MiB.</summary>
    Oversized,

    /// <summary>Proven, has refusals made for it, and reads none.</summary>
    NeverReading,

    /// <summary>A whole handshake, and gone.</summary>
    ComeAndGo,

    /// <summary>Proven, and then bytes that are no message.</summary>
    Malformed,

    /// <summary>Proven, and all of the largest message but its end, which never comes.</summary>
    Unfinished,
}

/// <summary>One of a crowd that means harm, for as long as its process runs.</summary>
internal sealed class HostilePeer(Hostility kind, PeerContext context)
{
    private const int GarbageBytes = 2_000;
    private const int OversizedBytes = 64 << 20;
    private const int LargestBytes = 4 << 20;
    private const int Frame = 16;
    private const int PauseMsMin = 500, PauseMsMax = 1_000;
    private static readonly TimeSpan BetweenFrames = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>Times that it was thrown out, or went, and came again.</summary>
    public long Rounds { get; private set; }

    public async Task RunAsync()
    {
        for (; ; Rounds++)
        {
            try
            {
                await (kind == Hostility.Garbage ? GarbageAsync() : InACallAsync());
            }
            catch (Exception ended) when (ended is not (NullReferenceException or ArgumentException))
            {
                // The node had enough of it.
            }

            // Never in step with the others.
            await Task.Delay(Random.Shared.Next(PauseMsMin, PauseMsMax));
        }
    }

    private async Task GarbageAsync()
    {
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPEndPoint.Parse(new Uri(context.Url).Authority));
        await socket.SendAsync(RandomNumberGenerator.GetBytes(GarbageBytes));
        while (await socket.ReceiveAsync(new byte[1_024]) > 0)
        {
            // Until it is closed.
        }
    }

    private async Task InACallAsync()
    {
        await using PeerStream stream = new(new LoadKey(), context, kind == Hostility.NeverReading ? 65_535 : 1 << 20) { MayBeRefused = true };
        if (kind == Hostility.HalfHandshake) await stream.SayHelloAsync();
        else await stream.ConnectAsync();
        switch (kind)
        {
            case Hostility.ComeAndGo:
                return;
            case Hostility.Oversized:
                await stream.SayBytesAsync(new byte[GarbageBytes], OversizedBytes);
                break;
            case Hostility.Malformed:
                await stream.SayBytesAsync(RandomNumberGenerator.GetBytes(GarbageBytes));
                break;
            case Hostility.Unfinished:
                await stream.SayBytesAsync(new byte[LargestBytes - 1], LargestBytes);
                break;
            case Hostility.WrongSignatures:
                await FloodAsync(stream, await stream.ProposeAsync(1));
                break;
            case Hostility.NeverReading:
                stream.Stall();
                await FloodAsync(stream, [Unknown(stream)]);
                break;
        }

        await stream.Reading.WaitAsync(Patience);
    }

    /// <summary>A channel that the node has never heard of.</summary>
    private static PaidChannel Unknown(PeerStream stream) => new(
        stream.Key,
        new ChannelTerms(new Party(stream.Key.Address, stream.Key.Address), stream.Node, Address.Zero, 3_600, OneWay: false, default),
        new ChannelId(Bytes32.Read(RandomNumberGenerator.GetBytes(Bytes32.Size))));

    /// <summary>By another key, in these channels, whether there are such or not.</summary>
    private async Task FloodAsync(PeerStream stream, IReadOnlyList<PaidChannel> channels)
    {
        LoadKey another = new();
        PaidChannel[] forged = [.. channels.Select(channel => new PaidChannel(another, channel.Terms, channel.Id))];
        using Tape tape = new(forged, 4 * Frame, context.Typed);
        for (long sent = 0; ; sent += Frame)
        {
            await stream.SayAsync(tape, sent % tape.Count, Frame);
            await Task.Delay(BetweenFrames);
        }
    }
}
