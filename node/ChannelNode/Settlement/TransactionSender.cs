using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// Sends the transactions of one account, of which it must be the only sender while it lives: it owns the nonce.
/// They are estimated, signed and sent one at a time and waited for at the same time. A transaction that never gets
/// mined is waited for until cancelled; it is neither replaced nor remembered over a restart.
/// </summary>
internal sealed class TransactionSender(
    EthereumRpc rpc, ulong chainId, Address account, DigestSigner sign, TimeSpan pollMax, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan PollMin = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan SendAgainAfter = TimeSpan.FromSeconds(30);

    /// <summary>State may change between estimate and block: a quarter more, and what a fresh storage slot costs.</summary>
    private const ulong GasHeadroomDivisor = 4;
    private const ulong GasHeadroom = 20_000;

    /// <summary>Covers six full blocks in a row.</summary>
    private const uint BaseFeeFactor = 2;

    /// <summary>Wei per gas: a thousand gwei a thousand times over. Beyond it an RPC is broken or a thief.</summary>
    private static readonly UInt128 FeeMax = 1_000_000_000_000_000;

    private readonly SemaphoreSlim _nonceOwner = new(1);
    private ulong _nextNonce;
    private int _inFlight;

    public Address Account => account;

    /// <summary>
    /// Answers when mined. Throws <see cref="RefusalException"/>: the contract's own refusal where it reverts,
    /// InsufficientFunds, TransactionReverted or ChainUnavailable.
    /// </summary>
    public async Task<MinedTransaction> SendAsync(
        string operation, Call call, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        SignedTransaction sent = await SendNextAsync(operation, call, cancel);
        try
        {
            progress?.Report(new TransactionStep(sent.Hash, null));
            MinedTransaction mined = await WaitAsync(sent, cancel);
            if (!mined.Succeeded) throw await ExplainAsync(operation, call, mined.Receipt, cancel);

            Log.Mined(log, operation, sent.Hash, mined.Receipt.BlockNumber, mined.Receipt.GasUsed);
            progress?.Report(new TransactionStep(sent.Hash, mined.Receipt));
            return mined;
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    private async Task<SignedTransaction> SendNextAsync(string operation, Call call, CancellationToken cancel)
    {
        await _nonceOwner.WaitAsync(cancel);
        try
        {
            Eip1559Transaction transaction = await PrepareAsync(operation, call, cancel);
            SignedTransaction signed = transaction.Sign(sign);
            await SendAsync(operation, signed, cancel);
            _nextNonce = transaction.Nonce + 1;
            Interlocked.Increment(ref _inFlight);
            Log.Sent(log, operation, signed.Hash, transaction.Nonce);
            return signed;
        }
        finally
        {
            _nonceOwner.Release();
        }
    }

    private async Task<Eip1559Transaction> PrepareAsync(string operation, Call call, CancellationToken cancel)
    {
        UInt128 balance = await rpc.BalanceAsync(account, cancel);
        RequireEther(operation, call.Value, balance);
        (ulong gas, IReadOnlyList<AccessListEntry> accessList) = await EstimateAsync(operation, call, cancel);
        UInt128 tip = Sane(await PriorityFeeAsync(cancel));
        UInt128 maxFee = Sane(await rpc.NextBaseFeeAsync(cancel)) * BaseFeeFactor + tip;
        RequireEther(operation, call.Value + gas * maxFee, balance);

        // With nothing under way the chain knows best: it may have dropped what we sent before.
        ulong nonce = await rpc.NextNonceAsync(account, cancel);
        if (Volatile.Read(ref _inFlight) > 0) nonce = Math.Max(nonce, _nextNonce);
        return new Eip1559Transaction(chainId, nonce, tip, maxFee, gas, call.To, call.Value, call.Data, accessList);
    }

    private static UInt128 Sane(UInt128 fee) => fee <= FeeMax
        ? fee
        : throw new RefusalException(Refusal.ChainUnavailable, $"the RPC asks {fee} wei per gas, above {FeeMax}");

    private void RequireEther(string operation, UInt128 needed, UInt128 available)
    {
        if (needed <= available) return;
        throw new RefusalException(
            Refusal.InsufficientFunds,
            $"{operation} needs {needed} wei with its gas, and {account} has {available} wei");
    }

    private async Task<(ulong Gas, IReadOnlyList<AccessListEntry> AccessList)> EstimateAsync(
        string operation, Call call, CancellationToken cancel)
    {
        ulong gas;
        try
        {
            gas = await rpc.EstimateGasAsync(account, call, [], cancel);
        }
        catch (RpcErrorException error)
        {
            throw ToRefusal(operation, error);
        }

        IReadOnlyList<AccessListEntry> accessList = await AccessLists.FindAsync(rpc, account, call, gas, cancel);

        // The limit is without the list: where state has changed, what was listed may have been paid for in vain.
        return (gas + gas / GasHeadroomDivisor + GasHeadroom, accessList);
    }

    private async Task<UInt128> PriorityFeeAsync(CancellationToken cancel)
    {
        try
        {
            return await rpc.PriorityFeeAsync(cancel);
        }
        catch (RpcErrorException)
        {
            // Not every chain has the method; where it is missing tips hardly matter.
            return 1_000_000_000;
        }
    }

    private async Task SendAsync(string operation, SignedTransaction signed, CancellationToken cancel)
    {
        try
        {
            await rpc.SendRawAsync(signed, cancel);
        }
        catch (RpcErrorException error)
        {
            // A repeated call after a lost connection finds its own first try there.
            bool isThere = error.Reason.Contains("already", StringComparison.OrdinalIgnoreCase)
                || await rpc.MinedAsync(signed.Hash, cancel) is not null;
            if (!isThere) throw ToRefusal(operation, error);
        }
        catch (Exception failure) when (IsPassing(failure))
        {
            // No answer is no refusal: the transaction may be on its way. It is waited for, and sent again if it is not.
        }
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
                await SendAgainAsync(sent, cancel);
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
        catch (Exception failure) when (IsPassing(failure))
        {
            return null;
        }
    }

    private async Task SendAgainAsync(SignedTransaction sent, CancellationToken cancel)
    {
        string answer = "accepted";
        try
        {
            await rpc.SendRawAsync(sent, cancel);
        }
        catch (Exception failure) when (IsPassing(failure))
        {
            answer = failure.Message;
        }

        Log.SentAgain(log, sent.Hash, answer);
    }

    private static bool IsPassing(Exception failure) =>
        failure is RpcErrorException or RefusalException { Refusal: Refusal.ChainUnavailable };

    private async Task<RefusalException> ExplainAsync(
        string operation, Call call, TransactionReceipt receipt, CancellationToken cancel)
    {
        // After its block: it was estimated well, so most likely a transaction of the same block got ahead of it.
        string reason = await ReasonAsync(call, receipt.BlockNumber, cancel)
            ?? await ReasonAsync(call, receipt.BlockNumber - 1, cancel)
            ?? "no reason can be had";
        Log.Reverted(log, operation, receipt.Hash, receipt.BlockNumber, reason);
        return new RefusalException(
            Refusal.TransactionReverted,
            $"{operation} was mined in block {receipt.BlockNumber} as {receipt.Hash} and reverted: {reason}");
    }

    /// <summary>Why the call reverts on the state after a block; null where it does not.</summary>
    private async Task<string?> ReasonAsync(Call call, ulong block, CancellationToken cancel)
    {
        try
        {
            await rpc.CallAsync(account, call, block, cancel);
            return null;
        }
        catch (RpcErrorException error)
        {
            return error.RevertData.IsEmpty ? error.Reason : RevertReason.Decode(error.RevertData.Span).Text;
        }
        catch (RefusalException unavailable)
        {
            return unavailable.Message;
        }
    }

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
