using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// Which access list to send with a call, so that it costs less (EIP-2930). A listed account costs 2,400 gas and a
/// listed slot 1,900; read first without being listed, they cost 2,600 and 2,100. The called account is paid for
/// already, so that to list it is worth while only for many of its slots.
/// </summary>
internal static class AccessLists
{
    private static readonly IReadOnlyList<AccessListEntry> None = [];

    private const ulong AccountGas = 2_400;
    private const ulong SlotGasSaved = 100;

    /// <summary>
    /// The list to send, or an empty one where none lowers <paramref name="gas"/>, the estimate without, or where the RPC
    /// does not know the question.
    /// </summary>
    public static async Task<IReadOnlyList<AccessListEntry>> FindAsync(
        EthereumRpc rpc, Address from, Call call, ulong gas, CancellationToken cancel)
    {
        if (call.To is not { } to || call.Data.IsEmpty) return None;
        try
        {
            IReadOnlyList<AccessListEntry> touched = await rpc.CreateAccessListAsync(from, call, cancel);
            IReadOnlyList<AccessListEntry> worth = [.. touched.Where(entry => IsWorthListing(entry, to))];
            if (worth.Count == 0) return None;
            return await rpc.EstimateGasAsync(from, call, worth, cancel) < gas ? worth : None;
        }
        catch (RpcErrorException)
        {
            return None;
        }
    }

    private static bool IsWorthListing(AccessListEntry entry, Address to) =>
        entry.Account != to || (ulong)entry.Slots.Count * SlotGasSaved > AccountGas;
}
