using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// Sends one transaction and waits for it, for an account without a node: deployments. A node's own are jobs, which
/// survive it and are replaced when they are stuck; this one is only told again.
/// </summary>
internal sealed class TransactionSender(
    EthereumRpc rpc, ulong chainId, Address account, MessageSigner sign, TimeSpan pollMax, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan PollMin = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan SendAgainAfter = TimeSpan.FromSeconds(30);

    private readonly Transactions _transactions = new(rpc, chainId, account, sign, log);

    /// <summary>
    /// Answers when mined. Throws <see cref="RefusalException"/>: what the contract refuses with, InsufficientFunds,
    /// TransactionReverted or ChainUnavailable.
    /// </summary>
    public async Task<MinedTransaction> SendAsync(
        string operation, Call call, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        (ulong gas, IReadOnlyList<AccessListEntry> accessList) = await _transactions.EstimateAsync(operation, call, cancel);
        TransactionFees fees = FeePolicy.First(await _transactions.FeesAsync(cancel));
        UInt128 needed = call.Value + gas * fees.MaxFee, balance = await rpc.BalanceAsync(account, cancel);
        if (needed > balance) throw _transactions.Short(operation, needed, balance);
        ulong nonce = await rpc.NextNonceAsync(account, null, cancel);
        SignedTransaction sent = await _transactions.SignAsync(call, nonce, gas, accessList, fees, cancel);
        await _transactions.BroadcastAsync(sent.Raw, cancel);
        Log.Sent(log, operation, sent.Hash, nonce);
        progress?.Report(new TransactionStep(sent.Hash, null));
        MinedTransaction mined = await WaitAsync(sent, cancel);
        if (!mined.Succeeded)
        {
            (_, string why) = await _transactions.ExplainAsync(operation, call, mined.Receipt, cancel);
            throw new RefusalException(Refusal.TransactionReverted, why);
        }

        Log.Mined(log, operation, sent.Hash, mined.Receipt.BlockNumber, mined.Receipt.GasUsed);
        progress?.Report(new TransactionStep(sent.Hash, mined.Receipt));
        return mined;
    }

    private async Task<MinedTransaction> WaitAsync(SignedTransaction sent, CancellationToken cancel)
    {
        TimeSpan delay = PollMin;
        long since = time.GetTimestamp();
        while (true)
        {
            if (await TryMinedAsync(sent, cancel) is { } mined) return mined;
            if (time.GetElapsedTime(since) >= SendAgainAfter)
            {
                await _transactions.BroadcastAsync(sent.Raw, cancel);
                since = time.GetTimestamp();
            }

            await Task.Delay(delay, time, cancel);
            delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, pollMax.Ticks));
        }
    }

    /// <summary>A lost connection must not lose sight of a transaction that is on its way.</summary>
    private async Task<MinedTransaction?> TryMinedAsync(SignedTransaction sent, CancellationToken cancel)
    {
        try
        {
            return await rpc.MinedAsync(sent.Hash, cancel);
        }
        catch (RefusalException passing) when (passing.Refusal == Refusal.ChainUnavailable)
        {
            return null;
        }
    }
}
