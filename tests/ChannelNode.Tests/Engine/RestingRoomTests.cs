using System.Collections;
using System.Reflection;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Google.Protobuf;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>
/// What is used again keeps its room for the next time, but not that of the largest use there ever was: sessions are many, and
/// each may have been large once.
/// </summary>
public sealed class RestingRoomTests : IAsyncLifetime
{
    /// <summary>A list keeps room for so many.</summary>
    private const int KeptMax = 4_096;
    private const int RefusalsKeptMax = 64;
    private const int BufferBytesMax = 64 * 1024;

    private const int Many = KeptMax + 1_000;

    private readonly LedgerRig _rig = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private static ChannelId IdOf(int number) => new(new Bytes32(9, 9, 9, (ulong)number));

    private static ByteString BytesOf(ChannelId id) => ByteString.CopyFrom(id.Value.ToArray());

    [Fact]
    public void FrameThatWasLarge_KeepsLittleOfItsRoom()
    {
        OutgoingFrame frame = new();
        Fill(frame, Many, paymentBytes: 10);
        Assert.All(RoomsOf(frame, "_acknowledgements", "_updates", "Refusals", "_buffers"), room => Assert.InRange(room, Many, int.MaxValue));

        frame.Clear();

        Assert.All(RoomsOf(frame), room => Assert.InRange(room, 0, KeptMax));
        Assert.InRange(frame.Refusals.Capacity, 0, RefusalsKeptMax);
        Assert.InRange(Assert.Single(ListsOf(frame, "_buffers")).Count, 0, KeptMax);
        Fill(frame, 3, paymentBytes: 10); // And it is used again.
        Assert.Equal((3, 3, 30), (frame.Updates.Length, frame.Acknowledgements.Length, frame.PaymentBytes));
    }

    [Fact]
    public void FrameOfUsualSize_KeepsItsRoom_AndOfItsBuffersTheSmallOnes()
    {
        OutgoingFrame frame = new();
        Fill(frame, 3, paymentBytes: 100);
        frame.Append(1, new byte[BufferBytesMax + 1]);
        object small = frame.Updates[0].Payments, large = frame.Updates[1].Payments, other = frame.Updates[2].Payments;

        frame.Clear();
        Fill(frame, 3, paymentBytes: 1);

        Assert.Equal([small, other], [frame.Updates[0].Payments, frame.Updates[1].Payments]);
        Assert.NotSame(large, frame.Updates[2].Payments);
        Assert.All(frame.Updates.ToArray(), update => Assert.Equal((1, true), (update.Payments.WrittenCount, update.Payments.Capacity <= BufferBytesMax)));
    }

    [Fact]
    public void BatchThatWasLarge_KeepsLittleOfItsRoom_WhenItRests()
    {
        ChannelSlot[] slots = [.. Enumerable.Range(0, Many).Select(Add)];
        PeerBatch batch = _rig.Commons.Batches.Get();
        batch.Add(Frames.Of(Crowd(slots)), new PeerChannels(_rig.Book, _rig.Link.Signer));
        string[] lists = ["_updates", "_runs", "_acknowledgements", "_refused", "_newestRuns"];
        Assert.All(RoomsOf(batch, lists), room => Assert.InRange(room, Many, int.MaxValue));

        _rig.Commons.Batches.Return(batch);

        Assert.Same(batch, _rig.Commons.Batches.Get());
        Assert.All(RoomsOf(batch), room => Assert.InRange(room, 0, KeptMax));
        Assert.Equal((0, 0, 0L, true), (batch.Runs.Length, batch.Updates.Length, batch.Weight, batch.HasRoom));
    }

    [Fact]
    public void BatchOfUsualSize_KeepsItsRoom()
    {
        ChannelSlot[] slots = [.. Enumerable.Range(0, 100).Select(Add)];
        PeerBatch batch = _rig.Commons.Batches.Get();
        batch.Add(Frames.Of(Crowd(slots)), new PeerChannels(_rig.Book, _rig.Link.Signer));
        int[] rooms = RoomsOf(batch);

        _rig.Commons.Batches.Return(batch);

        Assert.Equal(rooms, RoomsOf(batch));
    }

    private ChannelSlot Add(int number)
    {
        ChannelSlot slot = new(Sample.Channel() with { Id = IdOf(number) }, Sample.Funded(1_000, 1_000), _rig.Links);
        _rig.Book.Add(slot);
        return slot;
    }

    /// <summary>An update and an acknowledgement in each channel, and as many updates in channels that nobody knows.</summary>
    private static Wire.Frame Crowd(ChannelSlot[] slots)
    {
        Wire.Frame frame = new();
        for (int number = 0; number < slots.Length; number++)
        {
            frame.Updates.Add(Of(slots[number].Channel.Id));
            frame.Updates.Add(Of(IdOf(slots.Length + number)));
            frame.Acknowledgements.Add(new Wire.Acknowledgement
            {
                ChannelId = BytesOf(slots[number].Channel.Id),
                Received = ByteString.CopyFrom(new byte[16]),
            });
        }

        return frame;

        static Wire.Update Of(ChannelId id) => new()
        {
            ChannelId = BytesOf(id),
            Sent = ByteString.CopyFrom(new byte[16]),
            Received = ByteString.CopyFrom(new byte[16]),
            Signature = ByteString.CopyFrom(new byte[65]),
        };
    }

    private static void Fill(OutgoingFrame frame, int count, int paymentBytes)
    {
        for (int number = 0; number < count; number++)
        {
            frame.Add(new OutgoingAcknowledgement(IdOf(number), 1, 1, false, default));
            frame.Add(new BalanceUpdate(IdOf(number), 1, 1), new byte[paymentBytes], wantsReceipt: false);
            frame.Refusals.Add(new RefusedUpdate(IdOf(number), 1, Refusal.WrongSigner));
        }
    }

    private static ICollection[] ListsOf(object owner, params string[] names) =>
    [
        .. owner.GetType().GetFields(BindingFlags.Instance | BindingFlags.NonPublic)
            .Where(field => names.Length == 0 || names.Contains(field.Name) || names.Any(name => field.Name == $"<{name}>k__BackingField"))
            .Select(field => field.GetValue(owner)).OfType<ICollection>(),
    ];

    /// <summary>Of each list that it has, whoever may look at it; of the named ones where some are named.</summary>
    private static int[] RoomsOf(object owner, params string[] names)
    {
        int[] rooms = [.. ListsOf(owner, names).Select(list => (int)list.GetType().GetProperty("Capacity")!.GetValue(list)!)];
        Assert.InRange(rooms.Length, Math.Max(names.Length, 4), 20);
        return rooms;
    }
}
