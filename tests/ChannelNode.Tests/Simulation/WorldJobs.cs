using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Every job once: in the end each says what the chain says, none was done twice, every transaction is a job's, and nothing
/// was done more often than it was asked for.
/// </summary>
internal sealed class WorldJobs(ChannelWorld world)
{
    private readonly Dictionary<(WorldPlace, JobKind, ChannelId), int> _asked = [];

    /// <summary>An operator asks for something. However many ask for the same, it is done once at most for each.</summary>
    public void Asked(WorldPlace place, JobKind kind, ChannelId channel) =>
        _asked[(place, kind, channel)] = _asked.GetValueOrDefault((place, kind, channel)) + 1;

    public void CheckTheEnd()
    {
        List<(NetworkTransaction Transaction, MinedTransaction Mined, bool Brought)> mined = [];
        for (NetworkBlock? block = world.Network.Head; block is not null; block = block.Parent)
            mined.AddRange(block.Mined.Select(it => (it.Transaction, it.Mined, block.Brought.Contains(it.Transaction.Hash))));
        foreach (WorldHome home in world.Homes)
        {
            var own = mined.Where(it => it.Transaction.From == home.Account).ToArray();
            if (home is WorldPlace place) CheckAsked(place, own);
            CheckNobodyElseIsSeen(home, own);
            if (!home.IsUp || home.Process!.Jobs.HasActive) continue; // A cheat that is silent at last.
            Job[] jobs = [.. home.Process.Jobs.All.Select(it => it.Job)];
            foreach (Job job in jobs.Where(job => !IsDoneAnew(job, jobs))) CheckJob(home, job, own);
            CheckEveryOneIsAJobs(home, jobs, own);
        }
    }

    /// <summary>The chain has taken back what protects, and another job for the same has done it again: that one says how it stands.</summary>
    private static bool IsDoneAnew(Job job, Job[] jobs) => job.IsProtective && jobs.Any(
        later => later.Number > job.Number && later.Purpose == job.Purpose && later.Status == JobStatus.Done);

    private static void CheckJob(WorldHome home, Job job, (NetworkTransaction Transaction, MinedTransaction Mined, bool Brought)[] own)
    {
        string what = $"job {job.Number} of {home.Name}, {job.Purpose}, is {job.Status}";
        var done = own.Where(it => it.Mined.Succeeded && job.Attempts.Any(
            attempt => attempt.Kind == AttemptKind.Completing && attempt.Hash == it.Transaction.Hash)).ToArray();
        // Where a machine that lags does not know it is mined, what protects is sent again at once: then it brings nothing more.
        int count = job.IsProtective ? done.Count(it => it.Brought) : done.Length;
        Assert.True(count <= 1, $"{what}, and was done {count} times");
        bool isAnothers = job is { Kind: JobKind.Unblock, Receipt: null }; // The nonce was used, so nothing was to be done.
        if (job.Status == JobStatus.Done && !isAnothers)
            Assert.True(done.Any(it => it.Mined.Receipt == job.Receipt), $"{what} by {job.Receipt}, and the chain has {done.Length} of it");
        // Of a restored node: what its lost self had begun it leaves to whoever looks.
        else if (job is { PutsMoneyIn: true, Refusal: not Refusal.RestoredUnconfirmed })
            Assert.True(done.Length == 0, $"{what}, and the chain has it");
    }

    /// <summary>
    /// Nobody else has the keys here: an alarm that says so would keep the node from new transactions for nothing. But a restored node may
    /// take for somebody else's what its lost self had sent, and was mined only later, or so shortly before that a machine that lags did not show it:
    /// the pool may not have shown it either.
    /// </summary>
    private static void CheckNobodyElseIsSeen(
        WorldHome home, (NetworkTransaction Transaction, MinedTransaction Mined, bool Brought)[] own)
    {
        if (home.Process is not { } process) return;
        HashSet<Bytes32> known = [.. process.Jobs.All.SelectMany(it => it.Job.Attempts).Select(attempt => attempt.Hash)];
        if (home is WorldPlace { ForgottenSinceBlock: { } since } place && own.Any(it => it.Mined.Receipt.BlockNumber + place.Options.ConfirmationsLarger > since
            && place.ForgottenTransactions.Contains(it.Transaction.Hash) && !known.Contains(it.Transaction.Hash))) return;
        OperatorEvent? alarm = process.Store.ReadEvents(0, int.MaxValue).FirstOrDefault(what => what.Kind == EventKind.KeyShared);
        Assert.True(alarm is null, $"{home.Name} takes its own transaction for somebody else's: {alarm?.Sentence}");
        Assert.False(process.Jobs.IsKeyShared);
    }

    /// <summary>Each was on disk, as a job's, before it was told.</summary>
    private static void CheckEveryOneIsAJobs(
        WorldHome home, Job[] jobs, (NetworkTransaction Transaction, MinedTransaction Mined, bool Brought)[] own)
    {
        HashSet<Bytes32> known = [.. jobs.SelectMany(job => job.Attempts).Select(attempt => attempt.Hash)];
        if (home is WorldPlace place) known.UnionWith(place.ForgottenTransactions);
        foreach ((NetworkTransaction transaction, _, _) in own)
            Assert.True(known.Contains(transaction.Hash), $"{home.Name} does not know its transaction: {transaction.Call.Text}");
    }

    private void CheckAsked(WorldPlace place, (NetworkTransaction Transaction, MinedTransaction Mined, bool Brought)[] own)
    {
        foreach (Channel channel in world.Channels)
        {
            Check(JobKind.StartClose, own.Count(it => it.Mined.Succeeded
                && it.Transaction.Call is ContractCall.StartClose start && start.Channel == channel.Id));
            Check(JobKind.Close, own.Count(it => it.Mined.Succeeded
                && it.Transaction.Call is ContractCall.Close close && close.Channel == channel.Id));

            void Check(JobKind kind, int done)
            {
                int asked = _asked.GetValueOrDefault((place, kind, channel.Id));
                Assert.True(done <= asked, $"{place.Name} was asked {asked} times for {kind} of {channel.Id}, and has done it {done} times");
            }
        }
    }

    /// <summary>It takes no funds: what it sends carries none, and only presents, settles or takes a nonce's place.</summary>
    public static void CheckTower(NetworkBlock block)
    {
        foreach ((NetworkTransaction sent, _) in block.Mined.Where(it => it.Transaction.From == WorldTower.Key))
        {
            bool isHarmless = sent.Value == 0 && sent.Call is ContractCall.Dispute or ContractCall.Claim or ContractCall.Nothing;
            Assert.True(isHarmless, $"the tower sends {sent.Value}: {sent.Call.Text}");
        }
    }
}
