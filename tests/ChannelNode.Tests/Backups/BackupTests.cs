using System.Formats.Tar;
using ChannelNode.Backups;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Backups;

/// <summary>Backups of a database in use, and what comes of them.</summary>
public sealed class BackupTests : IDisposable
{
    private static readonly string[] NoFiles = [];

    private readonly StoreFolder _folder = new();
    private readonly string _identity;
    private readonly string _recipient;
    private readonly RocksChannelStore _store;

    public BackupTests()
    {
        _identity = In("key");
        _recipient = AgeIdentity.CreateFile(_identity, TimeProvider.System.GetUtcNow()).Text;
        _store = _folder.Open();
        _store.Write(batch =>
        {
            batch.PutChannel(ChannelOf(1));
            batch.PutState(IdOf(1), new ChannelState { Sent = 7, Acknowledged = 7 });
        });
    }

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    private string In(string name) => Path.Combine(_folder.Root, name);

    private static BackupRestore Restorer() => new(StoreInspection.Read, RocksChannelStore.MarkRestored, TimeProvider.System);

    private async Task<string> BackUpAsync(string name = "backup")
    {
        string file = In(name);
        await using FileStream target = File.Create(file);
        await new NodeBackup(_folder.Database, _store.Checkpoint, StoreInspection.Read, TimeProvider.System)
            .WriteAsync([_recipient], target, _ => { }, CancellationToken.None);
        return file;
    }

    private Task<BackupFound> RestoreAsync(string file, string folder, bool keepsTokens = false) =>
        Restorer().RestoreAsync(file, _identity, folder, keepsTokens, CancellationToken.None);

    /// <summary>One that was revoked after the backup would be good again, and nobody would know.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AccessTokensOfABackup_EndWithItsRestoring_UnlessTheyAreToGoOn(bool keepsTokens)
    {
        AccessToken token = new() { Number = 1, Name = "shop", Hash = new Bytes32(1, 2, 3, 4), Scopes = Scopes.Pay, CreatedAtMs = 5 };
        _store.Write(batch =>
        {
            batch.PutAccessToken(token);
            batch.PutAccessToken(token with { Number = 2, RevokedAtMs = 7 });
        });

        await RestoreAsync(await BackUpAsync(), In("restored"), keepsTokens);

        using RocksChannelStore restored = RocksChannelStore.Open(In("restored"), Identity);
        long[] revoked = [.. restored.ReadAccessTokens().Select(it => it.RevokedAtMs)];
        Assert.Equal((keepsTokens, 7), (revoked[0] == 0, revoked[1]));
        Assert.Equal(keepsTokens ? Refusal.None : Refusal.AccessTokenRevoked, restored.ReadAccessTokens()[0].EndedAt(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()));
    }

    [Fact]
    public async Task MadeWhileTheDatabaseIsWritten_HoldsAllThatWasCommittedBefore_AndNothingInPart()
    {
        using CancellationTokenSource enough = new();
        ulong committed = 0;
        Task writing = Task.Run(() =>
        {
            for (ulong total = 1; !enough.IsCancellationRequested; total++)
            {
                _store.Write(
                    batch =>
                    {
                        batch.PutState(IdOf(1), new ChannelState { Sent = 7, Acknowledged = 7, TheirSent = total });
                        batch.PutReceived(Received(total));
                    },
                    durable: total % 8 == 0);
                Volatile.Write(ref committed, total);
            }
        });

        for (int round = 0; round < 5; round++)
        {
            while (Volatile.Read(ref committed) < (ulong)(round + 1) * 500) await Task.Delay(1);
            ulong before = Volatile.Read(ref committed);
            string file = await BackUpAsync($"backup-{round}");
            ulong after = Volatile.Read(ref committed);

            await RestoreAsync(file, In($"restored-{round}"));
            using RocksChannelStore restored = RocksChannelStore.Open(In($"restored-{round}"), Identity);
            ulong stands = (ulong)restored.FindChannel(IdOf(1))!.State.TheirSent;
            Assert.InRange(stands, before, after + 1);
            Assert.Equal(stands, restored.Restorations.Single().Received.After);
            Assert.Equal(stands, (ulong)restored.ReadReceived(0, int.MaxValue).Count);
        }

        await enough.CancelAsync();
        await writing;
        Assert.Equal(NoFiles, Directory.EnumerateDirectories(_folder.Database));
    }

    [Fact]
    public async Task Restored_KnowsSo_AndItsChannelsAreUnconfirmed()
    {
        _store.Write(batch => batch.PutReceived(Received(1, count: 5)));

        BackupFound found = await RestoreAsync(await BackUpAsync(), In("restored"));

        Assert.Equal((1ul, 5ul, IdentityRow.Schema), (found.Rows["channels"], found.ReceivedCursor, found.Schema));
        using (RocksChannelStore restored = RocksChannelStore.Open(In("restored"), Identity))
        {
            Restoration marked = Assert.Single(restored.Restorations);
            Assert.Equal((5, false), ((int)marked.Received.After, marked.IsTold));
            Assert.Equal(found.CreatedAt.ToUnixTimeMilliseconds(), marked.BackupAtMs);
            Assert.Equal(marked.Received.UpTo, restored.ReadReceivedCursor());
            Assert.Equal(marked.Events.UpTo, restored.ReadEventCursor());
            Assert.Equal(1ul, restored.UnconfirmedCount);
            Assert.True(restored.IsUnconfirmed(AddressOf(4), IdOf(1)));
            Assert.False(restored.IsUnconfirmed(AddressOf(3), IdOf(1)));
            Assert.Equal([IdOf(1)], restored.ReadHeld(AddressOf(4), 10));
            Assert.True(restored.IsHeld(AddressOf(4), IdOf(1)));

            restored.Write(batch =>
            {
                batch.DropUnconfirmed(AddressOf(4), IdOf(1));
                batch.PutHeld(AddressOf(4), IdOf(1));
            });
            Assert.Equal((0ul, false), (restored.UnconfirmedCount, restored.IsUnconfirmed(AddressOf(4), IdOf(1))));
        }

        using (RocksChannelStore again = RocksChannelStore.Open(In("restored"), Identity))
        {
            Assert.Equal((0ul, 1), (again.UnconfirmedCount, again.Restorations.Count));
            Assert.Equal((false, true), (again.IsUnconfirmed(AddressOf(4), IdOf(1)), again.IsHeld(AddressOf(4), IdOf(1))));
            Assert.Equal([IdOf(1)], again.ReadHeld(AddressOf(4), 10));
            again.Write(batch => batch.DropHeld(AddressOf(4), IdOf(1)));
            Assert.Equal((0ul, false), (again.UnconfirmedCount, again.IsHeld(AddressOf(4), IdOf(1))));
        }

        Assert.Empty(_store.Restorations);
    }

    [Fact]
    public async Task FolderWithAnythingInIt_IsLeftAlone()
    {
        string file = await BackUpAsync(), folder = In("used");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "mine"), "");

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => RestoreAsync(file, folder));

        Assert.Equal((Refusal.FolderNotEmpty, "--data-dir"), (refused.Refusal, refused.Field));
        Assert.Equal([Path.Combine(folder, "mine")], Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public async Task DamagedFile_LeavesNoFolderBehind()
    {
        string file = await BackUpAsync();
        byte[] bytes = await File.ReadAllBytesAsync(file);
        await File.WriteAllBytesAsync(file, bytes[..^100]);
        HashSet<string> before = [.. Directory.EnumerateFileSystemEntries(_folder.Root)];

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => RestoreAsync(file, In("restored")));

        Assert.Equal(Refusal.BackupDamaged, refused.Refusal);
        Assert.Equal(before, [.. Directory.EnumerateFileSystemEntries(_folder.Root)]);
    }

    [Theory]
    [InlineData("database/../escaped")]
    [InlineData("database/..")]
    [InlineData("/etc/escaped")]
    [InlineData("other/CURRENT")]
    [InlineData("database/sub/CURRENT")]
    public async Task ArchiveThatWouldWriteElsewhere_IsRefused(string name)
    {
        string file = await PackAsync(ManifestOf(In("nothing")), (name, [1]));

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => RestoreAsync(file, In("restored")));

        Assert.Equal(Refusal.BackupDamaged, refused.Refusal);
        Assert.Contains(name, refused.Message);
        Assert.False(File.Exists(In("escaped")));
    }

    [Fact]
    public async Task ManifestThatSaysMoreThanThereIs_IsRefused()
    {
        _store.Checkpoint(In("copy"));
        (string, byte[])[] files =
            [.. Directory.EnumerateFiles(In("copy")).Select(it => ("database/" + Path.GetFileName(it), File.ReadAllBytes(it)))];
        BackupManifest truth = ManifestOf(In("copy"));
        Dictionary<string, ulong> more = new(truth.Rows) { ["channels"] = 2 };

        Assert.Equal(truth.Signer, (await RestoreAsync(await PackAsync(truth, files), In("right"))).Signer);
        foreach (BackupManifest lie in (BackupManifest[])[truth with { Rows = more }, truth with { ChainId = 1 }, truth with { ReceivedCursor = 9 }])
        {
            string file = await PackAsync(lie, files);
            RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => RestoreAsync(file, In("wrong")));
            Assert.Equal(Refusal.BackupDamaged, refused.Refusal);
            Assert.False(Directory.Exists(In("wrong")));
        }
    }

    [Fact]
    public async Task SecondBackupWhileOneIsMade_IsRefusedByName()
    {
        TaskCompletionSource go = new();
        BackupDesk desk = new(async (_, _, _, _) =>
        {
            await go.Task;
            return default;
        });
        Task<BackupMade> first = desk.WriteAsync(["age1"], Stream.Null, _ => { }, CancellationToken.None);

        RefusalException busy = await Assert.ThrowsAsync<RefusalException>(
            () => desk.WriteAsync(["age1"], Stream.Null, _ => { }, CancellationToken.None));
        go.SetResult();
        await first;
        await desk.WriteAsync(["age1"], Stream.Null, _ => { }, CancellationToken.None);

        Assert.Equal(Refusal.NotReady, busy.Refusal);
    }

    [Fact]
    public void EventsBehindAGap_DoNotMakeOlderOnesTooMany()
    {
        OperatorEvent what = new(EventKind.ChannelOpened, EventSeverity.Info, "opened") { TimeMs = 1_000 };
        for (ulong cursor = 1; cursor <= 10; cursor++) _store.Write(batch => batch.PutEvent(what with { Cursor = cursor }));
        _store.MarkRestored(2_000, 1_000);
        ulong next = _store.ReadEventCursor() + 1;
        _store.Write(batch => batch.PutEvent(what with { Cursor = next }));

        _store.TrimEvents(TimeSpan.FromHours(1), 1_000, 3_000);

        Assert.Equal(11, _store.ReadEvents(0, 100).Count);
    }

    private static BackupManifest ManifestOf(string folder) => BackupManifest.Of(
        Directory.Exists(folder)
            ? StoreInspection.Read(folder)
            : new StoreContents(IdentityRow.Schema, Identity, 0, 0, 0, new Dictionary<string, ulong>()),
        DateTimeOffset.UnixEpoch);

    /// <summary>What somebody else, who knows the recipient, could make.</summary>
    private async Task<string> PackAsync(BackupManifest manifest, params (string Name, byte[] Content)[] files)
    {
        string path = In($"packed-{Guid.NewGuid():N}");
        await using FileStream target = File.Create(path);
        await using AgeWriteStream encrypted = new(target, [AgeRecipient.Parse(_recipient)]);
        await using (TarWriter tar = new(encrypted, TarEntryFormat.Pax, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in ((string, byte[])[])[("manifest.json", manifest.Write()), .. files])
                await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
        }

        await encrypted.FinishAsync(CancellationToken.None);
        return path;
    }
}
