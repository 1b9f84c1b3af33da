using ChannelNode.Storage;
using RocksDbSharp;
using Xunit;

namespace ChannelNode.Tests.Storage;

public sealed class SchemaMigrationTests : IDisposable
{
    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Fixtures => [.. SchemaFixture.Versions];

    /// <summary>Before a schema is changed: CHANNELNODE_WRITE_FIXTURE=.../schema-N.zip, with N what it is until then.</summary>
    [Fact]
    public void FixtureOfThePresentSchema_IsWrittenWhenAskedFor()
    {
        if (Environment.GetEnvironmentVariable("CHANNELNODE_WRITE_FIXTURE") is { } zip) SchemaFixture.Write(zip);
    }

    [Fact]
    public void EverySchemaThatCanBeBroughtUp_HasAFixture()
    {
        IEnumerable<uint> older = Enumerable.Range(0, int.MaxValue).Select(step => StoreMigrations.Oldest + (uint)step)
            .TakeWhile(schema => schema < IdentityRow.Schema);

        Assert.Equal(older, SchemaFixture.Versions.Select(SchemaFixture.SchemaOf).Order());
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void OlderDatabase_IsBroughtUpOnce_WithEveryRow(string zip)
    {
        SchemaFixture.Unpack(zip, _folder.Database);

        using (RocksChannelStore store = _folder.Open())
        {
            Assert.Equal(SchemaFixture.SchemaOf(zip), store.MigratedFrom);
            SchemaFixture.Check(store, SchemaFixture.SchemaOf(zip));
            Assert.Empty(store.Restorations);
        }

        using RocksChannelStore again = _folder.Open();
        Assert.Equal(0u, again.MigratedFrom);
        SchemaFixture.Check(again, SchemaFixture.SchemaOf(zip));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void OlderDatabaseOfSomebodyElse_IsRefusedAndLeftAsItIs(string zip)
    {
        SchemaFixture.Unpack(zip, _folder.Database);

        Assert.Throws<StoreException>(
            () => RocksChannelStore.Open(_folder.Database, StoreFolder.Identity with { Signer = StoreFolder.AddressOf(0x52) }));

        Assert.Equal(SchemaFixture.SchemaOf(zip), SchemaIn(_folder.Database));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void OlderDatabase_CanBeInspected_AndIsLeftAsItIs(string zip)
    {
        SchemaFixture.Unpack(zip, _folder.Database);

        Assert.Equal((SchemaFixture.SchemaOf(zip), 2ul), (
            StoreInspection.Read(_folder.Database).Schema, StoreInspection.Read(_folder.Database).Rows["channels"]));
        Assert.Equal(SchemaFixture.SchemaOf(zip), SchemaIn(_folder.Database));
    }

    [Theory]
    [InlineData(IdentityRow.Schema + 1, "A newer program wrote it")]
    [InlineData(StoreMigrations.Oldest - 1, "brings 5 and later up to it")]
    public void SchemaOutOfReach_IsRefusedNamingBoth(uint schema, string hint)
    {
        _folder.Open().Dispose();
        using (RocksDb database = StoreOpening.Open(_folder.Database, StoreSchema.DatabaseOptions()).Database)
        {
            ColumnFamilyHandle meta = database.GetColumnFamily(StoreSchema.Meta);
            byte[] row = database.Get(IdentityRow.Key, meta);
            row[3] = (byte)schema;
            database.Put(IdentityRow.Key, row, meta);
        }

        foreach (Action open in (Action[])[() => _folder.Open(), () => StoreInspection.Read(_folder.Database)])
        {
            string message = Assert.Throws<StoreException>(open).Message;
            Assert.Contains($"has schema {schema}; this program knows schema {IdentityRow.Schema}", message);
            Assert.Contains(hint, message);
        }
    }

    private static uint SchemaIn(string folder)
    {
        DbOptions options = StoreSchema.DatabaseOptions();
        ColumnFamilies families = [];
        foreach (string name in RocksDb.ListColumnFamilies(options, folder))
            if (name != "default") families.Add(name, new ColumnFamilyOptions());
        using RocksDb database = RocksDb.OpenReadOnly(options, folder, families, false);
        return database.Get(IdentityRow.Key, database.GetColumnFamily(StoreSchema.Meta))[3];
    }
}
