using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

/// <summary>What tests of upgrades begin with is what older programs have left.</summary>
public sealed class OlderRowsTests : IDisposable
{
    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Fixtures => [.. SchemaFixture.Versions];

    /// <summary>Between, the present program has written every row anew.</summary>
    [Theory]
    [MemberData(nameof(Fixtures))]
    public void FixtureBroughtUpAndTakenDownAgain_IsTheFixture_ToTheByte(string zip)
    {
        string original = Path.Combine(_folder.Root, "original");
        SchemaFixture.Unpack(zip, original);
        SchemaFixture.Unpack(zip, _folder.Database);
        using (RocksChannelStore store = _folder.Open()) store.Write(batch => WriteAnew(store, batch));

        int changed = OlderRows.TakeDown(_folder.Database, SchemaFixture.SchemaOf(zip));

        Assert.Equal(OlderRows.Read(original), OlderRows.Read(_folder.Database));
        // From 8 to 9 such rows changed as no program of 8 could have left.
        Assert.Equal(SchemaFixture.SchemaOf(zip) switch { 5 or 7 or 9 => 1, 6 => 2, _ => 0 }, changed);
    }

    /// <summary>From schema to schema, with all that the present one can say.</summary>
    [Fact]
    public void PresentDatabase_TakenDownStepByStep_ChangesAtEachAndIsBroughtUpFromEach()
    {
        using (RocksChannelStore store = _folder.Open())
            store.Write(SchemaFixture.Fill);

        foreach (uint schema in SchemaFixture.Versions.Select(SchemaFixture.SchemaOf).OrderDescending())
        {
            Assert.InRange(OlderRows.TakeDown(_folder.Database, schema), 1, int.MaxValue);
            using RocksChannelStore store = _folder.Open();
            Assert.Equal(schema, store.MigratedFrom);
            SchemaFixture.Check(store, schema);
        }
    }

    [Fact]
    public void StateThatNoOlderProgramCouldBeIn_IsNotTakenDown()
    {
        using (RocksChannelStore store = _folder.Open())
        {
            store.Write(batch =>
            {
                batch.PutChannel(ChannelOf(1));
                batch.PutState(IdOf(1), new ChannelState { EverFunded = true, Sent = 9, SentUnrecorded = 4 });
            });
        }

        OlderRows.TakeDown(_folder.Database, 9);
        Assert.Throws<InvalidOperationException>(() => OlderRows.TakeDown(_folder.Database, 8));
    }

    private static void WriteAnew(IChannelStore store, IStoreBatch batch)
    {
        foreach (StoredChannel stored in store.ReadChannels()) batch.PutState(stored.Channel.Id, stored.State);
        foreach ((ChannelId channel, Pending pending) in store.ReadPending()) batch.PutPending(channel, pending);
        foreach ((ChannelId channel, ChannelState before) in store.ReadUndo(8)) batch.PutUndo(9, channel, before);
        foreach ((ChannelId channel, RecentDeposit deposit) in store.ReadRecentDeposits()) batch.PutRecentDeposit(channel, deposit);
        foreach ((Address peer, string url) in store.ReadPeerUrls()) batch.PutPeerUrl(peer, url);
        foreach (ChainBlock block in store.ReadBlocks()) batch.PutBlock(block);
        foreach (Job job in store.ReadJobs()) batch.PutJob(job);
        foreach (OperatorEvent what in store.ReadEvents(0, int.MaxValue)) batch.PutEvent(what);
        foreach (PolicyAuditEntry entry in store.ReadAudit(0, int.MaxValue)) batch.PutAudit(entry);
        foreach (AccessToken token in store.ReadAccessTokens()) batch.PutAccessToken(token);
        foreach (Spending spent in store.ReadSpending()) batch.PutSpending(spent);
        foreach (JournalledRun run in store.ReadReceived(0, int.MaxValue)) batch.PutReceived(run.Run, run.Payments.Span);
    }
}
