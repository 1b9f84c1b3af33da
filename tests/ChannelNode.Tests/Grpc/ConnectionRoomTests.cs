using System.Net;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Simulation;
using Microsoft.AspNetCore.Connections;
using Xunit;

namespace ChannelNode.Tests.Grpc;

/// <summary>Who has a place for a connection, and who makes room.</summary>
public sealed class ConnectionRoomTests
{
    private readonly SimulatedTime _time = new();
    private readonly DoorCounts _counts = new("test");
    private int _ended;

    private ConnectionRoom New(int max, int perAddressMax) => new(max, perAddressMax, _time, _counts);

    private ConnectionRoom.Place? Enter(ConnectionRoom room, string address) =>
        room.Enter(new IPEndPoint(IPAddress.Parse(address), 1_234), () => Interlocked.Increment(ref _ended));

    [Fact]
    public void AddressThatHasAsManyAsOneMay_GetsNoMore_UntilOneIsOver_AndOthersDo()
    {
        ConnectionRoom room = New(100, 2);
        ConnectionRoom.Place first = Enter(room, "192.0.2.1")!;
        Assert.NotNull(Enter(room, "192.0.2.1"));

        Assert.Null(Enter(room, "192.0.2.1"));
        Assert.Null(Enter(room, "::ffff:192.0.2.1"));
        Assert.NotNull(Enter(room, "192.0.2.2"));
        Assert.Equal((2, 3), (_counts.RefusedOfAddress, room.Open));

        first.Dispose();
        first.Dispose(); // Once is enough.
        Assert.NotNull(Enter(room, "192.0.2.1"));
        Assert.Null(Enter(room, "192.0.2.1"));
    }

    /// <summary>Behind one address there may be many; who holds places there without a call keeps nobody out.</summary>
    [Fact]
    public void AddressThatIsFull_MakesRoomForItself_FromWhoHasBeenWithoutACallForLongest()
    {
        ConnectionRoom room = New(100, 2);
        ConnectionRoom.Place calls = Enter(room, "192.0.2.1")!;
        calls.Begin();
        Assert.NotNull(Enter(room, "192.0.2.2"));
        Assert.NotNull(Enter(room, "192.0.2.1"));
        Assert.Null(Enter(room, "192.0.2.1"));

        _time.Advance(1_000);
        Assert.NotNull(Enter(room, "192.0.2.1"));
        Assert.Null(Enter(room, "192.0.2.1"));
        Assert.Equal((1, 2, 3), (_counts.UnusedEnded, _counts.RefusedOfAddress, room.Open));
    }

    [Theory]
    [InlineData("2001:db8::1", "2001:db8::ffff:1", true)]
    [InlineData("2001:db8:0:0:8000::1", "2001:db8::2", true)]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:2::1", false)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("127.0.0.2", "127.0.0.2", true)]
    public void AddressesOfOneSubscriber_CountAsOne(string one, string other, bool areOne)
    {
        ConnectionRoom room = New(100, 1);
        Assert.NotNull(Enter(room, one));

        Assert.Equal(areOne, Enter(room, other) is null);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    public void ThisMachine_WhereAProxyMayStand_HasNoLimitOfItsOwn(string address)
    {
        ConnectionRoom room = New(3, 1);

        for (int count = 0; count < 3; count++) Assert.NotNull(Enter(room, address));

        Assert.NotNull(New(3, 1).Enter(null, () => { })); // A unix socket.
        Assert.Null(Enter(room, address));
        Assert.Equal((0, 1), (_counts.RefusedOfAddress, _counts.RefusedOfAll));
    }

    [Fact]
    public void WherePlacesAreShort_WhoHasBeenWithoutACallForLongestMakesRoom()
    {
        ConnectionRoom room = New(4, 100);
        ConnectionRoom.Place calls = Enter(room, "192.0.2.1")!, called = Enter(room, "192.0.2.2")!;
        calls.Begin();
        called.Begin();
        Assert.NotNull(Enter(room, "192.0.2.3"));
        _time.Advance(500);
        called.End();
        Assert.NotNull(Enter(room, "192.0.2.4"));

        Assert.Null(Enter(room, "192.0.2.5")); // Nobody has been without a call for a second.
        _time.Advance(600);
        Assert.NotNull(Enter(room, "192.0.2.5"));
        Assert.Null(Enter(room, "192.0.2.6"));
        Assert.Equal((1, 2, 4), (_counts.UnusedEnded, _counts.RefusedOfAll, room.Open));

        _time.Advance(100_000);
        for (int more = 0; more < 3; more++) Assert.NotNull(Enter(room, "192.0.2.7"));
        Assert.Null(Enter(room, "192.0.2.7")); // All others have come just now, and one has a call.
        Assert.Equal((4, 4), (_counts.UnusedEnded, room.Open));
        SpinWait.SpinUntil(() => Volatile.Read(ref _ended) == 4, TimeSpan.FromSeconds(10));
        Assert.Equal(4, _ended);
        calls.End();
        called.Dispose(); // It was ended before.
        Assert.Equal(4, room.Open);
    }

    [Fact]
    public async Task ThoseWithoutAPlace_AreToldInTheLog_TheFirstAtOnce_TheOthersOnceAMinute()
    {
        LoggedLines lines = new();
        ConnectionRoom room = new(2, 1, _time, _counts) { Refused = new RefusedConnections(_counts, _time, lines) };
        TaskCompletionSource over = new();
        ConnectionDelegate serve = room.Limit(_ => over.Task);
        Task served = Task.WhenAll(serve(From("192.0.2.1")), serve(From("192.0.2.2")));
        Assert.Empty(lines.All);

        await serve(From("192.0.2.1"));
        Assert.Equal([Said(1, 1, 0)], lines.All);
        await serve(From("192.0.2.1"));
        await serve(From("192.0.2.3"));
        await serve(From("192.0.2.4"));
        _time.Advance(59_999);
        Assert.Single(lines.All);
        _time.Advance(1);
        Assert.Equal([Said(1, 1, 0), Said(3, 1, 2)], lines.All);

        _time.Advance(600_000);
        Assert.Equal(2, lines.All.Count);
        Assert.Equal(long.MaxValue, _time.NextDueMs);
        over.SetResult();
        await served;

        static ConnectionContext From(string address) =>
            new DefaultConnectionContext { RemoteEndPoint = new IPEndPoint(IPAddress.Parse(address), 1_234) };

        static string Said(int count, int ofAddress, int ofAll) =>
            $"Door test: {count} connections were closed for want of a place, {ofAddress} because their address had as many as "
            + $"--connections-per-address-max lets one have, {ofAll} because all of the door's were taken";
    }

    [Fact]
    public void WhileThereIsRoom_NobodyHasToGo_AndLessPatienceIsHadAsItGetsShort()
    {
        ConnectionRoom room = New(8, 100);
        for (int count = 0; count < 6; count++) Assert.NotNull(Enter(room, $"192.0.2.{count}"));
        _time.Advance(9_999);
        Assert.NotNull(Enter(room, "192.0.2.7"));
        Assert.Equal(0, _counts.UnusedEnded);

        _time.Advance(1);
        Assert.NotNull(Enter(room, "192.0.2.8"));
        Assert.Equal((1, 7), (_counts.UnusedEnded, room.Open));
    }
}
