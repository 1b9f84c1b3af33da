using ChannelNode.Core;
using ChannelNode.Proto.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>What access tokens may spend, as people write and read it: 'ether:per-day=1 ETH,total=20 ETH'.</summary>
internal static class SpendingCaps
{
    private const string Flag = "--cap";

    private const string None = "none";

    private const string Form = "ether or 0x-address, a colon, and one or more of per-payment=, per-day=, per-peer-per-day=, total=, deposit-per-day=, deposit-total=";

    private static readonly Dictionary<string, FieldDescriptor> Limits = new[]
    {
        SpendingCap.PerPaymentFieldNumber, SpendingCap.PerDayFieldNumber, SpendingCap.PerPeerPerDayFieldNumber, SpendingCap.TotalFieldNumber,
        SpendingCap.DepositPerDayFieldNumber, SpendingCap.DepositTotalFieldNumber,
    }.Select(number => SpendingCap.Descriptor.FindFieldByNumber(number)).ToDictionary(field => field.Name.Replace('_', '-'));

    /// <summary>Of all texts, whether right or not, before a node is asked anything.</summary>
    public static Task<List<SpendingCap>> ReadAsync(IReadOnlyList<string> texts, TokenUnits units, CancellationToken cancel) =>
        ReadAsync<SpendingCap>(texts, mayBeNone: false, units, cancel);

    /// <summary>The same of what is to change: a limit may be none.</summary>
    public static Task<List<SpendingCapChange>> ReadChangesAsync(IReadOnlyList<string> texts, TokenUnits units, CancellationToken cancel) =>
        ReadAsync<SpendingCapChange>(texts, mayBeNone: true, units, cancel);

    private static async Task<List<TCap>> ReadAsync<TCap>(
        IReadOnlyList<string> texts, bool mayBeNone, TokenUnits units, CancellationToken cancel)
        where TCap : IMessage, new()
    {
        List<(Address Token, List<(string Limit, AskedAmount? Amount)> Limits)> asked = [.. texts.Select(text => Read(text, mayBeNone))];
        if (asked.CountBy(cap => cap.Token).Where(count => count.Value > 1).Select(count => (Address?)count.Key).FirstOrDefault() is { } twice)
            throw NodeFlags.Wrong(Flag, $"{Flag}: {NameOf(twice)} is named twice; give all its limits in one, with commas between");
        List<TCap> caps = [];
        foreach ((Address token, List<(string Limit, AskedAmount? Amount)> limits) in asked)
        {
            TCap cap = new();
            Set(cap, "token", token.IsZero ? "" : token.ToString());
            TokenUnit unit = limits.Any(it => it.Amount is { HasUnit: true }) ? await units.OfAsync(token, cancel) : TokenUnit.Ether;
            foreach ((string limit, AskedAmount? amount) in limits) Set(cap, Limits[limit].Name, amount?.In(unit, Flag).ToString() ?? None);
            caps.Add(cap);
        }

        return caps;
    }

    private static void Set(IMessage cap, string field, string value) => cap.Descriptor.FindFieldByName(field).Accessor.SetValue(cap, value);

    private static (Address Token, List<(string Limit, AskedAmount? Amount)> Limits) Read(string text, bool mayBeNone)
    {
        string[] parts = text.Split(':');
        Address token = Address.Zero;
        if (parts.Length != 2 || (parts[0] != "ether" && !Address.TryParse(parts[0], out token))) throw Wrong($"is not {Form}");
        List<(string Limit, AskedAmount? Amount)> limits = [];
        foreach (string limit in parts[1].Split(','))
        {
            string[] both = limit.Split('=');
            if (both.Length != 2 || !Limits.ContainsKey(both[0])) throw Wrong($"is not {Form}");
            if (limits.Exists(it => it.Limit == both[0])) throw Wrong($"has {both[0]} twice");
            if (mayBeNone && both[1] == None) limits.Add((both[0], null));
            else if (AskedAmount.TryParse(both[1], out AskedAmount amount)) limits.Add((both[0], amount));
            else throw Wrong($"has {both[0]}, and {AskedAmount.WhyNot(both[1])}");
        }

        return (token, limits);

        CommandException Wrong(string why) => NodeFlags.Wrong(Flag, $"{Flag}: '{text}' {why}");
    }

    /// <summary>As it can be given again.</summary>
    public static async Task<string> ShowAsync(SpendingCap cap, TokenUnits units, CancellationToken cancel)
    {
        TokenUnit unit = await UnitOfAsync(cap.Token, units, cancel);
        IEnumerable<string> limits = Limits
            .Select(limit => (limit.Key, Amount: (string)limit.Value.Accessor.GetValue(cap)))
            .Where(limit => limit.Amount.Length > 0)
            .Select(limit => $"{limit.Key}={unit.Show(limit.Amount)}");
        return $"{NameOf(unit.Token)}:{string.Join(",", limits)}";
    }

    public static async Task<string> ShowAsync(AccessTokenSpending spent, TokenUnits units, CancellationToken cancel)
    {
        TokenUnit unit = await UnitOfAsync(spent.Token, units, cancel);
        return $"{NameOf(unit.Token)}: {unit.Show(spent.TotalSpent)}, of it {unit.Show(spent.DaySpent)} on its last day";
    }

    private static string NameOf(Address token) => token.IsZero ? "ether" : token.ToString();

    /// <summary>Where the node does not tell of a token now, its smallest units.</summary>
    private static async Task<TokenUnit> UnitOfAsync(string token, TokenUnits units, CancellationToken cancel)
    {
        Address address = Address.TryParse(token, out Address known) ? known : Address.Zero;
        try
        {
            return await units.OfAsync(address, cancel);
        }
        catch (RpcException) when (!cancel.IsCancellationRequested)
        {
            return new TokenUnit(address, "", 0);
        }
    }
}
