using System.Globalization;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Backs the node up into a folder again and again, and keeps the newest. When it is next due is read off the files there, so a
/// restart neither skips one nor adds one. A failure is told as an event and tried again; the node goes on.
/// </summary>
internal sealed class BackupSchedule(BackupDesk desk, Ledger ledger, NodeClock clock, NodeOptions options, ILogger log)
{
    private const string Prefix = "channelnode-";
    private const string Ending = ".age";
    private const string TimeForm = "yyyyMMdd'T'HHmmss'Z'";

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(10);

    private DateTimeOffset _notBefore = DateTimeOffset.MinValue;

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
            string path = Path.Combine(options.BackupTo, Prefix + now.UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture) + Ending);
            BackupMade made;
            await using (AtomicFile file = AtomicFile.Create(path, replaces: true))
            {
                made = await desk.WriteAsync(options.BackupRecipients, file.Content, _ => { }, cancel);
                await file.FinishAsync(cancel);
            }

            log.BackedUp(path, made.Channels, made.Block);
            foreach (string old in FilesIn(options.BackupTo).SkipLast(options.BackupKeep)) File.Delete(old);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or RefusalException)
        {
            _notBefore = now + RetryAfter;
            await TellAsync(error, cancel);
        }
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
    private static string[] FilesIn(string folder) =>
        [.. Directory.EnumerateFiles(folder, Prefix + "*" + Ending).Where(file => TimeOf(file) is not null).Order(StringComparer.Ordinal)];

    private static DateTimeOffset? NewestIn(string folder) => FilesIn(folder) is [.., var newest] ? TimeOf(newest) : null;

    private static DateTimeOffset? TimeOf(string file) => DateTimeOffset.TryParseExact(
        Path.GetFileNameWithoutExtension(file)[Prefix.Length..], TimeForm, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
        out DateTimeOffset time)
        ? time
        : null;
}
