using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>
/// Looks now and then whether payouts wait in the contract for this node's owner: they could not be pushed, and nobody would take them
/// who is not told. Told once for each that comes, and anew after a start.
/// </summary>
/// <param name="list">Those that wait now.</param>
internal sealed class CreditWatch(
    Func<CancellationToken, Task<IReadOnlyList<Credit>>> list, Ledger ledger, TimeProvider time, bool isOwnerOurs, ILogger<CreditWatch> log)
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(60);

    /// <summary>The first look goes through all channels; those that wait for the node to start, and pay, come before it.</summary>
    private static readonly TimeSpan FirstAfter = TimeSpan.FromSeconds(5);

    private volatile IReadOnlyList<Credit> _waiting = [];

    /// <summary>As seen last. For any thread.</summary>
    public IReadOnlyList<Credit> Waiting => _waiting;

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await Task.Delay(FirstAfter, time, stopping);
            while (true)
            {
                await LookAsync(stopping);
                await Task.Delay(Every, time, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    public async Task LookAsync(CancellationToken cancel)
    {
        try
        {
            IReadOnlyList<Credit> now = await list(cancel), before = _waiting;
            foreach (Credit credit in now)
            {
                UInt128 known = before.FirstOrDefault(it => it.Token == credit.Token).Amount;
                if (credit.Amount > known) await TellAsync(credit, cancel);
            }

            _waiting = now;
        }
        catch (RefusalException)
        {
            // The chain gives no answer, which the follower tells of; or the node stops.
        }
        catch (Exception error) when (!cancel.IsCancellationRequested)
        {
            log.WaitingPayoutsUnknown(error);
        }
    }

    private Task<bool> TellAsync(Credit credit, CancellationToken cancel) => ledger.RunAsync(
        turn =>
        {
            turn.Tell(new OperatorEvent(
                EventKind.PayoutWaiting, EventSeverity.Warning,
                $"{AmountWords.Of(credit.Amount, credit.Token)} wait in the contract for this node's owner, who could not be paid them"
                + (isOwnerOurs ? ": 'channel withdraw-credit' takes them" : ": it must call withdrawCredit itself"))
            {
                Amount = credit.Amount,
            });
            return true;
        },
        cancel);
}
