using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Storage;

/// <summary>With the real RocksDB: its log is longer than what is in it, and none of that is lost or invented in a crash.</summary>
public sealed class LogAheadTests : IDisposable
{
    private const string Url = "https://shop.example/paid";

    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SmallWrites_LieWithinTheFile()
    {
        using RocksChannelStore store = _folder.Open();
        for (int sent = 1; sent <= 20; sent++) Put(store, sent);
        long length = NewestLog(_folder.Database).Length;

        for (int sent = 21; sent <= 500; sent++) Put(store, sent);

        FileInfo log = NewestLog(_folder.Database);
        Assert.Equal(length, log.Length);
        Assert.InRange(Written(log), 500 * Bytes32.Size, length / 2);
    }

    [Fact]
    public void ManyWrites_AreAlwaysBehindZeros()
    {
        using RocksChannelStore store = _folder.Open();

        for (int sent = 1; sent <= 10_000; sent++)
        {
            Put(store, sent, durable: false);
            if (sent % 500 > 0) continue;
            FileInfo log = NewestLog(_folder.Database);
            Assert.InRange(log.Length - Written(log), 1_000, 2 << 20);
        }

        Assert.True(Written(NewestLog(_folder.Database)) > 512 << 10, "more than is written ahead at a time");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(30)]
    [InlineData(4_000)]
    public void Crash_LosesNothing(int writes)
    {
        string copy;
        using (RocksChannelStore store = _folder.Open())
        {
            for (int sent = 1; sent <= writes; sent++) Put(store, sent, durable: sent % 10 == 0);
            copy = Copy();
        }

        using RocksChannelStore crashed = RocksChannelStore.Open(copy, Identity);
        Assert.Equal(writes, Sent(crashed));
        Put(crashed, writes + 1);
        Assert.Equal(writes + 1, Sent(crashed));
    }

    /// <summary>What a power cut leaves of a write that was not synced: its beginning, and zeros.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(60)]
    public void TornLastWrite_IsAllThatIsLost(int bytesLost)
    {
        string copy;
        using (RocksChannelStore store = _folder.Open())
        {
            for (int sent = 1; sent <= 100; sent++) Put(store, sent);
            copy = Copy();
        }

        FileInfo log = NewestLog(copy);
        long written = Written(log);
        using (FileStream file = log.OpenWrite())
        {
            file.Position = written - bytesLost;
            file.Write(new byte[bytesLost]);
        }

        using RocksChannelStore crashed = RocksChannelStore.Open(copy, Identity);
        Assert.Equal(99, Sent(crashed));
    }

    /// <summary>One log holds rows of a family that is not in its files yet, another is written: both have zeros behind what is in them.</summary>
    [Fact]
    public void CrashWithTwoLogs_LosesNothing()
    {
        string copy;
        using (RocksChannelStore store = _folder.Open())
        {
            FileInfo first = NewestLog(_folder.Database);
            int sent = 0;
            long manifest = ManifestBytes;
            while (NewestLog(_folder.Database).Name == first.Name) Put(store, ++sent, durable: false, payments: 500);
            Put(store, ++sent);
            Assert.True(SpinWait.SpinUntil(() => ManifestBytes > manifest, TimeSpan.FromMinutes(1)), "the full family in a file");
            copy = Copy();
            FileInfo older = new(Path.Combine(copy, first.Name));
            Assert.True(older.Exists && NewestLog(copy).Name != first.Name, "two logs");
            using (FileStream file = older.Open(FileMode.Append)) file.Write(new byte[100_000]);

            using RocksChannelStore crashed = RocksChannelStore.Open(copy, Identity);
            Assert.Equal(sent, Sent(crashed));
            Assert.Equal(store.ReadReceivedCursor(), crashed.ReadReceivedCursor());
        }
    }

    [Fact]
    public void NextLog_IsWrittenAheadToo()
    {
        using RocksChannelStore store = _folder.Open();
        string first = NewestLog(_folder.Database).Name;
        int sent = 0;
        while (NewestLog(_folder.Database).Name == first) Put(store, ++sent, durable: false, payments: 500);
        Thread.Sleep(50); // Longer than a tick of the file system's clock.

        for (int small = 0; small < 20; small++) Put(store, ++sent);

        FileInfo log = NewestLog(_folder.Database);
        Assert.InRange(log.Length - Written(log), 1_000, 2 << 20);
    }

    /// <summary>A file that has a log's name and a higher number than any of RocksDB's is taken for one, but not for long.</summary>
    [Theory]
    [InlineData("notes.log", 4)]
    [InlineData("99999999.log", 4 + (1 << 20))]
    public void OthersFiles_DoNotGrow(string name, int most)
    {
        using RocksChannelStore store = _folder.Open();
        FileInfo theirs = new(Path.Combine(_folder.Database, name));
        File.WriteAllText(theirs.FullName, "mine");

        for (int sent = 1; sent <= 30_000; sent++) Put(store, sent, durable: false);

        theirs.Refresh();
        Assert.InRange(theirs.Length, 4, most);
        Assert.Equal(30_000, Sent(store));
    }

    [Fact]
    public void LargeWrites_HaveNoZerosBetween()
    {
        using RocksChannelStore store = _folder.Open();

        for (int sent = 1; sent <= 100; sent++) Put(store, sent, durable: false, payments: sent % 2 * 10_000);

        FileInfo log = NewestLog(_folder.Database);
        Assert.InRange(log.Length - Written(log), 0, 16);
    }

    /// <summary>Whoever writes to the log writes from where it stands, which now and then is the file's end: never is that lost.</summary>
    [Fact]
    public async Task ZerosBesideAWriter_AreNeverOverWhatItWrote()
    {
        string path = Path.Combine(_folder.Root, "000001.log");
        const int Bytes = 200_000;
        using FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        int written = 0;
        Task zeros = Task.Run(() =>
        {
            while (Volatile.Read(ref written) < Bytes) LogAhead.AppendTo(path, [0]);
        });

        for (; written < Bytes; Volatile.Write(ref written, written + 1)) RandomAccess.Write(file.SafeFileHandle, [1], written);

        await zeros;
        Assert.Equal(-1, File.ReadAllBytes(path).AsSpan(0, Bytes).IndexOf((byte)0));
    }

    /// <summary>The webhooks' cursors are written by threads of their own.</summary>
    [Fact]
    public async Task CrashWhileOthersWrite_LosesNothing()
    {
        string copy;
        using (RocksChannelStore store = _folder.Open())
        {
            Task others = Task.Run(() =>
            {
                for (ulong cursor = 1; cursor <= 3_000; cursor++) store.PutWebhookCursor(Url, WebhookTopic.Payments, cursor);
            });
            for (int sent = 1; sent <= 3_000; sent++) Put(store, sent, durable: sent % 10 == 0);
            await others;
            copy = Copy();
        }

        using RocksChannelStore crashed = RocksChannelStore.Open(copy, Identity);
        Assert.Equal(3_000, Sent(crashed));
        Assert.Equal(3_000ul, crashed.ReadWebhookCursor(Url, WebhookTopic.Payments));
    }

    /// <summary>The file's end is where it would be: nobody's disk fills with zeros of nodes that have stopped.</summary>
    [Fact]
    public void ClosedLog_HasNoZeros()
    {
        using (RocksChannelStore store = _folder.Open())
        {
            for (int sent = 1; sent <= 20; sent++) Put(store, sent);
            Assert.True(NewestLog(_folder.Database).Length > 100_000);
        }

        FileInfo log = NewestLog(_folder.Database);
        Assert.InRange(log.Length - Written(log), 0, 16);
    }

    private void Put(RocksChannelStore store, int sent, bool durable = true, int payments = 0) => store.Write(
        batch =>
        {
            if (sent == 1) batch.PutChannel(ChannelOf(1));
            batch.PutState(IdOf(1), new ChannelState { Sent = (UInt128)sent });
            if (payments > 0) batch.PutReceived(Received(store.ReadReceivedCursor() + 1, payments));
        },
        durable);

    private static int Sent(RocksChannelStore store) => (int)Assert.Single(store.ReadChannels()).State.Sent;

    private static FileInfo NewestLog(string database) => new DirectoryInfo(database).EnumerateFiles("*.log")
        .MaxBy(file => ulong.Parse(Path.GetFileNameWithoutExtension(file.Name), CultureInfo.InvariantCulture))!;

    /// <summary>Bytes up to the last that is not zero; the rows here end in a few that are.</summary>
    private static long Written(FileInfo log)
    {
        using FileStream file = log.Open(FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] all = new byte[file.Length];
        file.ReadExactly(all);
        return all.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
    }

    private long ManifestBytes => new DirectoryInfo(_folder.Database).EnumerateFiles("MANIFEST-*").Sum(file => file.Length);

    /// <summary>What a crash now would leave; while it is copied no file may come or go.</summary>
    private string Copy()
    {
        string copy = Path.Combine(_folder.Root, "copy");
        Directory.CreateDirectory(copy);
        foreach (FileInfo file in new DirectoryInfo(_folder.Database).EnumerateFiles().Where(file => file.Name != "LOCK"))
            file.CopyTo(Path.Combine(copy, file.Name));
        return copy;
    }
}
