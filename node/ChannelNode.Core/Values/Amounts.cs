namespace ChannelNode.Core;

/// <summary>Amounts are <see cref="UInt128"/> in a token's smallest units.</summary>
public static class Amounts
{
    /// <summary>The largest amount, total or pot anywhere: the contract packs each into 112 bits.</summary>
    public static readonly UInt128 Max = (UInt128.One << 112) - 1;

    /// <summary>
    /// The highest pot that a deposit may leave. Two of them fit one pot, so a deposit need not look at the other side's.
    /// </summary>
    public static readonly UInt128 DepositMax = Max >> 1;

    /// <summary>What <paramref name="larger"/> has more than <paramref name="smaller"/>, or zero.</summary>
    public static UInt128 Excess(UInt128 larger, UInt128 smaller) =>
        larger > smaller ? larger - smaller : UInt128.Zero;
}
