using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Cli;
using ChannelNode.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Backups;

public sealed class BackupScheduleTests : IAsyncLifetime
{
    private readonly StoreFolder _folder = new();
    private readonly Clock _clock = new();
    private readonly RocksChannelStore _store;
    private readonly Ledger _ledger;
    private readonly string _to;
    private ulong _reserve = 1;
    private bool _fails;
    private int _made;

    public BackupScheduleTests()
    {
        _to = Directory.CreateDirectory(Path.Combine(_folder.Root, "backups")).FullName;
        _store = _folder.Open();
        _ledger = new Ledger(
            new ChannelBook(_store, new PeerLinks(), 1_024), _store, new ChainView(null, _clock, TimeSpan.FromDays(1)), new NodeClock(_clock),
            Options, NullLogger<Ledger>.Instance);
        _ledger.Start();
    }

    private NodeOptions Options => ChannelNode.Cli.CommonFlags.Defaults with
    {
        DataDirectory = _folder.Root,
        DiskReserveBytes = _reserve,
        BackupTo = _to,
        BackupRecipients = ["age1"],
        BackupEveryHours = 6,
        BackupKeep = 2,
    };

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _store.Dispose();
        _folder.Dispose();
    }

    private static readonly Address Alice = new(0xA11CE000_00000000, 0, 0), Bob = new(0xB0B00000_00000000, 0, 0);

    private BackupSchedule ScheduleOf(Address signer) =>
        new(new BackupDesk(WriteAsync), signer, _ledger, new NodeClock(_clock), Options, NullLogger.Instance);

    private Task LookAsync(Address? signer = null) => ScheduleOf(signer ?? Alice).LookAsync(CancellationToken.None);

    private async Task<BackupMade> WriteAsync(IReadOnlyList<string> recipients, Stream to, Action<ulong> begins, CancellationToken cancel)
    {
        begins(3);
        await to.WriteAsync(new byte[] { 1, 2, 3 }, cancel);
        if (_fails) throw new IOException("the disk is full");
        _made++;
        return default;
    }

    private string[] Files => [.. Directory.EnumerateFiles(_to).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    [Fact]
    public async Task DueByTheNewestFile_AlsoAfterARestart_AndOnlyTheNewestStay()
    {
        File.WriteAllText(Path.Combine(_to, "channelnode-mine.age"), "somebody else's");
        foreach (int hours in (int[])[0, 3, 3, 6, 6]) // At 0, 3, 6, 12 and 18 o'clock; each look is a new start.
        {
            _clock.Now += TimeSpan.FromHours(hours);
            await LookAsync();
            await LookAsync();
        }

        Assert.Equal(4, _made);
        Assert.Equal(
            ["channelnode-a11ce000-20260101T120000Z.age", "channelnode-a11ce000-20260101T180000Z.age", "channelnode-mine.age"], Files);
    }

    /// <summary>Neither is taken for the other's, nor let go of by it.</summary>
    [Fact]
    public async Task NodesThatShareAFolder_EachHaveTheirOwn()
    {
        for (int day = 0; day < 4; day++)
        {
            await LookAsync(Alice);
            await LookAsync(Bob);
            _clock.Now += TimeSpan.FromHours(6);
        }

        Assert.Equal(8, _made);
        Assert.Equal(2, Files.Count(file => file.StartsWith("channelnode-a11ce000-", StringComparison.Ordinal)));
        Assert.Equal(2, Files.Count(file => file.StartsWith("channelnode-b0b00000-", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task OneThatAWrongClockHasDated_KeepsNoneFromBeingMade_AndIsNoBackupsAge()
    {
        foreach (string year in (string[])["2036", "2037"]) // As many as are kept.
            File.WriteAllText(Path.Combine(_to, $"channelnode-a11ce000-{year}0101T000000Z.age"), "of the future");
        Assert.Null(ScheduleOf(Alice).Age);

        await LookAsync();
        _clock.Now += TimeSpan.FromHours(2);

        await LookAsync();
        Assert.Equal(1, _made);
        Assert.Equal(TimeSpan.FromHours(2), ScheduleOf(Alice).Age);
        Assert.Null(ScheduleOf(Bob).Age);
    }

    [Fact]
    public async Task WhatADeathHasCutOff_IsGone_WithTheNextOne()
    {
        File.WriteAllText(Path.Combine(_to, "channelnode-a11ce000-20251231T000000Z.age.0123.part"), "a part");
        File.WriteAllText(Path.Combine(_to, "channelnode-b0b00000-20251231T000000Z.age.0123.part"), "a part of another's");

        await LookAsync();

        Assert.Equal(["channelnode-a11ce000-20260101T000000Z.age", "channelnode-b0b00000-20251231T000000Z.age.0123.part"], Files);
    }

    /// <summary>It may lie on the database's own disk.</summary>
    [Fact]
    public async Task OneThatWouldTakeOfTheReserve_IsNotMade_AndThatIsTold()
    {
        _reserve = 1UL << 60;

        await LookAsync();

        Assert.Empty(Files);
        Assert.Contains("MiB for it and --disk-reserve", Assert.Single(_store.ReadEvents(0, 10)).Sentence);
    }

    [Fact]
    public async Task Failure_IsToldAsAnAlarm_LeavesNothingBehind_AndCostsNoOlderOne()
    {
        await LookAsync();
        _clock.Now += TimeSpan.FromHours(6);
        _fails = true;

        await LookAsync();

        OperatorEvent told = Assert.Single(_store.ReadEvents(0, 10));
        Assert.Equal((EventKind.BackupFailed, EventSeverity.Alarm), (told.Kind, told.Severity));
        Assert.Contains("the disk is full", told.Sentence);
        Assert.Equal(["channelnode-a11ce000-20260101T000000Z.age"], Files);

        _fails = false;
        await LookAsync();
        Assert.Equal(2, Files.Length);
    }

    [Fact]
    public async Task FolderThatIsNotThere_IsToldAsAnAlarm()
    {
        Directory.Delete(_to);

        await LookAsync();

        Assert.Contains(_to, Assert.Single(_store.ReadEvents(0, 10)).Sentence);
    }

    [Fact]
    public async Task WithoutARecipient_TheNodeDoesNotStart()
    {
        (CliRun run, NodeOptions? options) = await CliRun.RunNodeAsync(
            "--data-dir", "alice", "--rpc-url", "ws://127.0.0.1:8545", "--contract", Address.Zero.ToString(), "--backup-to", _to);

        Assert.Null(options);
        Assert.StartsWith("error: INVALID_ARGUMENT: --backup-recipient: needed with --backup-to", run.Error);
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
