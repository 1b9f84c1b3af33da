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
    EthereumRpc rpc, Address account, Address contract, MessageSigner sign, TimeSpan poll, TimeProvider time)
{
    /// <summary>How long a permit may take to be mined. It is of no use to anyone else.</summary>
    private const ulong PermitSeconds = 3_600;

    /// <summary>Smallest units. TransferFailed where there is no token.</summary>
    public async Task<UInt128> BalanceOfAsync(Address token, Address owner, CancellationToken cancel)
    {
        byte[] result = await rpc.AskContractAsync(
            account, token, TokenCalls.BalanceOf(owner), Refusal.TransferFailed, cancel);
        return result.Length == AbiWriter.Word
            ? TokenCalls.ReadAmount(result)
            : throw new RefusalException(Refusal.TransferFailed, $"there is no token at {token}");
    }

    /// <summary>As it calls itself; null where it does not answer, or in no known form.</summary>
    public async Task<(string Symbol, UInt128 Decimals)?> NameAsync(Address token, CancellationToken cancel)
    {
        try
        {
            byte[] symbol = await rpc.CallAsync(account, new Call(token, 0, TokenCalls.Symbol), null, cancel);
            byte[] decimals = await rpc.CallAsync(account, new Call(token, 0, TokenCalls.Decimals), null, cancel);
            if (decimals.Length != AbiWriter.Word || TokenCalls.ReadSymbol(symbol) is not { } name) return null;
            return (name, TokenCalls.ReadAmount(decimals));
        }
        catch (RpcErrorException)
        {
            return null;
        }
    }

    public async Task RequireAsync(Address token, UInt128 needed, CancellationToken cancel)
    {
        UInt128 available = await BalanceOfAsync(token, account, cancel);
        if (needed <= available) return;
        throw new RefusalException(
            Refusal.InsufficientFunds,
            $"deposit needs {needed} of token {token}, and {account} has {available}");
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
        byte[] message = TokenSignatures.ReceiveWithAuthorization(
            await DomainAsync(token, cancel), account, contract, amount, 0, validBeforeSeconds, nonce);
        return new DepositAuthorization(account, 0, validBeforeSeconds, salt, await sign(message, cancel));
    }

    /// <summary>The hash of the domain of a token that knows authorizations.</summary>
    private async Task<Bytes32> DomainAsync(Address token, CancellationToken cancel)
    {
        bool isKnown = !token.IsZero
            && await TryAskAsync(token, TokenCalls.AuthorizationState(account, default), cancel) is not null;
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
        bool isUsed = false;
        while (true)
        {
            try
            {
                // One wait after it was seen: the answer may have come of a block that others, or the same node, tell of later.
                if (isUsed) return await rpc.BlockNumberAsync(cancel);

                // The time first: what is unused in a later block stays so.
                BlockHeader block = await rpc.LatestBlockAsync(cancel);
                isUsed = await TryAskAsync(channel.Terms.Token, question, cancel) is { } used && used != default;
                if (!isUsed && block.TimestampSeconds >= authorization.ValidBeforeSeconds) throw NotRelayed(authorization);
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

    /// <summary>The same deposit with a permit; null where it is of many, or the token knows no permits.</summary>
    public async Task<ChainCall?> WithPermitAsync(ChainCall deposit, CancellationToken cancel)
    {
        if (!PaymentChannelsCalls.IsDeposit(deposit.Data.Span)) return null;
        if (await TryAskAsync(deposit.Token, TokenCalls.Nonces(account), cancel) is not { } nonce) return null;
        if (await TryAskAsync(deposit.Token, TokenCalls.DomainSeparator, cancel) is not { } domain) return null;
        ulong deadline = (await rpc.LatestBlockAsync(cancel)).TimestampSeconds + PermitSeconds;
        Signature permit = await sign(
            TokenSignatures.Permit(domain, account, contract, deposit.Spends, nonce, deadline), cancel);
        return deposit with
        {
            Operation = "deposit with permit",
            Data = PaymentChannelsCalls.WithPermit(deposit.Data.Span, deadline, permit),
        };
    }

    public async Task<UInt128> AllowanceAsync(Address token, CancellationToken cancel)
    {
        byte[] result = await rpc.AskContractAsync(
            account, token, TokenCalls.Allowance(account, contract), Refusal.TransferFailed, cancel);
        return result.Length == AbiWriter.Word
            ? TokenCalls.ReadAmount(result)
            : throw new RefusalException(Refusal.TransferFailed, $"token {token} tells no allowance: it answers {result.Length} bytes");
    }

    /// <summary>
    /// Leaves an allowance of what the deposit takes; a larger one that the operator gave is never touched. Some tokens (the
    /// largest among them) only let an allowance rise from zero: where there is one, it is taken back first.
    /// </summary>
    public async Task<ChainCall> ApproveAsync(ChainCall deposit, CancellationToken cancel)
    {
        UInt128 given = await AllowanceAsync(deposit.Token, cancel);
        UInt128 next = given == UInt128.Zero ? deposit.Spends : UInt128.Zero;
        return new ChainCall("approve", deposit.Token, UInt128.Zero, TokenCalls.Approve(contract, next));
    }

    /// <summary>One word, or null where the token does not know the question.</summary>
    private async Task<Bytes32?> TryAskAsync(Address token, byte[] question, CancellationToken cancel)
    {
        try
        {
            byte[] answer = await rpc.CallAsync(account, new Call(token, 0, question), null, cancel);
            return answer.Length == AbiWriter.Word ? Bytes32.Read(answer) : null;
        }
        catch (RpcErrorException)
        {
            return null;
        }
    }
}
