using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;

namespace ChannelNode.Tests.Engine;

/// <summary>What of a channel watchtowers are told about.</summary>
public sealed class GuardMarksTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private bool IsMarked => _rig.Marks.TryTake(out ChannelSlot? slot) && slot == _rig.Slot;

    /// <summary>Each costs a signature here and two verifications there, and is of use only where the peer has signed something newer.</summary>
    [Fact]
    public async Task Channel_IsMarkedWhenThePeerPays_AndNotWhenThisNodeDoes()
    {
        await _rig.AnswerAsync(Of(Update(Side.B, 5, 0, 5)));
        Assert.True(IsMarked);

        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 3, "", _ => { }), CancellationToken.None);
        await _rig.Session.HearAsync(Acknowledged(3));
        await _rig.Ledger.RunAsync(turn => true, CancellationToken.None);
        Assert.Equal((UInt128)3, _rig.Slot.State.Acknowledged);
        Assert.False(IsMarked);

        await _rig.AnswerAsync(Of(Update(Side.B, 7, 0, 2)));
        Assert.True(IsMarked);
    }
}
