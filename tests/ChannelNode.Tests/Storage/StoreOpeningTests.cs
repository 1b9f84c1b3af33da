using ChannelNode.Engine;
using ChannelNode.Storage;
using RocksDbSharp;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

public sealed class StoreOpeningTests : IDisposable
{
    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void MissingFolder_IsMadeForItsOwnerOnly()
    {
        using RocksChannelStore store = _folder.Open();

        if (OperatingSystem.IsWindows()) return;
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
            File.GetUnixFileMode(_folder.Database));
    }

    /// <summary>As volumes and provisioning make it.</summary>
    [Fact]
    public void FolderMadeBefore_IsClosedToOthers_AndOneWithADatabaseIsLeftAsItIs()
    {
        if (OperatingSystem.IsWindows()) return;
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(_folder.Database);
        File.SetUnixFileMode(_folder.Database, owner | UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        Assert.True(StoreOpening.IsOpenToOthers(_folder.Database));

        _folder.Open().Dispose();
        Assert.Equal(owner, File.GetUnixFileMode(_folder.Database));
        Assert.False(StoreOpening.IsOpenToOthers(_folder.Database));
        File.SetUnixFileMode(_folder.Database, owner | UnixFileMode.GroupRead);
        _folder.Open().Dispose();
        Assert.True(StoreOpening.IsOpenToOthers(_folder.Database));
    }

    [Fact]
    public void FolderThatIsAFile_IsRefusedByName()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.Database)!);
        File.WriteAllText(_folder.Database, "");

        Assert.Contains(_folder.Database, Assert.Throws<StoreException>(_folder.Open).Message);
    }

    [Fact]
    public void SecondOpenInThisProcess_IsRefusedByName()
    {
        using RocksChannelStore first = _folder.Open();

        StoreException refused = Assert.Throws<StoreException>(_folder.Open);
        Assert.Contains(_folder.Database, refused.Message);
        Assert.Contains("in use by another process", refused.Message);
    }

    [Fact]
    public async Task SecondProcess_IsRefusedByName()
    {
        using RocksChannelStore first = _folder.Open();
        using StoreChild child = StoreChild.Start(_folder.Database);

        string said = await child.ReadToEndAsync();
        Assert.Contains($"The database in {_folder.Database} is in use by another process", said);
    }

    [Theory]
    [InlineData(1, 0xC0, 0x51)]
    [InlineData(31337, 0xC1, 0x51)]
    [InlineData(31337, 0xC0, 0x52)]
    public void OtherIdentity_IsRefusedNamingBoth(ulong chainId, byte contract, byte signer)
    {
        _folder.Open().Dispose();
        var other = new StoreIdentity(chainId, AddressOf(contract), AddressOf(signer));

        string message = Assert.Throws<StoreException>(() => RocksChannelStore.Open(_folder.Database, other)).Message;
        Assert.Contains($"belongs to chain 31337, contract {AddressOf(0xC0)}, signer {AddressOf(0x51)}", message);
        Assert.Contains($"is chain {chainId}, contract {AddressOf(contract)}, signer {AddressOf(signer)}", message);
        _folder.Open().Dispose();
    }

    [Fact]
    public void DataWithoutIdentity_IsRefused()
    {
        using (RocksChannelStore store = _folder.Open()) store.Write(batch => batch.PutReceived(Received(1)));
        Tamper(StoreSchema.Meta, "identity"u8.ToArray(), null);

        Assert.Contains("does not say whose it is", Assert.Throws<StoreException>(_folder.Open).Message);
    }

    [Fact]
    public void IdempotencyKeyThatPointsAtNothing_IsCorrupt()
    {
        using (RocksChannelStore store = _folder.Open()) store.Write(batch => batch.PutOutgoing(Outgoing(1, 1, "k")));
        Tamper("sent@0", "kk"u8.ToArray(), row => row[^1] = 2);

        using RocksChannelStore reopened = _folder.Open();
        Assert.Throws<StoreException>(() => reopened.FindOutgoing("k"));
    }

    [Fact]
    public void DurableCommit_SyncsTheLog_AndTheOtherDoesNot()
    {
        DbOptions options = StoreSchema.DatabaseOptions().EnableStatistics();
        using RocksChannelStore store = _folder.Open(options);
        long before = SyncsOf(options);

        store.Write(batch => batch.PutReceived(Received(1)), durable: false);
        Assert.Equal(before, SyncsOf(options));
        store.Write(batch => batch.PutReceived(Received(2)), durable: true);
        Assert.Equal(before + 1, SyncsOf(options));
    }

    private static long SyncsOf(DbOptions options)
    {
        string line = options.GetStatisticsString().Split('\n').Single(line => line.StartsWith("rocksdb.wal.synced "));
        return long.Parse(line[(line.IndexOf(':') + 1)..]);
    }

    /// <summary>Changes one row of a closed database behind its back; null removes it.</summary>
    private void Tamper(string family, byte[] key, Action<byte[]>? change)
    {
        using RocksDb database = StoreOpening.Open(_folder.Database, StoreSchema.DatabaseOptions()).Database;
        ColumnFamilyHandle handle = database.GetColumnFamily(family);
        byte[] row = database.Get(key, handle);
        change?.Invoke(row);
        if (change is null) database.Remove(key, handle);
        else database.Put(key, row, handle);
    }
}
