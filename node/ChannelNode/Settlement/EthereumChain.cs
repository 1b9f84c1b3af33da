using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>PaymentChannels on an Ethereum chain, by JSON-RPC, at the cost of the node's own account.</summary>
internal sealed class EthereumChain : IChain
{
    /// <summary>What the contract gives a payout, 50,000 or 200,000, and what a credit in its place takes.</summary>
    private const ulong EtherPayoutGas = 75_000;
    private const ulong TokenPayoutGas = 225_000;

    private readonly RpcClient _client;
    private readonly EthereumRpc _rpc;
    private readonly Transactions _transactions;
    private readonly ChainFollower _follower;
    private readonly TokenAccount _tokens;
    private readonly Address _contract;
    private readonly string _finality;
    private readonly Func<ulong, ChainFollower> _upTo;

    private EthereumChain(
        RpcClient client, EthereumRpc rpc, Transactions transactions, ChainFollower follower, TokenAccount tokens,
        Address contract, FinalityTag finality, Func<ulong, ChainFollower> upTo, ulong chainId)
    {
        _upTo = upTo;
        _finality = finality == FinalityTag.Safe ? "safe" : "finalized";
        (_client, _rpc, _transactions) = (client, rpc, transactions);
        (_follower, _tokens, _contract) = (follower, tokens, contract);
        ChainId = chainId;
    }

    /// <summary>As the RPC told, and as configured where that is.</summary>
    public ulong ChainId { get; }

    /// <summary>
    /// Connects and checks the chain (WrongChain) and that the contract is the one that this program was built with, to
    /// the byte (WrongContract): one with the same functions could do anything with a deposit. Transactions are
    /// signed by <paramref name="sign"/> and paid by <paramref name="account"/>, its address.
    /// </summary>
    public static async Task<EthereumChain> ConnectAsync(
        NodeOptions options, Address account, MessageSigner sign, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        var client = new RpcClient(options.RpcUrl, time, log, options.RpcAnswerBytesMax);
        try
        {
            var rpc = new EthereumRpc(client);
            ulong chainId = await CheckAsync(rpc, options, cancel);
            TimeSpan poll = TimeSpan.FromMilliseconds(options.PollMs);
            Log.Connected(log, options.Contract, chainId, client.Name);
            return new EthereumChain(
                client,
                rpc,
                new Transactions(rpc, chainId, account, sign, log),
                new ChainFollower(rpc, options.Contract, options.FromBlock, options.ReorgDepthMax, poll, time, log),
                new TokenAccount(rpc, account, options.Contract, sign, poll, time),
                options.Contract,
                options.Finality,
                last => new ChainFollower(
                    rpc, options.Contract, options.FromBlock, options.ReorgDepthMax, poll, time, log, lastBlock: last),
                chainId);
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    public async Task RequireFundsAsync(Address token, UInt128 amount, bool relayed, CancellationToken cancel)
    {
        if (relayed) await _tokens.RequireAuthorizationsAsync(token, cancel);
        if (!token.IsZero)
        {
            await _tokens.RequireAsync(token, amount, cancel);
            return;
        }

        UInt128 available = await EtherBalanceAsync(_transactions.Account, cancel);
        if (available > amount) return;
        throw new RefusalException(
            Refusal.InsufficientFunds,
            $"a deposit of {AmountWords.Of(amount, token)} needs more than that, for its gas, and {_transactions.Account} has "
            + AmountWords.Of(available, token));
    }

    public ChainCall Deposit(Channel channel, Side side, UInt128 amount)
    {
        byte[] data = PaymentChannelsCalls.Deposit(channel.Terms, side, amount);
        return Paying("deposit", channel.Terms.Token, amount, data);
    }

    public ChainCall DepositMany(IReadOnlyList<ChannelDeposit> deposits)
    {
        if (deposits.Count == 0) throw new ArgumentException("no deposit was given", nameof(deposits));
        Address token = deposits[0].Channel.Terms.Token;
        UInt128 total = UInt128.Zero;
        var rows = new AbiWriter[deposits.Count];
        for (int i = 0; i < rows.Length; i++)
        {
            (Channel channel, Side side, UInt128 amount) = deposits[i];
            if (channel.Terms.Token != token) throw new ArgumentException("the deposits have one token", nameof(deposits));
            total = checked(total + amount);
            rows[i] = PaymentChannelsCalls.DepositRow(channel.Terms, side, amount);
        }

        return Paying("deposit", token, total, PaymentChannelsCalls.DepositMany(token, rows));
    }

    public Task<DepositAuthorization> AuthorizeDepositAsync(
        Channel channel, Side side, UInt128 amount, ulong validBeforeSeconds, CancellationToken cancel) =>
        _tokens.AuthorizeAsync(channel, side, amount, validBeforeSeconds, cancel);

    public Task<ulong> WhenAuthorizationUsedAsync(
        Channel channel, Side side, DepositAuthorization authorization, CancellationToken cancel) =>
        _tokens.WhenUsedAsync(channel, side, authorization, cancel);

    public ChainCall RelayDeposit(Channel channel, Side side, UInt128 amount, DepositAuthorization authorization) =>
        Calling(
            "relayed deposit", PaymentChannelsCalls.DepositWithAuthorization(channel.Terms, side, amount, authorization));

    public ChainCall Close(Channel channel, CooperativeClose close, Signature signatureA, Signature signatureB) => Calling(
        "close",
        PaymentChannelsCalls.Close(
            channel.Terms, close, SignatureOf(channel.Terms.A, signatureA), SignatureOf(channel.Terms.B, signatureB)));

    /// <summary>A party that is the sender itself needs no signature, which spares gas.</summary>
    private ReadOnlySpan<byte> SignatureOf(Party party, Signature signature) =>
        party.Signer == _transactions.Account || party.Owner == _transactions.Account ? [] : signature.ToArray();

    public ChainCall StartClose(Channel channel, BalanceUpdate? update, Signature signature) => Calling(
        "startClose",
        update is { } given
            ? PaymentChannelsCalls.StartClose(channel.Terms, given.Sent, given.Received, signature.ToArray())
            : PaymentChannelsCalls.StartClose(channel.Terms, 0, 0, []));

    public ChainCall Dispute(Channel channel, BalanceUpdate update, Signature signature) =>
        Dispute(channel, update, signature, []);

    public ChainCall DisputeFor(Channel channel, BalanceUpdate update, Signature signature, Signature consent) =>
        Dispute(channel, update, signature, consent.ToArray());

    private ChainCall Dispute(Channel channel, BalanceUpdate update, Signature signature, byte[] consent) => Calling(
        "dispute",
        PaymentChannelsCalls.Dispute(channel.Terms, update.Sent, update.Received, signature.ToArray(), consent));

    public ChainCall Settle(Channel channel) => Calling("settle", PaymentChannelsCalls.Settle(channel.Terms));

    public ChainCall Claim(IReadOnlyList<ClaimRow> rows)
    {
        if (rows.Count == 0) throw new ArgumentException("a claim needs a row", nameof(rows));
        ChannelTerms common = rows[0].Channel.Terms;
        var encoded = new AbiWriter[rows.Count];
        for (int i = 0; i < encoded.Length; i++)
        {
            ChannelTerms terms = rows[i].Channel.Terms;
            bool fits = terms.OneWay && terms.B == common.B && terms.Token == common.Token
                && terms.DisputeWindowSeconds == common.DisputeWindowSeconds;
            if (!fits) throw new ArgumentException("the rows of a claim have one payee, token and window", nameof(rows));
            encoded[i] = PaymentChannelsCalls.ClaimRow(terms.A, terms.Salt, rows[i].Sent, rows[i].Signature);
        }

        return Calling("claim", PaymentChannelsCalls.Claim(common, encoded));
    }

    public async Task<UInt128> CreditOfAsync(Address owner, Address token, CancellationToken cancel) =>
        Read(TokenCalls.ReadAmount, await AskAsync(PaymentChannelsCalls.CreditOf(owner, token), Refusal.ChainUnavailable, cancel));

    public Task<(string Symbol, UInt128 Decimals)?> TokenNameAsync(Address token, CancellationToken cancel) =>
        _tokens.NameAsync(token, cancel);

    public ChainCall WithdrawCredit(Address token) =>
        Calling("withdrawCredit", PaymentChannelsCalls.WithdrawCredit(token));

    public ChainCall Nothing() => new("nothing", _transactions.Account, UInt128.Zero, default);

    public async Task<PreparedCall> PrepareAsync(ChainCall call, CancellationToken cancel)
    {
        if (call.Spends == UInt128.Zero) return await PrepareAsync(call, completes: true, cancel);
        await _tokens.RequireAsync(call.Token, call.Spends, cancel);
        if (await _tokens.AllowanceAsync(call.Token, cancel) >= call.Spends)
            return await PrepareAsync(call, completes: true, cancel);
        if (await _tokens.WithPermitAsync(call, cancel) is { } permitted)
        {
            try
            {
                return await PrepareAsync(permitted, completes: true, cancel);
            }
            catch (RefusalException refused) when (refused.Refusal == Refusal.TransferFailed)
            {
                // The token takes no permits as EIP-2612 has them.
            }
        }

        return await PrepareAsync(await _tokens.ApproveAsync(call, cancel), completes: false, cancel);
    }

    private async Task<PreparedCall> PrepareAsync(ChainCall call, bool completes, CancellationToken cancel)
    {
        (ulong gas, IReadOnlyList<AccessListEntry> accessList) =
            await _transactions.EstimateAsync(call.Operation, Plain(call), cancel);
        return new PreparedCall(call, gas + PayoutHeadroom(call), accessList, completes);
    }

    /// <summary>
    /// An owner that is a contract may take its payout for little gas while this is estimated, and burn all that it is given once it is
    /// mined. Without room for that too little would be left for the other owner, and all would revert.
    /// </summary>
    private static ulong PayoutHeadroom(ChainCall call) =>
        !PaymentChannelsCalls.PaysBothOwners(call.Data.Span, out Address token) ? 0 : token.IsZero ? EtherPayoutGas : TokenPayoutGas;

    public ValueTask<SignedTransaction> SignAsync(
        PreparedCall call, ulong nonce, TransactionFees fees, CancellationToken cancel) =>
        _transactions.SignAsync(Plain(call.Call), nonce, call.Gas, call.AccessList, fees, cancel);

    public Task<BroadcastAnswer> BroadcastAsync(ReadOnlyMemory<byte> raw, CancellationToken cancel) =>
        _transactions.BroadcastAsync(raw, cancel);

    public async Task<AccountLook> LookAsync(uint depth, CancellationToken cancel)
    {
        BlockHeader head = await _rpc.LatestBlockAsync(cancel);
        Address account = _transactions.Account;
        ulong mined = await _rpc.NextNonceAsync(account, head.Number, cancel);
        ulong deep = depth <= 1 ? mined
            : head.Number + 1 < depth ? 0
            : await _rpc.NextNonceAsync(account, head.Number + 1 - depth, cancel);
        ulong pending = await _rpc.NextNonceAsync(account, null, cancel);
        return new AccountLook(
            head.Number, head.TimestampSeconds, mined, deep, pending, await _rpc.BalanceAsync(account, cancel));
    }

    public Task<ChainFees> FeesAsync(CancellationToken cancel) => _transactions.FeesAsync(cancel);

    public Task<MinedTransaction?> MinedAsync(Bytes32 hash, CancellationToken cancel) => _rpc.MinedAsync(hash, cancel);

    public Task<(Refusal Refusal, string Message)> ExplainAsync(ChainCall call, TransactionReceipt receipt, CancellationToken cancel) =>
        _transactions.ExplainAsync(call.Operation, Plain(call), receipt, cancel);

    public IAsyncEnumerable<ChainBatch> FollowAsync(IReadOnlyList<ChainBlock> known, CancellationToken cancel) =>
        _follower.FollowAsync(known, cancel);

    public IAsyncEnumerable<ChainBatch> ReadAsync(
        IReadOnlyList<ChainBlock> known, ulong lastBlock, CancellationToken cancel) => _upTo(lastBlock).ReadAsync(known, cancel);

    public async Task<ulong> HeadAsync(CancellationToken cancel) => (await _rpc.LatestBlockAsync(cancel)).Number;

    public Task<ulong?> FinalBlockAsync(CancellationToken cancel) => _rpc.TaggedBlockAsync(_finality, cancel);

    /// <summary>What the contract stores of a channel now, whatever its confirmations; all zero for an unknown one.</summary>
    public async Task<Pots> SidesAsync(ChannelId id, CancellationToken cancel) =>
        Read(PaymentChannelsCalls.ReadSides, await AskAsync(PaymentChannelsCalls.Sides(id), Refusal.ChainUnavailable, cancel));

    public async Task<Pots> SidesAsync(ChannelId channel, Bytes32 blockHash, CancellationToken cancel) =>
        Read(PaymentChannelsCalls.ReadSides, await _rpc.AskContractAsync(
            _transactions.Account, _contract, PaymentChannelsCalls.Sides(channel), blockHash, cancel));

    /// <summary>The contract is known to the byte: what it cannot have answered is the RPC's fault, and may be right the next time.</summary>
    private T Read<T>(Func<ReadOnlySpan<byte>, T> read, byte[] result)
    {
        try
        {
            return read(result);
        }
        catch (FormatException error)
        {
            throw new RefusalException(
                Refusal.ChainUnavailable, $"{_rpc.Client.Name} answers for {_contract} what it never says: {error.Message}", error);
        }
    }

    /// <summary>The id as the contract computes it: tells whether it is the contract that this program was made for.</summary>
    public async Task<ChannelId> ChannelIdAsync(ChannelTerms terms, CancellationToken cancel)
    {
        byte[] id = await AskAsync(PaymentChannelsCalls.ChannelId(terms), Refusal.WrongContract, cancel);
        return id.Length == Bytes32.Size ? ChannelId.Read(id) : default;
    }

    /// <summary>Wei of any account.</summary>
    public Task<UInt128> EtherBalanceAsync(Address owner, CancellationToken cancel) => _rpc.BalanceAsync(owner, cancel);

    /// <summary>Smallest units of an ERC-20 token.</summary>
    public Task<UInt128> TokenBalanceAsync(Address token, Address owner, CancellationToken cancel) =>
        _tokens.BalanceOfAsync(token, owner, cancel);

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    private static async Task<ulong> CheckAsync(EthereumRpc rpc, NodeOptions options, CancellationToken cancel)
    {
        ulong chainId = await rpc.ChainIdAsync(cancel);
        if (options.ChainId != 0 && options.ChainId != chainId)
        {
            throw new RefusalException(
                Refusal.WrongChain, $"{rpc.Client.Name} serves chain {chainId}, and chain {options.ChainId} is configured");
        }

        byte[] code = await rpc.CodeAsync(options.Contract, cancel);
        if (code.Length == 0)
        {
            throw new RefusalException(
                Refusal.WrongContract, $"there is no contract at {options.Contract} on chain {chainId}");
        }

        Bytes32 found = Keccak.Hash(code), expected = ContractCode.Hash(chainId, options.Contract);
        return found == expected
            ? chainId
            : throw new RefusalException(
                Refusal.WrongContract,
                $"the contract at {options.Contract} on chain {chainId} is not this program's PaymentChannels: its code has "
                + $"hash {found}, expected {expected}. Money put into it could be lost");
    }

    private Task<byte[]> AskAsync(byte[] data, Refusal whereItFails, CancellationToken cancel) =>
        _rpc.AskContractAsync(_transactions.Account, _contract, data, whereItFails, cancel);

    private ChainCall Paying(string operation, Address token, UInt128 amount, byte[] data) => token.IsZero
        ? new ChainCall(operation, _contract, amount, data)
        : new ChainCall(operation, _contract, UInt128.Zero, data, token, amount);

    private ChainCall Calling(string operation, byte[] data) => new(operation, _contract, UInt128.Zero, data);

    private static Call Plain(ChainCall call) => new(call.To, call.Value, call.Data);
}
