using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>Runs one session with a watchtower until it ends; throws why it did.</summary>
internal delegate Task WatchtowerSession(WatchtowerLink tower, CancellationToken cancel);

/// <summary>
/// Tells every watchtower that this node names the newest update of each channel in which something was committed. Beside
/// payments, never in their way: one that is away or slow lacks more and more, and everybody can see that.
/// </summary>
internal sealed class Watchtowers
{
    private const int DialDelayMsMin = 200;
    private const int DialDelayMsMax = 10_000;

    private static readonly TimeSpan AwayForLong = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ToldAgainAfter = TimeSpan.FromMinutes(10);

    private readonly IReadOnlyList<WatchtowerLink> _towers;
    private readonly WatchtowerSession _session;
    private readonly NodeClock _clock;
    private readonly TimeSpan _every;
    private readonly ILogger<Watchtowers> _log;
    private readonly Lock _noting = new();
    private readonly List<ChannelId> _noted = [];

    public Watchtowers(
        ChannelBook book, IChannelStore store, ISignatureScheme scheme, NodeClock clock, NodeOptions options,
        WatchtowerSession session, ILogger<Watchtowers> log)
    {
        _towers = [.. options.Watchtowers.Select(url => new WatchtowerLink(url, book, store, scheme, clock, log))];
        _every = TimeSpan.FromMilliseconds(options.WatchtowerEveryMs);
        (_session, _clock, _log) = (session, clock, log);
        Marks = _towers.Count == 0 ? null : new GuardMarks();
    }

    /// <summary>Where the ledger marks channels; null where nobody wants to know.</summary>
    public GuardMarks? Marks { get; }

    /// <summary>
    /// What was committed before lags until a watchtower has it: where nothing does, this node may be switched off. Who asks does not
    /// decide how often watchtowers are told: a channel has one signature for each tick at most.
    /// </summary>
    public IReadOnlyList<WatchtowerStatus> List()
    {
        Note();
        return [.. _towers.Select(tower => tower.Status)];
    }

    /// <summary>Ends when cancelled, or with an exception that only a bug or a failed disk can be.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        Task[] all = [NoteAsync(stopping), .. _towers.Select(tower => StayConnectedAsync(tower, stopping))];
        await await Task.WhenAny(all);
        await Task.WhenAll(all);
    }

    private async Task NoteAsync(CancellationToken stopping)
    {
        using PeriodicTimer timer = new(_every, _clock.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
            {
                Note();
                foreach (WatchtowerLink tower in _towers)
                {
                    tower.AskAgain();
                    tower.Wake();
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    /// <summary>Under a lock: nobody finds a channel's mark taken, and the channel not lacking yet.</summary>
    private void Note()
    {
        if (Marks is null) return;
        lock (_noting)
        {
            while (Marks.TryTake(out ChannelSlot? slot)) _noted.Add(slot!.Channel.Id);
            foreach (WatchtowerLink tower in _towers) tower.Note(_noted);
            _noted.Clear();
        }
    }

    private async Task StayConnectedAsync(WatchtowerLink tower, CancellationToken stopping)
    {
        await Task.Yield();
        tower.Count();
        int delayMs = DialDelayMsMin;
        int tries = 0;
        long awaySince = _clock.Time.GetTimestamp(), told = 0;
        while (!stopping.IsCancellationRequested)
        {
            RefusalException? reason = null;
            try
            {
                await _session(tower, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (RefusalException refusal)
            {
                reason = refusal;
            }

            if (tower.Status.IsConnected) (awaySince, told, delayMs, tries) = (_clock.Time.GetTimestamp(), 0, DialDelayMsMin, 0);
            // Its place was given to another: to be back at once would only take the next one's.
            if (reason?.Refusal == Refusal.TooManyInFlight) delayMs = DialDelayMsMax;
            tower.End();
            string why = reason?.Message ?? "the session ended";
            TimeSpan away = _clock.Time.GetElapsedTime(awaySince);
            if (away >= AwayForLong && (told == 0 || _clock.Time.GetElapsedTime(told) >= ToldAgainAfter))
            {
                told = _clock.Time.GetTimestamp();
                _log.TowerAway(tower.Url, (long)away.TotalSeconds, tower.Status.Lagging, why);
            }

            // Once when it goes; that it stays away is a warning of its own.
            _log.TowerDialFailed(tries++ == 0 ? LogLevel.Information : LogLevel.Debug, tower.Url, why, delayMs);
            try
            {
                // Not all nodes at once: the last digits of a clock are chance enough.
                long chanceMs = _clock.Time.GetTimestamp() % delayMs;
                await Task.Delay(TimeSpan.FromMilliseconds(delayMs + chanceMs), _clock.Time, stopping);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            delayMs = Math.Min(delayMs * 2, DialDelayMsMax);
        }
    }
}
