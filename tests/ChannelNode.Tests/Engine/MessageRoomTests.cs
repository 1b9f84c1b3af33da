using ChannelNode.Core;
using ChannelNode.Engine;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

public sealed class MessageRoomTests
{
    private readonly FundedPeers _funded = new(_ => [], NullLogger.Instance);

    private static MessageRoom.Part Enter(MessageRoom room, byte signer, long bytes)
    {
        MessageRoom.Part part = room.Enter();
        part.Signer = new Address(0, 0, signer);
        part.Add(bytes);
        return part;
    }

    [Fact]
    public void AboveTheLimit_WhoHoldsMost_GivesWay_AndNobodyElse()
    {
        MessageRoom room = new(100, funded: null);
        MessageRoom.Part small = Enter(room, 1, 30), large = Enter(room, 2, 60);
        Assert.Equal((90, false), (room.Held, room.IsCrowded));
        RefusalException? told = null;
        large.OnEnd(why => told = why);

        small.Add(11);

        Assert.Equal((41, 1, false), (room.Held, room.Ended, room.IsCrowded));
        Assert.Null(small.Why);
        Assert.Equal((Refusal.TooManyBytes, "message", "100"), (told!.Refusal, told.Field, told.Limit));
        Assert.Same(told, large.Why);
    }

    [Fact]
    public void WhatIsExactlyTheLimit_HasRoom()
    {
        MessageRoom room = new(100, funded: null);
        MessageRoom.Part part = Enter(room, 1, 100);

        Assert.Null(part.Why);
        part.Add(1);
        Assert.NotNull(part.Why);
    }

    /// <summary>Else who has many calls would have as many times as much as who has one.</summary>
    [Fact]
    public void CallsOfOneToken_CountTogether_AndTheLargestOfThemGivesWay()
    {
        MessageRoom room = new(100, funded: null);
        object token = new(), other = new();
        MessageRoom.Part[] many = [.. Enumerable.Range(13, 4).Select(bytes => Enter(room, 0, bytes))];
        MessageRoom.Part one = Enter(room, 0, 30);
        foreach (MessageRoom.Part part in many) part.Holder = token;
        one.Holder = other;

        one.Add(13);

        Assert.Null(one.Why);
        Assert.Equal([true, true, true, false], many.Select(part => part.Why is null));
    }

    [Fact]
    public void Stranger_GivesWay_BeforeAPeerWithAFundedChannel_ThatHoldsMore()
    {
        MessageRoom room = new(100, _funded);
        _funded.Add(new Address(0, 0, 2));
        MessageRoom.Part funded = Enter(room, 2, 80), stranger = Enter(room, 1, 5), another = Enter(room, 3, 10), silent = Enter(room, 4, 0);

        funded.Add(6);
        Assert.NotNull(another.Why);
        Assert.Null(stranger.Why);
        funded.Add(10);
        Assert.NotNull(stranger.Why);
        Assert.Null(funded.Why);
        funded.Add(10);
        Assert.NotNull(funded.Why);
        Assert.Null(silent.Why);
        Assert.Equal(0, room.Held);
    }

    [Fact]
    public void WhatACallHeld_IsGivenBackOnce_HoweverItEnds()
    {
        MessageRoom room = new(100, funded: null);
        MessageRoom.Part ended = Enter(room, 1, 101), left = Enter(room, 2, 40);
        Assert.NotNull(ended.Why);

        ended.Add(-50);
        ended.Add(70);
        ended.Dispose();
        Assert.Equal(40, room.Held);
        left.Dispose();
        left.Add(-40);
        left.Dispose();
        Assert.Equal(0, room.Held);
    }

    /// <summary>A few callers that end no message must not make a crowd of all others.</summary>
    [Fact]
    public void CrowdIsOfWhatIsUnderWay_AndOfNothingElse()
    {
        MessageRoom room = new(100, funded: null);
        MessageRoom.Part working = Enter(room, 1, 0);
        Enter(room, 2, 45);

        working.AddWork(51);
        Assert.Equal((96, true), (room.Held, room.IsCrowded));
        working.AddWork(-1);
        Assert.Equal((95, false), (room.Held, room.IsCrowded));
        working.AddWork(30); // Too much in all: the fattest leaves with its work.
        Assert.NotNull(working.Why);
        Assert.Equal((45, false), (room.Held, room.IsCrowded));
    }

    [Fact]
    public void WhoHearsOfItLate_HearsOfItStill()
    {
        MessageRoom room = new(100, funded: null);
        MessageRoom.Part part = Enter(room, 1, 101);
        RefusalException? told = null;

        part.OnEnd(why => told = why);

        Assert.Equal(Refusal.TooManyBytes, told?.Refusal);
    }
}
