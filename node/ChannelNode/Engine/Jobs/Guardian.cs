using System.Collections.Concurrent;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>What a guardian guards: a node its own channels, a watchtower those of others.</summary>
/// <param name="Closing">The channels that are closing, each as the side sees it for which the guardian acts.</param>
/// <param name="Dispute">What presents the newest update of the other side.</param>
/// <param name="SettlesFromSeconds">From when it settles one, Unix time, which serves both sides alike; null where it never does.</param>
internal sealed record Guarding(
    Func<IEnumerable<StoredChannel>> Closing, Func<StoredChannel, JobOrder> Dispute, Func<StoredChannel, ulong>? SettlesFromSeconds);

/// <summary>What is known of a job's channels, and decides whether it is still to be done.</summary>
/// <param name="IsClosing">Whether a channel is, by what was followed of the chain.</param>
/// <param name="IsCloseAgreed">Whether both sides of a channel have signed a close that may still be mined.</param>
/// <param name="IsNewest">Whether a dispute presents the newest update that there is.</param>
internal sealed record JobGrounds(Func<ChannelId, bool> IsClosing, Func<ChannelId, bool> IsCloseAgreed, Func<Job, bool> IsNewest)
{
    /// <summary>Whether a channel is paid out, as far as the chain is followed.</summary>
    public Func<ChannelId, bool> IsClosed { get; init; } = _ => false;

    /// <summary>How far that is; null where nothing is followed.</summary>
    public Func<ChainBlock?> Followed { get; init; } = () => null;
}

/// <summary>
/// Follows the chain into the channels and does for each what is due: disputes an old state, claims before it is too
/// late, settles when the window is over and it is its turn. A duty that fails stays due and is tried again with the next look.
/// </summary>
internal sealed class Guardian(
    Guarding guarding,
    JobBook jobs,
    ChainIntake intake,
    ChainOrders orders,
    IChain chain,
    ChainView view,
    WindowAlarms alarms,
    StakeWorth worth,
    NodeClock clock,
    ILogger<Guardian> log)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryFollowAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Disputes and claims under way at a time that are about as much as another, or more: then that one waits. So however many there
    /// are about little, only so many are jobs, and one about much never waits for them.
    /// </summary>
    private const int ProtectedMax = 256;

    /// <summary>Settles under way at a time; of very many that are due the others wait, and lose nothing by it.</summary>
    private const int SettlesMax = 64;

    /// <summary>A settle that pays less comes after those in tokens of which nobody knows what they are worth. Gas, where it is cheap.</summary>
    private const ulong LittleWei = 100_000_000_000_000;

    private readonly ConcurrentDictionary<(ChannelId Channel, Side Side), Stake?> _duties = new();
    private readonly EarlySettles _early = new(view, clock);
    private volatile bool _hasCaughtUp;

    private readonly ConcurrentDictionary<ChannelId, uint> _settlesTried = new();

    /// <summary>
    /// Settles at a time. Where one was refused for what all of them lack, gas or ether, it is one, that finds out when this has changed;
    /// each that is mined doubles it.
    /// </summary>
    private volatile int _settlesAtOnce = SettlesMax;
    private uint _settlesRefused;

    public async Task RunAsync(CancellationToken stopping)
    {
        Task following = FollowAsync(stopping);
        Task looking = LookAsync(stopping);
        Task first = await Task.WhenAny(following, looking);
        if (first.IsFaulted) log.GuardianFailed(first.Exception.GetBaseException());
        await first;
        await Task.WhenAll(following, looking);
    }

    private async Task FollowAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await foreach (ChainBatch batch in chain.FollowAsync(intake.Known, stopping))
                {
                    if (batch.NoAnswer is { } why)
                    {
                        view.Miss(why);
                        continue;
                    }

                    await intake.TakeAsync(batch, stopping);
                    jobs.Wake();
                    _hasCaughtUp |= batch.IsCaughtUp;
                    Look(stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (RefusalException refusal)
            {
                log.FollowFailed(refusal);
                view.Miss(refusal.Message);
                await Task.Delay(RetryFollowAfter, clock.Time, CancellationToken.None);
            }
        }
    }

    /// <summary>A quiet chain makes no blocks, yet a window ends: look once a second as well.</summary>
    private async Task LookAsync(CancellationToken stopping)
    {
        using PeriodicTimer timer = new(LookEvery, clock.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping)) Look(stopping);
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    /// <summary>
    /// Begins what is due, what is about most first. Before everything that happened while the node was away is known, nothing is.
    /// </summary>
    private void Look(CancellationToken stopping)
    {
        if (!_hasCaughtUp) return;
        List<StoredChannel> claims = [];
        foreach ((StoredChannel closing, ChannelDuty duty, Stake? stake) in Due())
        {
            if (!_duties.TryAdd((closing.Channel.Id, closing.Channel.OurSide), stake)) continue;
            if (duty == ChannelDuty.Claim) claims.Add(closing);
            else Begin([closing.Channel], duty, () => SendInTimeAsync(closing, duty, stopping), stopping);
        }

        BeginClaims(claims, stopping);
    }

    /// <summary>In order; without those that are under way, and those that wait for others.</summary>
    private IEnumerable<(StoredChannel Closing, ChannelDuty Duty, Stake? Stake)> Due()
    {
        List<(StoredChannel Closing, ChannelDuty Duty, Stake? Stake)> due = [];
        foreach (StoredChannel closing in guarding.Closing())
        {
            ChannelDuty duty = Lifecycle.Due(closing.Channel, closing.State, clock.ChainSeconds, clock.NowSeconds);
            alarms.Look(closing, duty);
            if (duty == ChannelDuty.None || (duty == ChannelDuty.Settle && !MaySettle(closing))) continue;
            if (_duties.ContainsKey((closing.Channel.Id, closing.Channel.OurSide))) continue;
            due.Add((closing, duty, duty == ChannelDuty.Settle ? null : Stake.In(closing)));
        }

        return worth.ThatMayBegin(
            due.Where(it => it.Stake is not null), it => it.Stake!.Value, [.. _duties.Values.OfType<Stake>()], ProtectedMax)
            .Concat(SettlesThatMayBegin(due.Where(it => it.Stake is null)));
    }

    /// <summary>By the time that says when a window is over, and nothing that is remembered: a restart changes nothing.</summary>
    private bool MaySettle(StoredChannel closing) =>
        guarding.SettlesFromSeconds is { } from && clock.NowSeconds >= from(closing);

    /// <summary>
    /// What pays this side most, first: a peer can leave very many behind that pay it nothing. Those that were refused come after the
    /// others, the longest ago first: none keeps another back for ever.
    /// </summary>
    private IEnumerable<(StoredChannel Closing, ChannelDuty Duty, Stake? Stake)> SettlesThatMayBegin(
        IEnumerable<(StoredChannel Closing, ChannelDuty Duty, Stake? Stake)> due)
    {
        int more = _settlesAtOnce - (_duties.Values.Count(stake => stake is null) - _early.Waiting);
        if (more <= 0) return [];
        return worth.Order(due, it => PaidBy(it.Closing), LittleWei)
            .OrderBy(it => _settlesTried.GetValueOrDefault(it.Closing.Channel.Id)).Take(more);

        static Stake? PaidBy(StoredChannel closing) =>
            new(closing.Channel.Terms.Token, closing.State.OnChain.PotOf(closing.Channel.OurSide));
    }

    private void SettleMined()
    {
        _settlesTried.Clear();
        _settlesAtOnce = Math.Min(_settlesAtOnce * 2, SettlesMax);
    }

    /// <summary>For what all of them lack, or for what is wrong with the channel itself.</summary>
    private void SettleRefused(IReadOnlyList<Channel> channels, bool ofAll)
    {
        foreach (Channel channel in channels) _settlesTried[channel.Id] = Interlocked.Increment(ref _settlesRefused);
        if (ofAll) _settlesAtOnce = 1;
    }

    private void BeginClaims(List<StoredChannel> claims, CancellationToken stopping)
    {
        foreach (StoredChannel claim in claims.ToArray())
        {
            // Of before a restart, in other company maybe: it is waited for.
            if (jobs.FindActive(JobKind.Claim, claim.Channel.Id) is not { Job.IsProtective: true } underWay) continue;
            claims.Remove(claim);
            Begin([claim.Channel], ChannelDuty.Claim, () => JobBook.WhenDoneAsync(underWay, null, stopping), stopping);
        }

        foreach (StoredChannel[] rows in ChainOrders.UrgentClaimGroups(claims))
        {
            ulong closesAtSeconds = rows.Min(row => row.State.OnChain.ClosesAtSeconds);
            Begin(
                [.. rows.Select(row => row.Channel)],
                ChannelDuty.Claim,
                () => RunAsync(orders.Claim(rows, closesAtSeconds), stopping),
                stopping);
        }
    }

    private void Begin(
        IReadOnlyList<Channel> channels, ChannelDuty duty, Func<Task<TransactionReceipt>> run, CancellationToken stopping) =>
        _ = DoAsync(channels, duty, run, stopping);

    private async Task DoAsync(
        IReadOnlyList<Channel> channels, ChannelDuty duty, Func<Task<TransactionReceipt>> run, CancellationToken stopping)
    {
        try
        {
            TransactionReceipt receipt = await run();
            if (duty == ChannelDuty.Settle) SettleMined();
            foreach (Channel channel in channels) log.DutyDone(channel.Id, duty, receipt.BlockNumber);
            await view.WhenFollowedAsync(receipt.BlockNumber, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Still due after the next start.
        }
        catch (RefusalException refusal) when (IsDoneByAnother(duty, refusal.Refusal))
        {
            // Somebody else was first, a watchtower or the peer maybe: soon the chain says so here too.
            foreach (Channel channel in channels) log.DutyNeedless(channel.Id, duty, refusal.Refusal.Name(), refusal.Message);
            await Task.Delay(LookEvery, clock.Time, CancellationToken.None);
        }
        catch (RefusalException refusal)
        {
            // The next look decides on what the chain says then.
            if (duty == ChannelDuty.Settle && IsLasting(duty, refusal.Refusal)) SettleRefused(channels, ofAll: refusal.Refusal != Refusal.TransactionReverted);
            LogLevel level = duty == ChannelDuty.Settle && refusal.Refusal == Refusal.WindowOpen ? LogLevel.Information : LogLevel.Warning;
            foreach (Channel channel in channels) log.DutyRefused(level, channel.Id, duty, refusal.Refusal.Name(), refusal.Message);
            await Task.Delay(IsLasting(duty, refusal.Refusal) ? RetryLater : LookEvery, clock.Time, CancellationToken.None);
        }
        catch (Exception error)
        {
            foreach (Channel channel in channels) log.DutyFailed(channel.Id, duty, error);
            await Task.Delay(LookEvery, clock.Time, CancellationToken.None);
        }
        finally
        {
            foreach (Channel channel in channels) _duties.TryRemove((channel.Id, channel.OurSide), out _);
        }
    }

    private static bool IsDoneByAnother(ChannelDuty duty, Refusal refusal) =>
        refusal == Refusal.NothingNew || (duty == ChannelDuty.Settle && refusal == Refusal.NotClosing);

    /// <summary>What does not pass by itself from one moment to the next. A settle that reverts has cost its gas, and has time.</summary>
    private static bool IsLasting(ChannelDuty duty, Refusal refusal) =>
        refusal is Refusal.BudgetReached or Refusal.InsufficientFunds or Refusal.KeyShared
        || (duty == ChannelDuty.Settle && refusal == Refusal.TransactionReverted);

    /// <summary>Only the contract itself says that it is too late for a dispute; what remains then is to settle.</summary>
    private async Task<TransactionReceipt> SendInTimeAsync(
        StoredChannel closing, ChannelDuty duty, CancellationToken stopping)
    {
        (Channel channel, ChannelState state) = (closing.Channel, closing.State);
        if (duty == ChannelDuty.Settle) return await SettleAsync(closing, stopping);
        try
        {
            log.Disputing(channel.Id, state.OnChain.SentOf(channel.TheirSide), state.TheirSent);
            return await RunAsync(guarding.Dispute(closing), stopping);
        }
        catch (RefusalException refusal) when (refusal.Refusal == Refusal.WindowClosed)
        {
            alarms.DisputeLost(closing);
            if (guarding.SettlesFromSeconds is null) throw;
            return await RunAsync(orders.Settle(channel, state), stopping);
        }
    }

    private async Task<TransactionReceipt> SettleAsync(StoredChannel closing, CancellationToken stopping)
    {
        (ChannelId id, ulong closesAtSeconds) = (closing.Channel.Id, closing.State.OnChain.ClosesAtSeconds);
        try
        {
            TransactionReceipt receipt = await RunAsync(orders.Settle(closing.Channel, closing.State), stopping);
            _early.Forget(id, closesAtSeconds);
            return receipt;
        }
        catch (RefusalException refusal) when (refusal.Refusal == Refusal.WindowOpen)
        {
            await _early.WaitAsync(id, closesAtSeconds, stopping);
            throw;
        }
        catch (RefusalException refusal) when (refusal.Refusal == Refusal.NotClosing)
        {
            _early.Forget(id, closesAtSeconds);
            throw;
        }
    }

    private async Task<TransactionReceipt> RunAsync(JobOrder order, CancellationToken stopping) =>
        await JobBook.WhenDoneAsync(await jobs.SubmitAsync(order, stopping), null, stopping);
}
