using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// The node's account in any ERC-20 token, as far as deposits need it. Where the token takes signatures they spare a
/// transaction (EIP-2612) or all of this account's gas (EIP-3009). What is signed names the contract as the only one
/// that can use it, so a token that lies about its domain gains nothing.
/// </summary>
internal sealed class TokenAccount(
    EthereumRpc rpc, TransactionSender sender, Address contract, DigestSigner sign, TimeSpan poll, TimeProvider time)
{
    /// <summary>How long a permit may take to be mined. It is of no use to anyone else.</summary>
    private const ulong PermitSeconds = 3_600;

    /// <summary>An allowance or permit belongs to one deposit: two at once would overwrite each other's.</summary>
    private readonly SemaphoreSlim _allowance = new(1);

    /// <summary>Smallest units. TransferFailed where there is no token.</summary>
    public async Task<UInt128> BalanceOfAsync(Address token, Address owner, CancellationToken cancel)
    {
        byte[] result = await rpc.AskContractAsync(
            sender.Account, token, TokenCalls.BalanceOf(owner), Refusal.TransferFailed, cancel);
        return result.Length == AbiWriter.Word
            ? TokenCalls.ReadAmount(result)
            : throw new RefusalException(Refusal.TransferFailed, $"there is no token at {token}");
    }

    public async Task RequireAsync(Address token, UInt128 needed, CancellationToken cancel)
    {
        UInt128 available = await BalanceOfAsync(token, sender.Account, cancel);
        if (needed <= available) return;
        throw new RefusalException(
            Refusal.InsufficientFunds,
            $"deposit needs {needed} of token {token}, and {sender.Account} has {available}");
    }

    /// <summary>By the allowance that is there, else by permit where the token has it, else by one given before.</summary>
    public async Task<TransactionReceipt> DepositAsync(
        Channel channel, Side side, UInt128 amount, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        Address token = channel.Terms.Token;
        await _allowance.WaitAsync(cancel);
        try
        {
            await RequireAsync(token, amount, cancel);
            if (await AllowanceAsync(token, cancel) < amount)
            {
                if (await TryWithPermitAsync(channel, side, amount, progress, cancel) is { } receipt) return receipt;
                await ApproveAsync(token, amount, progress, cancel);
            }

            return await SendAsync("deposit", PaymentChannelsCalls.Deposit(channel.Terms, side, amount), progress, cancel);
        }
        finally
        {
            _allowance.Release();
        }
    }

    /// <summary>Many deposits of <paramref name="total"/> in one transaction: <paramref name="data"/>.</summary>
    public async Task<TransactionReceipt> DepositManyAsync(
        Address token, UInt128 total, byte[] data, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        await _allowance.WaitAsync(cancel);
        try
        {
            await RequireAsync(token, total, cancel);
            if (await AllowanceAsync(token, cancel) < total) await ApproveAsync(token, total, progress, cancel);
            return await SendAsync("deposit", data, progress, cancel);
        }
        finally
        {
            _allowance.Release();
        }
    }

    /// <summary>TokenWithoutAuthorization where nothing can be signed in this token; also for ether.</summary>
    public Task RequireAuthorizationsAsync(Address token, CancellationToken cancel) => DomainAsync(token, cancel);

    /// <summary>Signs a deposit for someone else to relay. TokenWithoutAuthorization where the token cannot take it.</summary>
    public async Task<DepositAuthorization> AuthorizeAsync(
        Channel channel, Side side, UInt128 amount, ulong validBeforeSeconds, CancellationToken cancel)
    {
        Address token = channel.Terms.Token;
        Bytes32 salt = Bytes32.Read(RandomNumberGenerator.GetBytes(Bytes32.Size));
        Bytes32 nonce = PaymentChannelsCalls.AuthorizationNonce(channel.Id, side, salt);
        Bytes32 digest = TokenSignatures.ReceiveWithAuthorization(
            await DomainAsync(token, cancel), sender.Account, contract, amount, 0, validBeforeSeconds, nonce);
        return new DepositAuthorization(sender.Account, 0, validBeforeSeconds, salt, sign(digest));
    }

    /// <summary>The hash of the domain of a token that knows authorizations.</summary>
    private async Task<Bytes32> DomainAsync(Address token, CancellationToken cancel)
    {
        bool isKnown = !token.IsZero
            && await TryAskAsync(token, TokenCalls.AuthorizationState(sender.Account, default), cancel) is not null;
        if (isKnown && await TryAskAsync(token, TokenCalls.DomainSeparator, cancel) is { } domain) return domain;
        throw new RefusalException(
            Refusal.TokenWithoutAuthorization,
            $"{(token.IsZero ? "ether" : $"token {token}")} takes no signed authorizations (EIP-3009)");
    }

    /// <summary>
    /// Waits for what someone else relays, and answers a block in which it is done. TransactionReverted when the
    /// authorization's time is over on the chain and it was not used: then it never will be.
    /// </summary>
    public async Task<ulong> WhenUsedAsync(
        Channel channel, Side side, DepositAuthorization authorization, CancellationToken cancel)
    {
        Bytes32 nonce = PaymentChannelsCalls.AuthorizationNonce(channel.Id, side, authorization.Salt);
        byte[] question = TokenCalls.AuthorizationState(authorization.From, nonce);
        while (true)
        {
            try
            {
                // The time first: what is unused in a later block stays so.
                BlockHeader block = await rpc.LatestBlockAsync(cancel);
                if (await TryAskAsync(channel.Terms.Token, question, cancel) is { } used && used != default)
                    return await rpc.BlockNumberAsync(cancel);
                if (block.TimestampSeconds >= authorization.ValidBeforeSeconds) throw NotRelayed(authorization);
            }
            catch (RefusalException passing) when (passing.Refusal == Refusal.ChainUnavailable)
            {
                // It is on its way, whether we see it or not.
            }

            await Task.Delay(poll, time, cancel);
        }
    }

    private static RefusalException NotRelayed(DepositAuthorization authorization) => new(
        Refusal.TransactionReverted,
        $"the deposit was not relayed before its authorization ended at {authorization.ValidBeforeSeconds}; it never will be");

    /// <summary>Null where the token knows no permits, or takes none as EIP-2612 has them.</summary>
    private async Task<TransactionReceipt?> TryWithPermitAsync(
        Channel channel, Side side, UInt128 amount, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        Address token = channel.Terms.Token;
        if (await TryAskAsync(token, TokenCalls.Nonces(sender.Account), cancel) is not { } nonce) return null;
        if (await TryAskAsync(token, TokenCalls.DomainSeparator, cancel) is not { } domain) return null;
        ulong deadline = (await rpc.LatestBlockAsync(cancel)).TimestampSeconds + PermitSeconds;
        Signature permit = sign(
            TokenSignatures.Permit(domain, sender.Account, contract, amount, nonce, deadline));
        byte[] data = PaymentChannelsCalls.DepositWithPermit(channel.Terms, side, amount, deadline, permit);
        try
        {
            return await SendAsync("deposit with permit", data, progress, cancel);
        }
        catch (RefusalException refused) when (refused.Refusal == Refusal.TransferFailed)
        {
            return null; // Found by the estimate: nothing was sent.
        }
    }

    private async Task<UInt128> AllowanceAsync(Address token, CancellationToken cancel) =>
        TokenCalls.ReadAmount(await rpc.AskContractAsync(
            sender.Account, token, TokenCalls.Allowance(sender.Account, contract), Refusal.TransferFailed, cancel));

    /// <summary>Leaves an allowance of what the deposit takes; a larger one that the operator gave is never touched.</summary>
    private async Task ApproveAsync(
        Address token, UInt128 amount, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        // Some tokens (the largest among them) only let an allowance rise from zero.
        if (await AllowanceAsync(token, cancel) != UInt128.Zero)
            await sender.SendAsync("approve", new Call(token, 0, TokenCalls.Approve(contract, 0)), progress, cancel);
        await sender.SendAsync("approve", new Call(token, 0, TokenCalls.Approve(contract, amount)), progress, cancel);
    }

    /// <summary>One word, or null where the token does not know the question.</summary>
    private async Task<Bytes32?> TryAskAsync(Address token, byte[] question, CancellationToken cancel)
    {
        try
        {
            byte[] answer = await rpc.CallAsync(sender.Account, new Call(token, 0, question), null, cancel);
            return answer.Length == AbiWriter.Word ? Bytes32.Read(answer) : null;
        }
        catch (RpcErrorException)
        {
            return null;
        }
    }

    private async Task<TransactionReceipt> SendAsync(
        string operation, byte[] data, IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        (await sender.SendAsync(operation, new Call(contract, 0, data), progress, cancel)).Receipt;
}
