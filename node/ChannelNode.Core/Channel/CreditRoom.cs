namespace ChannelNode.Core;

/// <summary>
/// Of the deposits into one side of a channel, those that a short reorganisation could take away, and those that any could.
/// </summary>
public readonly record struct YoungDeposits(UInt128 Young, UInt128 NotFinal);

/// <summary>
/// What may still count of young deposits into all channels together: whoever can reorganise the chain has as many channels
/// as he likes. What counts in one channel is what a reorganisation can cost there: its young deposits less what of the pot does
/// not count. Not for several threads.
/// </summary>
public sealed class CreditRoom(UInt128 small, UInt128 larger)
{
    private UInt128 _small = small, _larger = larger;

    /// <summary>A channel has this of it. Where there is less, nothing is left.</summary>
    public void Take(YoungDeposits deposits, UInt128 uncredited)
    {
        _small = Amounts.Excess(_small, Amounts.Excess(deposits.Young, uncredited));
        _larger = Amounts.Excess(_larger, Amounts.Excess(deposits.NotFinal, uncredited));
    }

    /// <summary>A channel gives back what it had, for it to be fitted in anew.</summary>
    public void Return(YoungDeposits deposits, UInt128 uncredited)
    {
        _small = Sum(_small, Amounts.Excess(deposits.Young, uncredited));
        _larger = Sum(_larger, Amounts.Excess(deposits.NotFinal, uncredited));
    }

    /// <summary>
    /// The least that must not count in a channel where its own policy says <paramref name="atLeast"/>: what counts then is taken.
    /// </summary>
    public UInt128 Fit(YoungDeposits deposits, UInt128 atLeast)
    {
        UInt128 uncredited = UInt128.Max(
            atLeast, UInt128.Max(Amounts.Excess(deposits.Young, _small), Amounts.Excess(deposits.NotFinal, _larger)));
        Take(deposits, uncredited);
        return uncredited;
    }

    private static UInt128 Sum(UInt128 a, UInt128 b) => UInt128.MaxValue - a < b ? UInt128.MaxValue : a + b;
}
