using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;

namespace ChannelNode.Tests;

/// <summary>
/// What a chain can do, done at once and waited for: without jobs, for tests of the chain itself and for the other side of a
/// channel. The nonce is what the chain says is next, so one at a time.
/// </summary>
internal static class DirectSending
{
    private const int MinedWithinMs = 60_000;

    private static readonly ConditionalWeakTable<EthereumChain, SemaphoreSlim> Turns = [];

    public static Task<TransactionReceipt> DepositAsync(
        this EthereumChain chain, Channel channel, Side side, UInt128 amount,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(chain.Deposit(channel, side, amount), progress, cancel);

    public static Task<TransactionReceipt> DepositManyAsync(
        this EthereumChain chain, IReadOnlyList<ChannelDeposit> deposits,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(() => chain.DepositMany(deposits), progress, cancel);

    public static Task<TransactionReceipt> RelayDepositAsync(
        this EthereumChain chain, Channel channel, Side side, UInt128 amount, DepositAuthorization authorization,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(chain.RelayDeposit(channel, side, amount, authorization), progress, cancel);

    public static Task<TransactionReceipt> CloseAsync(
        this EthereumChain chain, Channel channel, CooperativeClose close, Signature signatureA, Signature signatureB,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(chain.Close(channel, close, signatureA, signatureB), progress, cancel);

    public static Task<TransactionReceipt> StartCloseAsync(
        this EthereumChain chain, Channel channel, BalanceUpdate? update, Signature signature,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(chain.StartClose(channel, update, signature), progress, cancel);

    public static Task<TransactionReceipt> DisputeAsync(
        this EthereumChain chain, Channel channel, BalanceUpdate update, Signature signature,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(chain.Dispute(channel, update, signature), progress, cancel);

    public static Task<TransactionReceipt> DisputeForAsync(
        this EthereumChain chain, Channel channel, BalanceUpdate update, Signature signature, Signature consent,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(chain.DisputeFor(channel, update, signature, consent), progress, cancel);

    public static Task<TransactionReceipt> SettleAsync(
        this EthereumChain chain, Channel channel, IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(chain.Settle(channel), progress, cancel);

    public static Task<TransactionReceipt> ClaimAsync(
        this EthereumChain chain, IReadOnlyList<ClaimRow> rows,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(() => chain.Claim(rows), progress, cancel);

    public static Task<TransactionReceipt> WithdrawCreditAsync(
        this EthereumChain chain, Address token, IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        chain.SendAsync(chain.WithdrawCredit(token), progress, cancel);

    /// <summary>Encodes in the task, so that a call that cannot be encoded is a failed task as well.</summary>
    private static async Task<TransactionReceipt> SendAsync(
        this EthereumChain chain, Func<ChainCall> encode, IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        await chain.SendAsync(encode(), progress, cancel);

    private static async Task<TransactionReceipt> SendAsync(
        this EthereumChain chain, ChainCall call, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        while (true)
        {
            (PreparedCall prepared, SignedTransaction signed) = await chain.SignNextAsync(call, cancel);
            progress?.Report(new TransactionStep(signed.Hash, null));
            MinedTransaction mined = await chain.WaitAsync(signed, cancel);
            if (!mined.Succeeded)
            {
                (_, string why) = await chain.ExplainAsync(call, mined.Receipt, cancel);
                throw new RefusalException(Refusal.TransactionReverted, why);
            }

            progress?.Report(new TransactionStep(signed.Hash, mined.Receipt));
            if (prepared.Completes) return mined.Receipt;
        }
    }

    private static async Task<(PreparedCall Call, SignedTransaction Signed)> SignNextAsync(
        this EthereumChain chain, ChainCall call, CancellationToken cancel)
    {
        SemaphoreSlim turn = Turns.GetValue(chain, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(cancel);
        try
        {
            PreparedCall prepared = await chain.PrepareAsync(call, cancel);
            AccountLook look = await chain.LookAsync(1, cancel);
            TransactionFees fees = FeePolicy.First(await chain.FeesAsync(cancel));
            UInt128 needed = prepared.Call.Value + prepared.Gas * fees.MaxFee;
            if (needed > look.Balance)
                throw new RefusalException(Refusal.InsufficientFunds, $"needs {needed} wei, has {look.Balance} wei");
            SignedTransaction signed = await chain.SignAsync(prepared, look.PendingNonce, fees, cancel);
            await chain.BroadcastAsync(signed.Raw, cancel);
            return (prepared, signed);
        }
        finally
        {
            turn.Release();
        }
    }

    public static async Task<MinedTransaction> WaitAsync(
        this EthereumChain chain, SignedTransaction signed, CancellationToken cancel)
    {
        for (long begun = Environment.TickCount64; Environment.TickCount64 - begun < MinedWithinMs;)
        {
            if (await chain.MinedAsync(signed.Hash, cancel) is { } mined) return mined;
            await Task.Delay(25, cancel);
        }

        throw new TimeoutException($"{signed.Hash} is not mined; the account stands at {await chain.LookAsync(1, cancel)}");
    }
}
