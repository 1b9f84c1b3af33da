using System.Buffers;
using BenchmarkDotNet.Attributes;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Signing;
using ChannelNode.Storage;
using Google.Protobuf;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks;

/// <summary>
/// From a frame's bytes to verified updates, as a session does it, for each update: of as many channels, and of one
/// channel, where the newest stands for all. Allocates nothing.
/// </summary>
[MemoryDiagnoser]
public class FrameBenchmarks
{
    /// <summary>In each frame.</summary>
    public const int Updates = 64;

    /// <summary>Those that stand between a peer's frame and the commit.</summary>
    public static readonly string[] HotPath = [nameof(DistinctChannels), nameof(OneChannel)];

    private readonly PrivateKey _ours = PrivateKey.Generate();
    private readonly PrivateKey _theirs = PrivateKey.Generate();
    private readonly List<ChannelSlot> _slots = []; // The book lets go of channels that nobody holds.
    private string _folder = null!;
    private RocksChannelStore _store = null!;
    private PeerChannels _channels = null!;
    private PeerBatch _batch = null!;
    private byte[] _distinct = null!;
    private byte[] _coalesced = null!;

    [GlobalSetup]
    public void Setup()
    {
        Address contract = new(1, 2, 3);
        SignatureScheme scheme = new(_ours, 31337, contract), peer = new(_theirs, 31337, contract);
        _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
        _store = RocksChannelStore.Open(_folder, new StoreIdentity(31337, contract, _ours.Address));
        PeerLinks links = new();
        ChannelBook book = new(_store, links, 1_024);
        Wire.Frame distinct = new(), coalesced = new();
        for (int number = 1; number <= Updates; number++)
        {
            ChannelTerms terms = new(
                new Party(_theirs.Address, _theirs.Address), new Party(_ours.Address, _ours.Address),
                Address.Zero, 3_600, OneWay: false, new Bytes32(0, 0, 0, (ulong)number));
            Channel channel = new(scheme.IdOf(terms), terms, Side.B);
            ChannelState funded = new() { OnChain = new Pots(1_000, 0, 0, 0, 0), EverFunded = true };
            _slots.Add(new ChannelSlot(channel, funded, links));
            book.Add(_slots[^1]);
            distinct.Updates.Add(Say(peer, channel.Id, 10));
            if (number == 1)
            {
                for (uint sent = 1; sent <= Updates; sent++) coalesced.Updates.Add(Say(peer, channel.Id, sent));
            }
        }

        _channels = new PeerChannels(book, _theirs.Address);
        _batch = new PeerBatch(scheme, 65_536);
        _distinct = Bytes(distinct);
        _coalesced = Bytes(coalesced);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark(OperationsPerInvoke = Updates)]
    public int DistinctChannels() => Verify(_distinct);

    [Benchmark(OperationsPerInvoke = Updates)]
    public int OneChannel() => Verify(_coalesced);

    private int Verify(byte[] message)
    {
        _batch.Add(PeerFrameReader.TryRead(new ReadOnlySequence<byte>(message))!, _channels);
        _batch.Verify(0, _batch.Runs.Length);
        int verified = 0;
        foreach (ref readonly UpdateRun run in _batch.Runs) verified += run.Newest >= 0 ? 1 : 0;
        _batch.Clear();
        return verified;
    }

    private static Wire.Update Say(SignatureScheme peer, ChannelId id, uint sent)
    {
        byte[] total = new byte[16];
        total[15] = (byte)sent;
        return new Wire.Update
        {
            ChannelId = ByteString.CopyFrom(id.Value.ToArray()),
            Sent = ByteString.CopyFrom(total),
            Received = ByteString.CopyFrom(new byte[16]),
            Signature = ByteString.CopyFrom(peer.Sign(new BalanceUpdate(id, sent, 0)).ToArray()),
        };
    }

    private static byte[] Bytes(Wire.Frame frame) =>
        new Wire.ExchangeRequest { Message = new Wire.PeerMessage { Frame = frame } }.ToByteArray();
}
