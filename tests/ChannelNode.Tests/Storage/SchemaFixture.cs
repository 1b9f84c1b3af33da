using System.IO.Compression;
using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

/// <summary>
/// Databases as programs of older schemas left them, one zip file for each in Fixtures: with a row of every kind, closed.
/// Before a schema is changed, one is written by <see cref="Write"/>, and <see cref="OlderRows"/> is told its rows; neither is changed again.
/// </summary>
internal static class SchemaFixture
{
    private static readonly ChannelState State = new()
    {
        OnChain = new Pots(1_000, 500, 40, 0, 0),
        EverFunded = true,
        Sent = 90,
        Acknowledged = 83,
        TheirSent = 25,
        TheirReceived = 83,
        TheirSignature = new Signature(Bytes32Of(0xAA), Bytes32Of(0xBB), 27),
    };

    private static readonly Job Job = new()
    {
        Number = 7,
        Kind = JobKind.Deposit,
        Purpose = "deposit/one",
        Channels = [IdOf(1)],
        Call = new ChainCall("deposit", AddressOf(0xC0), 5, new byte[] { 1, 2, 3 }),
        CreatedAtSeconds = 1_700_000_000,
    };

    private static readonly AccessToken Token = new()
    {
        Number = 3,
        Name = "shop",
        Hash = Bytes32Of(0xAB),
        Scopes = Scopes.Pay | Scopes.Channels,
        Methods = ["Pay"],
        Networks = [IPNetwork.Parse("10.0.0.0/8")],
        Caps = [new SpendingCap(AddressOf(0x55), 1, 2, 3, 4) { DepositPerDay = 5, DepositTotal = 6 }],
        RequestsPerSecondMax = 7,
        StreamsMax = 8,
        ChannelsPerDayMax = 9,
        CreatedAtMs = 1_700_000_000_002,
        ExpiresAtSeconds = 1_800_000_000,
    };

    private static readonly Spending Spent = new(3, AddressOf(0x55), Address.Zero, 19_675, 2, 3);

    public static string[] Versions =>
        [.. Directory.EnumerateFiles(Tidy.Repository.PathOf("tests/ChannelNode.Tests/Storage/Fixtures"), "schema-*.zip").Order()];

    public static uint SchemaOf(string zip) => uint.Parse(Path.GetFileNameWithoutExtension(zip)["schema-".Length..]);

    /// <summary>Unpacks a fixture where a test opens it.</summary>
    public static void Unpack(string zip, string folder) => ZipFile.ExtractToDirectory(zip, folder);

    /// <summary>Writes the fixture of the present schema to <paramref name="zip"/>.</summary>
    public static void Write(string zip)
    {
        using StoreFolder folder = new();
        using (RocksChannelStore store = folder.Open()) store.Write(Fill);
        using (RocksChannelStore store = folder.Open()) { } // The log becomes files.
        foreach (string file in Directory.EnumerateFiles(folder.Database))
            if (Path.GetFileName(file) is var name && (name.StartsWith("LOG") || name.StartsWith("OPTIONS") || name == "LOCK")) File.Delete(file);
        ZipFile.CreateFromDirectory(folder.Database, zip, CompressionLevel.SmallestSize, includeBaseDirectory: false);
    }

    public static void Fill(IStoreBatch batch)
    {
        batch.PutChannel(ChannelOf(1));
        batch.PutState(IdOf(1), State);
        batch.PutChannel(ChannelOf(2, Side.B));
        batch.PutState(IdOf(2), default);
        batch.PutPending(IdOf(2), Pending.Deposit);
        batch.PutSent(Outgoing(1, 83), Outgoing(1, 90, "key"));
        batch.PutReceived(Received(1, count: 5));
        batch.PutBlock(new ChainBlock(9, Bytes32Of(9), Bytes32Of(8), 1_700_000_009));
        batch.PutUndo(9, IdOf(1), State with { Sent = 80 });
        batch.PutRecentDeposit(IdOf(1), new RecentDeposit(9, Side.A, 10));
        batch.PutPeerUrl(AddressOf(4), "http://peer:1");
        batch.PutJob(Job);
        batch.PutEvent(new OperatorEvent(EventKind.ChannelOpened, EventSeverity.Info, "opened")
        {
            Cursor = 1,
            TimeMs = 1_700_000_000_000,
            Channels = [IdOf(1)],
        });
        batch.PutAudit(new PolicyAuditEntry(PolicyAuditKind.TierChanged, "met in person")
        {
            Cursor = 1,
            TimeMs = 1_700_000_000_001,
            Peer = AddressOf(4),
            Tier = "verified",
        });
        batch.PutAccessToken(Token);
        batch.PutSpending(Spent);
    }

    /// <summary>Every row is there, as <see cref="Fill"/> wrote it, those aside that the first fixtures were written without.</summary>
    public static void Check(IChannelStore store, uint schema)
    {
        Assert.Equal([new StoredChannel(ChannelOf(1), State), new StoredChannel(ChannelOf(2, Side.B), default)], store.ReadChannels());
        Assert.Equal(2ul, store.ChannelCount);
        Assert.Equal([KeyValuePair.Create(IdOf(2), Pending.Deposit)], store.ReadPending());
        Assert.Equal((UInt128)90, store.FindOutgoing("key")!.Total);
        Assert.Equal([(UInt128)83, 90], store.ReadOutgoing(IdOf(1), 0).Select(payment => payment.Total));
        Assert.Equal((1ul, 5), (store.ReadReceived(0, 100).Single().Run.FirstCursor, store.ReadReceived(0, 100).Single().Run.Count));
        Assert.Equal(5ul, store.ReadReceivedCursor());
        Assert.Equal([9ul], store.ReadBlocks().Select(block => block.Number));
        Assert.Equal([(IdOf(1), State with { Sent = 80 })], store.ReadUndo(8));
        Assert.Equal([(IdOf(1), new RecentDeposit(9, Side.A, 10))], store.ReadRecentDeposits());
        Assert.Equal("http://peer:1", store.ReadPeerUrls()[AddressOf(4)]);
        Assert.Equal((7ul, "deposit/one"), (store.ReadJobs().Single().Number, store.ReadJobs().Single().Purpose));
        Assert.Equal("opened", store.ReadEvents(0, 10).Single().Sentence);
        if (schema == 5) return;
        Assert.Equal(("met in person", "verified", ""), (
            store.ReadAudit(0, 10).Single().Detail, store.ReadAudit(0, 10).Single().Tier, store.ReadAudit(0, 10).Single().Actor));
        if (schema < 9) return;
        AccessToken token = store.ReadAccessTokens().Single();
        Assert.Equal(Token.Methods, token.Methods);
        Assert.Equal(Token.Networks, token.Networks);
        Assert.Equal(Token.Caps, token.Caps);
        Assert.Equal(Token, token with
        {
            Methods = Token.Methods,
            Networks = Token.Networks,
            Caps = Token.Caps,
            Channels = Token.Channels,
        });
        Assert.Empty(token.Channels);
        Assert.Equal([Spent], store.ReadSpending());
    }
}
