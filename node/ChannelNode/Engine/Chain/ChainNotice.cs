using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Tells operators when the chain was not seen for so long that nothing is paid or accepted, and when it is seen again. Not before
/// it was seen for the first time; and of a chain that comes and goes only that it went.
/// </summary>
/// <param name="settled">For how long it must be back until that is told.</param>
internal sealed class ChainNotice(ChainView view, Ledger ledger, TimeProvider time, TimeSpan settled)
{
    /// <summary>Never longer than it may be silent: one block in that time is enough to be back.</summary>
    private static readonly TimeSpan SettledMax = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan DelayMin = TimeSpan.FromMilliseconds(1);

    public ChainNotice(ChainView view, Ledger ledger, TimeProvider time)
        : this(view, ledger, time, view.SilenceMax < SettledMax ? view.SilenceMax : SettledMax) { }

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await view.WhenCurrentAsync(stopping);
            while (true)
            {
                await WhenSilentAsync(stopping);
                await ledger.TellAsync(Silent(), stopping);
                await WhenBackAsync(stopping);
                await ledger.TellAsync(Back(), stopping);
            }
        }
        catch (Exception over) when (over is OperationCanceledException or RefusalException)
        {
            // Stopping.
        }
    }

    private async Task WhenSilentAsync(CancellationToken stopping)
    {
        while (view.IsCurrent)
        {
            TimeSpan left = view.SilenceMax - (view.SinceCurrent ?? TimeSpan.Zero) + DelayMin;
            await Task.Delay(left > DelayMin ? left : DelayMin, time, stopping);
        }
    }

    private async Task WhenBackAsync(CancellationToken stopping)
    {
        do
        {
            await view.WhenCurrentAsync(stopping);
            await Task.Delay(settled, time, stopping);
        }
        while (!view.IsCurrent);
    }

    private OperatorEvent Silent()
    {
        string why = view.NoAnswer?.Why ?? $"it answers, and {Plural.Of(view.BlocksBehind, "block")} are not taken over yet";
        return new OperatorEvent(
            EventKind.ChainSilent, EventSeverity.Alarm,
            $"the chain was not seen for {(view.SinceCurrent ?? TimeSpan.Zero).TotalSeconds:N0} s: {why}. Nothing is paid or accepted, "
            + "and no old state is answered, until it is seen again")
        {
            Block = view.Cursor?.Number ?? 0,
            Refusal = Refusal.ChainUnavailable,
        };
    }

    private OperatorEvent Back()
    {
        ulong block = view.Cursor?.Number ?? 0;
        return new OperatorEvent(EventKind.ChainBack, EventSeverity.Info, $"the chain is seen again, at block {block}") { Block = block };
    }
}
