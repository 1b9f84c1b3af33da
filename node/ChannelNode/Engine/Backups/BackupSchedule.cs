using System.Globalization;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Backs the node up into a folder again and again, and keeps the newest. When it is next due is read off the files there, so a
/// restart neither skips one nor adds one. A failure is told as an event and tried again; the node goes on. The names say whose they are:
/// several nodes may have one folder.
/// </summary>
internal sealed class BackupSchedule(BackupDesk desk, Address signer, Ledger ledger, NodeClock clock, NodeOptions options, ILogger log)
{
    private const string Ending = ".age";
    private const string TimeForm = "yyyyMMdd'T'HHmmss'Z'";

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(10);

    private readonly string _prefix = $"channelnode-{signer.ToString().ToLowerInvariant()[2..10]}-";
    private DateTimeOffset _notBefore = DateTimeOffset.MinValue;

    /// <summary>How old the newest backup is; null where there is none.</summary>
    public TimeSpan? Age
    {
        get
        {
            try
            {
                return NewestIn(options.BackupTo) is { } newest ? clock.Time.GetUtcNow() - newest : null;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        using PeriodicTimer timer = new(LookEvery, clock.Time);
        try
        {
            do
            {
                await LookAsync(stopping);
            }
            while (await timer.WaitForNextTickAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    /// <summary>Makes a backup if one is due; lets go of the oldest when it is whole.</summary>
    public async Task LookAsync(CancellationToken cancel)
    {
        DateTimeOffset now = clock.Time.GetUtcNow();
        if (now < _notBefore) return;
        try
        {
            if (NewestIn(options.BackupTo) is { } newest && now < newest + TimeSpan.FromHours(options.BackupEveryHours)) return;
            foreach (string cutOff in Directory.EnumerateFiles(options.BackupTo, _prefix + "*" + Ending + ".*" + AtomicFile.Unfinished)) File.Delete(cutOff);
            string path = Path.Combine(options.BackupTo, _prefix + now.UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture) + Ending);
            BackupMade made;
            await using (AtomicFile file = AtomicFile.Create(path, replaces: true))
            {
                made = await desk.WriteAsync(options.BackupRecipients, file.Content, RequireRoom, cancel);
                await file.FinishAsync(cancel);
            }

            log.BackedUp(path, made.Channels, made.Block);
            foreach (string old in FilesIn(options.BackupTo).Where(file => TimeOf(file) <= now).SkipLast(options.BackupKeep)) File.Delete(old);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or RefusalException)
        {
            _notBefore = now + RetryAfter;
            await TellAsync(error, cancel);
        }
    }

    /// <summary>A backup may lie on the database's own disk: it takes nothing of what is kept there for disputes.</summary>
    private void RequireRoom(ulong bytes)
    {
        DriveInfo target = new(options.BackupTo), data = new(options.DataDirectory);
        ulong free = (ulong)target.AvailableFreeSpace, kept = target.TotalSize == data.TotalSize ? options.DiskReserveBytes : 0;
        if (free >= bytes && free - bytes >= kept) return;
        throw new RefusalException(
            Refusal.DiskLow, $"{free >> 20} MiB are left there, expected {(bytes >> 20) + 1} MiB for it"
            + (kept > 0 ? $" and --disk-reserve, {kept >> 20} MiB" : ""));
    }

    private async Task TellAsync(Exception error, CancellationToken cancel)
    {
        try
        {
            await ledger.TellAsync(
                new OperatorEvent(EventKind.BackupFailed, EventSeverity.Alarm, $"no backup was made in {options.BackupTo}: {error.Message}"),
                cancel);
        }
        catch (RefusalException)
        {
            // The node is stopping.
        }
    }

    /// <summary>Whole ones, oldest first: their names say when.</summary>
    private string[] FilesIn(string folder) =>
        [.. Directory.EnumerateFiles(folder, _prefix + "*" + Ending).Where(file => TimeOf(file) is not null).Order(StringComparer.Ordinal)];

    /// <summary>One that was made while the machine's clock was ahead is none: it would keep all others from being made.</summary>
    private DateTimeOffset? NewestIn(string folder) =>
        FilesIn(folder).Select(TimeOf).LastOrDefault(time => time <= clock.Time.GetUtcNow());

    private DateTimeOffset? TimeOf(string file) => DateTimeOffset.TryParseExact(
        Path.GetFileNameWithoutExtension(file)[_prefix.Length..], TimeForm, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
        out DateTimeOffset time)
        ? time
        : null;
}
