using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Deposits that peers have signed and this node sends, at the cost of its own gas: only into channels with it, one at a
/// time, and only as many in an hour as its operator allows, so that strangers cannot drain it. The chain's estimate
/// finds an authorization that does not hold before anything is sent; it counts all the same.
/// </summary>
internal sealed class DepositRelay(
    ChannelBook book, JobBook jobs, IChain chain, NodeClock clock, NodeOptions options, Policies policies,
    ILogger<DepositRelay> log, CancellationToken stopping)
{
    /// <summary>What an authorization must still hold to be sent: it has to be mined by then.</summary>
    private const ulong ValidSecondsMin = 60;

    /// <summary>Deposits that may wait for the one under way.</summary>
    private const int WaitingMax = 16;

    /// <summary>Those that are looked at, before it is known whether they may wait.</summary>
    private const int AskedMax = 256;

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(15);

    private readonly SemaphoreSlim _one = new(1);
    private int _waiting;
    private int _asked;
    private readonly Queue<long> _begun = [];

    /// <summary>
    /// Answers when the deposit is sent, or refused. Not to be waited for: the chain takes its time, and the session goes
    /// on meanwhile.
    /// </summary>
    public ValueTask Answer(PeerLink link, PeerMessage.DepositAuthorization said)
    {
        _ = AnswerSurelyAsync(link, said);
        return ValueTask.CompletedTask;
    }

    /// <summary>Nobody waits for it: what goes wrong is told here, and the peer is answered all the same.</summary>
    private async Task AnswerSurelyAsync(PeerLink link, PeerMessage.DepositAuthorization said)
    {
        var answer = new Reply(link, said);
        try
        {
            if (Interlocked.Increment(ref _asked) > AskedMax) answer.Give(Refusal.RelayRefused);
            else await AnswerAsync(link, said, answer);
        }
        catch (Exception error)
        {
            log.RelayFailed(said.Channel, link.Signer, error);
            answer.Give(Refusal.RelayRefused);
        }
        finally
        {
            Interlocked.Decrement(ref _asked);
        }
    }

    private async Task AnswerAsync(PeerLink link, PeerMessage.DepositAuthorization said, Reply answer)
    {
        Refusal refusal = Check(link, said, out ChannelSlot? slot);
        if (refusal == Refusal.None) refusal = await AskPoliciesAsync(slot!, said.Amount);
        if (refusal != Refusal.None || !await EnterAsync())
        {
            answer.Give(refusal == Refusal.None ? Refusal.RelayRefused : refusal);
            return;
        }

        try
        {
            if (TryBegin()) await SendAsync(slot!.Channel, link, said, answer);
            else answer.Give(Refusal.RelayRefused);
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<Refusal> AskPoliciesAsync(ChannelSlot slot, UInt128 amount)
    {
        try
        {
            UInt128 pot = slot.State.OnChain.PotOf(slot.Channel.TheirSide) + amount;
            PolicyNo? no = await policies.DepositAsync(
                slot.Channel.Theirs.Signer, slot.Channel.Terms.Token, slot.Channel.Id, pot, stopping);
            return no is null ? Refusal.None : Refusal.PolicyRefused;
        }
        catch (Exception error) when (error is RefusalException or OperationCanceledException)
        {
            return Refusal.RelayRefused; // The node is stopping.
        }
    }

    /// <summary>A payer may ask for its next deposit before this node has seen all of the last.</summary>
    private async Task<bool> EnterAsync()
    {
        if (_one.Wait(0, CancellationToken.None)) return true;
        if (Interlocked.Increment(ref _waiting) > WaitingMax)
        {
            Interlocked.Decrement(ref _waiting);
            return false;
        }

        try
        {
            return await _one.WaitAsync(WaitMax, stopping);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private async Task SendAsync(
        Channel channel, PeerLink link, PeerMessage.DepositAuthorization said, Reply answer)
    {
        try
        {
            DepositAuthorization authorization = said.Authorization;
            JobOrder order = new(
                JobKind.RelayDeposit,
                $"relay/{channel.Id}/{authorization.Salt}/{said.Amount}",
                [channel.Id],
                chain.RelayDeposit(channel, channel.TheirSide, said.Amount, authorization),
                authorization.ValidBeforeSeconds,
                Once: true,
                Reopens: book.IsClosed(channel.Id) ? [channel.Id] : null);
            JobEntry job = await jobs.SubmitAsync(order, stopping);
            TransactionReceipt receipt = await JobBook.WhenDoneAsync(job, answer, stopping);
            log.DepositRelayed(channel.Id, said.Amount, link.Signer, receipt.GasUsed);
        }
        catch (RefusalException no)
        {
            log.DepositNotRelayed(channel.Id, said.Amount, link.Signer, no.Message);

            // Our own troubles are none of the peer's, whose own account is not meant.
            answer.Give(IsOurs(no.Refusal) ? Refusal.RelayRefused : no.Refusal);
        }
        catch (OperationCanceledException)
        {
            // The node is stopping; the job goes on with the next start.
        }
    }

    private static bool IsOurs(Refusal refusal) => refusal
        is Refusal.InsufficientFunds or Refusal.ChainUnavailable or Refusal.BudgetReached or Refusal.KeyShared
        or Refusal.NotReady or Refusal.FeeTooHigh or Refusal.JobCancelled or Refusal.RestoredUnconfirmed;

    private Refusal Check(PeerLink link, PeerMessage.DepositAuthorization said, out ChannelSlot? slot)
    {
        slot = book.Find(said.Channel);
        if (slot is null || slot.Channel.Theirs.Signer != link.Signer) return Refusal.UnknownChannel;
        if (options.RelayDepositsPerHour == 0) return Refusal.RelayRefused;

        // Channels that the peer proposed are in tokens that this node takes; it may take fewer by now.
        ChannelTerms terms = slot.Channel.Terms;
        if (terms.Token.IsZero) return Refusal.TokenWithoutAuthorization;
        if (slot.Channel.OurSide == Side.B && !options.AcceptedTokens.Contains(terms.Token)) return Refusal.TokenNotAccepted;

        ChannelState state = slot.State;
        Refusal refusal = state.OnChain.Deposit(terms.OneWay, slot.Channel.TheirSide, said.Amount, out _);
        if (refusal != Refusal.None) return refusal;
        if (state.CloseDeadlineSeconds != 0) return Refusal.CloseAgreed;
        bool holds = said.Authorization.ValidAfterSeconds < clock.ChainSeconds
            && said.Authorization.ValidBeforeSeconds >= clock.NowSeconds + ValidSecondsMin;
        return holds ? Refusal.None : Refusal.InvalidArgument;
    }

    /// <summary>Counts one more, where the hour has room for it. Only while no other is under way.</summary>
    private bool TryBegin()
    {
        while (_begun.TryPeek(out long oldest) && clock.Time.GetElapsedTime(oldest) >= Hour) _begun.Dequeue();
        if (_begun.Count >= options.RelayDepositsPerHour) return false;
        _begun.Enqueue(clock.Time.GetTimestamp());
        return true;
    }

    /// <summary>Says once what became of it: that it is sent, or why not.</summary>
    private sealed class Reply(PeerLink link, PeerMessage.DepositAuthorization said) : IProgress<TransactionStep>
    {
        private bool _given;

        public void Report(TransactionStep step) => Give(Refusal.None);

        public void Give(Refusal refusal)
        {
            if (_given) return;
            _given = true;
            link.Send(new PeerMessage.DepositAuthorizationReply(
                said.Channel, said.Authorization.ValidBeforeSeconds, refusal));
        }
    }
}
