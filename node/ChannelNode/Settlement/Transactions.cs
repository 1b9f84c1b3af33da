using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>Makes the transactions of one account, tells the network of them, and says what became of them.</summary>
internal sealed class Transactions(EthereumRpc rpc, ulong chainId, Address account, MessageSigner sign, ILogger log)
{
    /// <summary>State may change between estimate and block: a quarter more, and what a fresh storage slot costs.</summary>
    private const ulong GasHeadroomDivisor = 4;
    private const ulong GasHeadroom = 20_000;

    /// <summary>Wei per gas: a thousand gwei a thousand times over. Beyond it an RPC is broken or a thief.</summary>
    private static readonly UInt128 FeeMax = 1_000_000_000_000_000;

    /// <summary>Gas of one transaction: more than any chain's block holds. Beyond it an RPC is broken.</summary>
    private const ulong GasMax = 1_000_000_000;

    /// <summary>Wei per gas, where a chain does not know the question: there tips hardly matter.</summary>
    private static readonly UInt128 TipWhereUnknown = 1_000_000_000;

    public Address Account => account;

    /// <summary>The gas to send with, and what lowers it. Throws what the contract would revert with.</summary>
    public async Task<(ulong Gas, IReadOnlyList<AccessListEntry> AccessList)> EstimateAsync(
        string operation, Call call, CancellationToken cancel)
    {
        // Else an RPC says of itself, in words of its own, that the ether does not reach.
        UInt128 balance = call.Value == UInt128.Zero ? UInt128.Zero : await rpc.BalanceAsync(account, cancel);
        if (call.Value > balance) throw Short(operation, call.Value, balance);
        ulong gas;
        try
        {
            gas = await rpc.EstimateGasAsync(account, call, [], cancel);
        }
        catch (RpcErrorException error)
        {
            throw ToRefusal(operation, error);
        }

        if (gas > GasMax) throw new RefusalException(Refusal.ChainUnavailable, $"the RPC estimates {gas} gas for {operation}, above {GasMax}");
        IReadOnlyList<AccessListEntry> accessList = await AccessLists.FindAsync(rpc, account, call, gas, cancel);

        // The limit is without the list: where state has changed, what was listed may have been paid for in vain.
        return (gas + gas / GasHeadroomDivisor + GasHeadroom, accessList);
    }

    public RefusalException Short(string operation, UInt128 needed, UInt128 available) => new(
        Refusal.InsufficientFunds, $"{operation} needs {AmountWords.Ether(needed.ToString())} with its gas, and {account} has {AmountWords.Ether(available.ToString())}");

    public async Task<ChainFees> FeesAsync(CancellationToken cancel) =>
        new(Sane(await rpc.NextBaseFeeAsync(cancel)), Sane(await PriorityFeeAsync(cancel)));

    public ValueTask<SignedTransaction> SignAsync(
        Call call, ulong nonce, ulong gas, IReadOnlyList<AccessListEntry> accessList, TransactionFees fees, CancellationToken cancel) =>
        new Eip1559Transaction(
            chainId, nonce, fees.Tip, fees.MaxFee, gas, call.To, call.Value, call.Data, accessList).SignAsync(sign, cancel);

    public async Task<BroadcastAnswer> BroadcastAsync(ReadOnlyMemory<byte> raw, CancellationToken cancel)
    {
        try
        {
            await rpc.SendRawAsync(raw, cancel);
            return BroadcastAnswer.Taken;
        }
        catch (RpcErrorException error)
        {
            Log.NotTaken(log, error.Reason);
            return Read(error.Reason);
        }
        catch (RefusalException unavailable) when (unavailable.Refusal == Refusal.ChainUnavailable)
        {
            // No answer is no refusal: the transaction may be on its way.
            Log.NotTaken(log, unavailable.Message);
            return BroadcastAnswer.Unknown;
        }
    }

    /// <summary>Nodes say the same in many words; those of geth, Anvil, Nethermind, Besu, Erigon and Reth.</summary>
    private static BroadcastAnswer Read(string reason)
    {
        return Says("already known") || Says("already imported") || Says("alreadyknown") ? BroadcastAnswer.Taken
            : Says("nonce too low") || Says("nonce below") || Says("oldnonce") ? BroadcastAnswer.NonceUsed
            : Says("underpriced") || Says("replacement") || Says("feetoolow") ? BroadcastAnswer.Underpriced
            : BroadcastAnswer.Unknown;

        bool Says(string words) => reason.Contains(words, StringComparison.OrdinalIgnoreCase);
    }

    public async Task<(Refusal Refusal, string Message)> ExplainAsync(
        string operation, Call call, TransactionReceipt receipt, CancellationToken cancel)
    {
        // After its block: it was estimated well, so most likely a transaction of the same block got ahead of it.
        RevertReason reason = await ReasonAsync(call, receipt.BlockNumber, cancel)
            ?? await ReasonAsync(call, receipt.BlockNumber - 1, cancel)
            ?? Unnamed("no reason can be had");
        Log.Reverted(log, operation, receipt.Hash, receipt.BlockNumber, reason.Text);
        return (
            reason.Refusal,
            $"{operation} was mined in block {receipt.BlockNumber} as {receipt.Hash} and reverted: {reason.Text}");
    }

    private static UInt128 Sane(UInt128 fee) => fee <= FeeMax
        ? fee
        : throw new RefusalException(Refusal.ChainUnavailable, $"the RPC asks {AmountWords.PerGas(fee)}, above {AmountWords.Gwei(FeeMax.ToString())}");

    private async Task<UInt128> PriorityFeeAsync(CancellationToken cancel)
    {
        try
        {
            return await rpc.PriorityFeeAsync(cancel);
        }
        catch (RpcErrorException)
        {
            return TipWhereUnknown;
        }
    }

    /// <summary>Why the call reverts on the state after a block; null where it does not.</summary>
    private async Task<RevertReason?> ReasonAsync(Call call, ulong block, CancellationToken cancel)
    {
        try
        {
            await rpc.CallAsync(account, call, block, cancel);
            return null;
        }
        catch (RpcErrorException error)
        {
            return error.RevertData.IsEmpty ? Unnamed(error.Reason) : RevertReason.Decode(error.RevertData.Span);
        }
        catch (RefusalException unavailable)
        {
            return Unnamed(unavailable.Message);
        }
    }

    private static RevertReason Unnamed(string text) => new(Refusal.TransactionReverted, text);

    private static RefusalException ToRefusal(string operation, RpcErrorException error)
    {
        if (!error.RevertData.IsEmpty)
        {
            RevertReason reason = RevertReason.Decode(error.RevertData.Span);
            return new RefusalException(reason.Refusal, $"{operation} is refused by the contract: {reason.Text}", error);
        }

        Refusal refusal =
            error.Reason.Contains("insufficient funds", StringComparison.OrdinalIgnoreCase) ? Refusal.InsufficientFunds
            : error.Reason.Contains("revert", StringComparison.OrdinalIgnoreCase) ? Refusal.TransactionReverted
            : Refusal.ChainUnavailable;
        return new RefusalException(refusal, $"{operation} is refused by the chain: {error.Message}", error);
    }
}
