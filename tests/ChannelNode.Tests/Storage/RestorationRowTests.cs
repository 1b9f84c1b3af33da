using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;

namespace ChannelNode.Tests.Storage;

/// <summary>As it lies on disks: a change here needs a new version byte, not a new fixture.</summary>
public sealed class RestorationRowTests
{
    private const string Rest =
        "0000018bcfe56801" + "0000018bcfe56800" + "0000000000000005" + "0000100000000005" + "0000000000000006" + "0000100000000006";

    private const string Hex = "02" + "03" + Rest + "000000006553ff8c";

    private static readonly Restoration Restored =
        new(1_700_000_000_001, 1_700_000_000_000, CursorGap.Behind(5), CursorGap.Behind(6), IsTold: true)
        {
            HeldUntilSeconds = 1_700_003_724,
            IsReleased = true,
        };

    [Fact]
    public void Restoration_LiesAsDocumented()
    {
        var row = new RowWriter(new byte[RestorationRow.Size]);
        RestorationRow.Write(ref row, Restored);

        Assert.Equal(Hex, Convert.ToHexStringLower(row.Row));
        Assert.Equal(Restored, RestorationRow.Read(Convert.FromHexString(Hex)));
        Assert.Equal("726573746f72656400000002", Convert.ToHexStringLower(RestorationRow.Key(2)));
    }

    [Theory]
    [InlineData("03")] // A version, and flags, of a later program.
    [InlineData("0204")]
    public void RowOfALaterProgram_IsRefused(string start) =>
        Assert.Throws<StoreException>(() => RestorationRow.Read(Convert.FromHexString(start + Hex[start.Length..])));

    /// <summary>The program that wrote it knew of no hold: where it has run, what was accepted since is accepted.</summary>
    [Theory]
    [InlineData("00", false)]
    [InlineData("01", true)]
    public void RowWithoutAHold_IsHeldOnlyWhereItsProgramNeverRan(string flags, bool hasRun) =>
        Assert.Equal(
            Restored with { IsTold = hasRun, IsReleased = hasRun, HeldUntilSeconds = 0 },
            RestorationRow.Read(Convert.FromHexString("01" + flags + Rest)));

    [Fact]
    public void Gap_IsBridgedFromItsEdgeToItsEdgeOnly_AndCoversWhatLiesBetween()
    {
        CursorGap gap = CursorGap.Behind(5);

        Assert.True(gap.Bridges(5, gap.UpTo + 1));
        Assert.False(gap.Bridges(4, gap.UpTo + 1));
        Assert.False(gap.Bridges(6, gap.UpTo + 1));
        Assert.False(gap.Bridges(5, gap.UpTo + 2));
        Assert.Equal((false, true, true, false), (gap.Covers(5), gap.Covers(6), gap.Covers(gap.UpTo - 1), gap.Covers(gap.UpTo)));
    }

    /// <summary>Of the cursors in a gap none was ever given: nobody has missed them.</summary>
    [Fact]
    public void WhatLiesBetweenTwoCursors_IsCountedWithoutGaps()
    {
        CursorGap one = CursorGap.Behind(5), other = CursorGap.Behind(one.UpTo + 3);
        ulong Count(ulong after, ulong upTo) => CursorGap.CountBetween([one, other], after, upTo);

        ulong[] counts =
            [Count(3, 5), Count(3, one.UpTo + 2), Count(one.UpTo - 9, one.UpTo + 3), Count(0, other.UpTo + 2), Count(6, one.UpTo), Count(9, 9)];
        Assert.Equal([2, 4, 3, 10, 0, 0], counts);
        Assert.Equal(7ul, CursorGap.CountBetween([], 3, 10));
    }
}
