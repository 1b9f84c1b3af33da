using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;

namespace ChannelNode.Tests.Storage;

/// <summary>What only a watchtower's database has.</summary>
public sealed class GuardedRowTests : IDisposable
{
    private static readonly StoreIdentity Tower = StoreFolder.Identity with { GuardsOthers = true };

    private static readonly ChannelId Id = StoreFolder.IdOf(0xEE);

    private static readonly GuardedUpdate Guarded = new(
        new BalanceUpdate(Id, 0x1001, 0x06),
        new Signature(StoreFolder.Bytes32Of(0xAA), StoreFolder.Bytes32Of(0xBB), 27),
        new Signature(StoreFolder.Bytes32Of(0xCC), StoreFolder.Bytes32Of(0xDD), 28));

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void GuardedUpdate_LiesAsDocumented()
    {
        string hex = "01" + "021001" + "0106" + Repeat("aa") + Repeat("bb") + "1b" + Repeat("cc") + Repeat("dd") + "1c";
        var row = new RowWriter(new byte[GuardedRow.SizeMax]);
        GuardedRow.Write(ref row, Guarded);
        Assert.Equal(hex, Convert.ToHexStringLower(row.Row));
        Assert.Equal(Guarded, GuardedRow.Read(Id, Convert.FromHexString(hex)));

        var key = new byte[GuardedRow.KeySize];
        GuardedRow.WriteKey(key, Id, Side.B);
        Assert.Equal(Repeat("ee") + "01", Convert.ToHexStringLower(key));
    }

    [Fact]
    public void IdentityOfAWatchtower_LiesAsDocumented()
    {
        var row = new RowWriter(new byte[IdentityRow.SizeMax]);
        IdentityRow.Write(ref row, Tower);
        Assert.EndsWith("5101", Convert.ToHexStringLower(row.Row));
        Assert.Equal(Tower, IdentityRow.Read(row.Row));
        Assert.Throws<StoreException>(() => IdentityRow.Read([.. new byte[52], 2]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void NodeAndWatchtower_AreRefusedInEachOthersDatabase(bool towersFirst)
    {
        (StoreIdentity first, StoreIdentity second) = towersFirst ? (Tower, StoreFolder.Identity) : (StoreFolder.Identity, Tower);
        Open(first).Dispose();

        Assert.Contains("a watchtower", Assert.Throws<StoreException>(() => Open(second)).Message);
    }

    [Fact]
    public void ChannelOfOthers_IsStoredWithBothItsSigners_AndGoesWhole()
    {
        Channel channel = new(
            Id,
            new ChannelTerms(
                new Party(StoreFolder.AddressOf(1), StoreFolder.AddressOf(2)), new Party(StoreFolder.AddressOf(3), StoreFolder.AddressOf(4)),
                Address.Zero, 600, OneWay: false, StoreFolder.Bytes32Of(0x66)),
            Side.A);
        using (RocksChannelStore store = Open(Tower))
        {
            Write(store, batch =>
            {
                batch.PutChannel(channel);
                batch.PutState(Id, default);
                batch.PutPending(Id, Pending.Deposit);
                batch.PutGuarded(Side.A, Guarded);
                batch.PutGuarded(Side.B, Guarded with { Consent = Guarded.Signature });
            });
        }

        using RocksChannelStore reopened = Open(Tower);
        Assert.Equal(1ul, reopened.ChannelCount);
        Assert.Equal(channel, reopened.FindChannel(Id)!.Channel);
        Assert.Equal(Guarded, reopened.FindGuarded(Id, Side.A));
        Assert.Equal(Guarded.Signature, reopened.FindGuarded(Id, Side.B)!.Consent);
        Write(reopened, batch => batch.DropChannel(Id));
        Assert.Null(reopened.FindChannel(Id));
        Assert.Null(reopened.FindGuarded(Id, Side.A) ?? reopened.FindGuarded(Id, Side.B));
        Assert.Empty(reopened.ReadPending());
        Assert.Empty(reopened.ReadChannels(null, 10));
        Assert.Equal(0ul, reopened.ChannelCount);
    }

    private RocksChannelStore Open(StoreIdentity identity) => RocksChannelStore.Open(Path.Combine(_folder, "data"), identity);

    private static void Write(RocksChannelStore store, Action<IStoreBatch> write)
    {
        IStoreBatch batch = store.NewBatch();
        write(batch);
        store.Commit(batch, durable: true);
    }

    private static string Repeat(string hex) => string.Concat(Enumerable.Repeat(hex, 32));
}
