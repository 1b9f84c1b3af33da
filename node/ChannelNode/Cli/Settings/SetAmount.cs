using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>In what an amount of a setting is.</summary>
internal enum AmountKind : byte
{
    Ether = 0,

    /// <summary>Ether for each gas.</summary>
    PerGas = 1,

    /// <summary>Smallest units of whatever token a channel is in: no unit but that is the same in all of them.</summary>
    AnyToken = 2,
}

/// <summary>An amount as a setting has it: typed with or without a unit, never rounded, shown with its unit.</summary>
internal readonly record struct SetAmount(UInt128 Units, AmountKind Kind) : IComparable<SetAmount>
{
    /// <summary>Below so many wei a price in gwei has more zeros than anybody counts.</summary>
    private const uint GweiFrom = 1_000_000;

    /// <summary>Null, and why, with the field, the value and the limit, where the text is none from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public static SetAmount? Read(string field, string text, AmountKind kind, UInt128 min, UInt128 max, out string why)
    {
        why = $"{field}: '{text}' is not {LimitOf(kind, min, max)}";
        if (!AskedAmount.TryParse(text, out AskedAmount asked, mayBeNothing: true)) return null;
        if (kind == AmountKind.AnyToken && asked is { HasUnit: true, IsInSmallestUnits: false }) return null;
        try
        {
            UInt128 units = asked.In(TokenUnit.Ether, field, mayBeNothing: true);
            return units >= min && units <= max ? new SetAmount(units, kind) : null;
        }
        catch (CommandException wrong)
        {
            why = wrong.Failure.Message;
            return null;
        }
    }

    public static string LimitOf(AmountKind kind, UInt128 min, UInt128 max)
    {
        string range = $"from {new SetAmount(min, kind)} to {new SetAmount(max, kind)}";
        return kind switch
        {
            AmountKind.Ether => $"an amount {range}, such as '0.5 ETH', '30 gwei', or wei as digits alone",
            AmountKind.PerGas => $"an amount {range}, such as '30 gwei', or wei as digits alone",
            _ => $"an amount {range}, 'units' or digits alone: of any token, however that divides",
        };
    }

    /// <summary>What digits alone are.</summary>
    public static string UnitOf(AmountKind kind) => kind switch
    {
        AmountKind.Ether => "wei",
        AmountKind.PerGas => "wei per gas",
        _ => "smallest units",
    };

    public int CompareTo(SetAmount other) => Units.CompareTo(other.Units);

    public override string ToString() => Kind switch
    {
        AmountKind.Ether => AmountWords.Ether(Units.ToString()),
        AmountKind.PerGas when Units >= GweiFrom => AmountWords.Gwei(Units.ToString()),
        AmountKind.PerGas => $"{Units} wei",
        _ => $"{Units} units",
    };
}
