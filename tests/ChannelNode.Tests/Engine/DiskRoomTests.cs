using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;
using static ChannelNode.Tests.Engine.Frames;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Engine;

/// <summary>A disk that fills up costs nobody a payment that counts, and the operator hears of it while something can be done.</summary>
public sealed class DiskRoomTests : IAsyncLifetime
{
    private const ulong MiB = 1 << 20;
    private const ulong Reserve = 256 * MiB;

    private readonly LedgerRig _rig = new(options => options with { DiskReserveBytes = Reserve });

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private static Wire.Update Pays(UInt128 sent, params UInt128[] amounts) => Update(Side.B, sent, 0, amounts);

    private Task FreeAsync(ulong bytes) => _rig.Ledger.RunAsync(
        turn =>
        {
            _rig.Ledger.Disk.Take(bytes, turn);
            return true;
        },
        CancellationToken.None);

    private IEnumerable<string> Told() => _rig.Store.ReadEvents(0, 100).Select(what => $"{what.Kind} {what.Severity}");

    [Fact]
    public async Task WhatIsLeft_IsToldOnceForEachLimit_AndNotWithEveryFileThatComesAndGoes()
    {
        foreach (ulong free in (ulong[])[1_000 * MiB, 513 * MiB]) await FreeAsync(free);
        Assert.Empty(Told());
        foreach (ulong free in (ulong[])[511 * MiB, 515 * MiB, 500 * MiB, 575 * MiB]) await FreeAsync(free);
        Assert.Equal(["DiskLow Warning"], Told());
        foreach (ulong free in (ulong[])[255 * MiB, 0, 287 * MiB]) await FreeAsync(free);
        Assert.Equal(["DiskLow Warning", "DiskLow Alarm"], Told());
        Assert.True(_rig.Ledger.Disk.IsLow);
        await FreeAsync(289 * MiB);
        Assert.False(_rig.Ledger.Disk.IsLow);
        Assert.Equal(["DiskLow Warning", "DiskLow Alarm", "DiskLow Warning"], Told());
        await FreeAsync(577 * MiB);
        Assert.Equal(["DiskLow Warning", "DiskLow Alarm", "DiskLow Warning", "DiskBack Info"], Told());
        string low = _rig.Store.ReadEvents(1, 1).Single().Sentence;
        Assert.StartsWith("255 MiB are left on the database's disk, less than --disk-reserve, 256 MiB: nothing is paid, accepted, opened or newly guarded", low);
    }

    [Fact]
    public async Task FullAtOnce_AndEmptyAtOnce_IsTwoEvents()
    {
        await FreeAsync(0);
        await FreeAsync(ulong.MaxValue);
        Assert.Equal(["DiskLow Alarm", "DiskBack Info"], Told());
    }

    [Fact]
    public async Task WithoutALimit_NothingIsTold()
    {
        await using LedgerRig none = new(options => options with { DiskReserveBytes = 0 });
        await none.Ledger.RunAsync(
            turn =>
            {
                none.Ledger.Disk.Take(0, turn);
                return true;
            },
            CancellationToken.None);

        Assert.False(none.Ledger.Disk.IsLow);
        Assert.Empty(none.Store.ReadEvents(0, 10));
    }

    [Fact]
    public async Task WhileItIsLow_WhatPeersPayIsRefusedByName_AndTakenWhenThereIsRoomAgain()
    {
        await _rig.AnswerAsync(Of(Pays(10, 10)));
        await FreeAsync(Reserve - 1);

        OutgoingFrame refused = await _rig.AnswerAsync(Of(Pays(30, 20), Pays(60, 30)));
        OutgoingFrame old = await _rig.AnswerAsync(Of(Pays(10, 10))); // What counts already is acknowledged again.
        await FreeAsync(ulong.MaxValue);
        OutgoingFrame taken = await _rig.AnswerAsync(Of(Pays(60, 50)));

        Assert.Equal([Refusal.DiskLow, Refusal.DiskLow], refused.Refusals.Select(refusal => refusal.Reason));
        Assert.Equal(0, refused.Acknowledgements.Length);
        Assert.Empty(old.Refusals);
        Assert.Equal((UInt128)60, taken.Acknowledgements[0].Received);
        Assert.Equal((UInt128)60, _rig.Slot.State.TheirTotal);
    }

    /// <summary>Else who asks again and again would fill a disk that is low: what is written over takes room too, in the log.</summary>
    [Fact]
    public async Task WhatCountsAlready_IsAcknowledgedAgain_AndNothingIsWritten()
    {
        await _rig.AnswerAsync(Of(Pays(10, 10)));
        long commits = _rig.Ledger.Counts.Commits;

        OutgoingFrame again = await _rig.AnswerAsync(Of(Pays(10, 10)));

        Assert.Equal((UInt128)10, again.Acknowledgements[0].Received);
        Assert.Equal(commits, _rig.Ledger.Counts.Commits);
        await _rig.AnswerAsync(Of(Pays(15, 5)));
        Assert.Equal((commits + 1, (UInt128)15), (_rig.Ledger.Counts.Commits, _rig.Slot.State.TheirSent));
    }

    /// <summary>Paid before: a repeated key is answered. Nothing new is signed.</summary>
    [Fact]
    public async Task WhileItIsLow_NothingIsPaid_AndWhatWasPaidIsAnswered()
    {
        Task<PaymentOutcome> first = PayAsync("first");
        OutgoingFrame said = await _rig.SaidAsync();
        Assert.Equal((UInt128)7, said.Updates[0].Balance.Sent);
        await _rig.AnswerAsync(Acknowledged(7));
        Assert.Equal(Refusal.None, (await first).Refusal);
        await FreeAsync(0);

        Assert.Equal(Refusal.DiskLow, (await PayAsync("second")).Refusal);
        PaymentOutcome again = await PayAsync("first");
        Assert.Equal((Refusal.None, true), (again.Refusal, again.Repeated));
        await FreeAsync(ulong.MaxValue);
        Task<PaymentOutcome> later = PayAsync("second");
        await _rig.AnswerAsync(Acknowledged(14));
        PaymentOutcome paid = await later;
        Assert.Equal((Refusal.None, (UInt128)14), (paid.Refusal, paid.Total));
    }

    private async Task<PaymentOutcome> PayAsync(string key)
    {
        TaskCompletionSource<PaymentOutcome> outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await _rig.Ledger.EnqueueAsync(new NotedPayment(_rig.Slot, 7, key, outcome.SetResult), CancellationToken.None);
        return await outcome.Task;
    }
}
