using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>PaymentChannels on an Ethereum chain, by JSON-RPC, at the cost of the node's own account.</summary>
internal sealed class EthereumChain : IChain
{
    private readonly RpcClient _client;
    private readonly EthereumRpc _rpc;
    private readonly TransactionSender _sender;
    private readonly ChainFollower _follower;
    private readonly TokenAccount _tokens;
    private readonly Address _contract;
    private readonly string _finality;
    private readonly Func<ulong, ChainFollower> _upTo;

    private EthereumChain(
        RpcClient client, EthereumRpc rpc, TransactionSender sender, ChainFollower follower, TokenAccount tokens,
        Address contract, FinalityTag finality, Func<ulong, ChainFollower> upTo, ulong chainId)
    {
        _upTo = upTo;
        _finality = finality == FinalityTag.Safe ? "safe" : "finalized";
        (_client, _rpc, _sender, _follower, _tokens, _contract) = (client, rpc, sender, follower, tokens, contract);
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
        NodeOptions options, Address account, DigestSigner sign, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        var client = new RpcClient(options.RpcUrl, time, log);
        try
        {
            var rpc = new EthereumRpc(client);
            ulong chainId = await CheckAsync(rpc, options, cancel);
            TimeSpan poll = TimeSpan.FromMilliseconds(options.PollMs);
            Log.Connected(log, options.Contract, chainId, client.Name);
            var sender = new TransactionSender(rpc, chainId, account, sign, poll, time, log);
            return new EthereumChain(
                client,
                rpc,
                sender,
                new ChainFollower(rpc, options.Contract, options.FromBlock, options.ReorgDepthMax, poll, time, log),
                new TokenAccount(rpc, sender, options.Contract, sign, poll, time),
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

    public async Task RequireFundsAsync(Address token, UInt128 amount, CancellationToken cancel)
    {
        if (!token.IsZero)
        {
            await _tokens.RequireAsync(token, amount, cancel);
            return;
        }

        UInt128 available = await EtherBalanceAsync(_sender.Account, cancel);
        if (available > amount) return;
        throw new RefusalException(
            Refusal.InsufficientFunds,
            $"a deposit of {amount} wei needs more than that, for its gas, and {_sender.Account} has {available} wei");
    }

    public Task<TransactionReceipt> DepositAsync(
        Channel channel, Side side, UInt128 amount, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        if (!channel.Terms.Token.IsZero) return _tokens.DepositAsync(channel, side, amount, progress, cancel);
        byte[] data = PaymentChannelsCalls.Deposit(channel.Terms, side, amount);
        return SendAsync("deposit", amount, data, progress, cancel);
    }

    public Task<TransactionReceipt> DepositManyAsync(
        IReadOnlyList<ChannelDeposit> deposits, IProgress<TransactionStep>? progress, CancellationToken cancel)
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

        byte[] data = PaymentChannelsCalls.DepositMany(token, rows);
        return token.IsZero
            ? SendAsync("deposit", total, data, progress, cancel)
            : _tokens.DepositManyAsync(token, total, data, progress, cancel);
    }

    public Task<DepositAuthorization> AuthorizeDepositAsync(
        Channel channel, Side side, UInt128 amount, ulong validBeforeSeconds, CancellationToken cancel) =>
        _tokens.AuthorizeAsync(channel, side, amount, validBeforeSeconds, cancel);

    public Task<ulong> WhenAuthorizationUsedAsync(
        Channel channel, Side side, DepositAuthorization authorization, CancellationToken cancel) =>
        _tokens.WhenUsedAsync(channel, side, authorization, cancel);

    public Task<TransactionReceipt> RelayDepositAsync(
        Channel channel, Side side, UInt128 amount, DepositAuthorization authorization,
        IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        byte[] data = PaymentChannelsCalls.DepositWithAuthorization(channel.Terms, side, amount, authorization);
        return SendAsync("relayed deposit", 0, data, progress, cancel);
    }

    public Task<TransactionReceipt> CloseAsync(
        Channel channel, CooperativeClose close, Signature signatureA, Signature signatureB,
        IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        byte[] data = PaymentChannelsCalls.Close(channel.Terms, close, signatureA.ToArray(), signatureB.ToArray());
        return SendAsync("close", 0, data, progress, cancel);
    }

    public Task<TransactionReceipt> StartCloseAsync(
        Channel channel, BalanceUpdate? update, Signature signature,
        IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        byte[] data = update is { } given
            ? PaymentChannelsCalls.StartClose(channel.Terms, given.Sent, given.Received, signature.ToArray())
            : PaymentChannelsCalls.StartClose(channel.Terms, 0, 0, []);
        return SendAsync("startClose", 0, data, progress, cancel);
    }

    public Task<TransactionReceipt> DisputeAsync(
        Channel channel, BalanceUpdate update, Signature signature,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        DisputeAsync(channel, update, signature, [], progress, cancel);

    /// <summary>For the side that the update pays, by anyone who has its consent: a watchtower.</summary>
    public Task<TransactionReceipt> DisputeForAsync(
        Channel channel, BalanceUpdate update, Signature signature, Signature consent,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        DisputeAsync(channel, update, signature, consent.ToArray(), progress, cancel);

    private Task<TransactionReceipt> DisputeAsync(
        Channel channel, BalanceUpdate update, Signature signature, byte[] consent,
        IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        byte[] data = PaymentChannelsCalls.Dispute(
            channel.Terms, update.Sent, update.Received, signature.ToArray(), consent);
        return SendAsync("dispute", 0, data, progress, cancel);
    }

    public Task<TransactionReceipt> SettleAsync(
        Channel channel, IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        SendAsync("settle", 0, PaymentChannelsCalls.Settle(channel.Terms), progress, cancel);

    public Task<TransactionReceipt> ClaimAsync(
        IReadOnlyList<ClaimRow> rows, IProgress<TransactionStep>? progress, CancellationToken cancel)
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

        return SendAsync("claim", 0, PaymentChannelsCalls.Claim(common, encoded), progress, cancel);
    }

    public async Task<UInt128> CreditOfAsync(Address owner, Address token, CancellationToken cancel) =>
        TokenCalls.ReadAmount(await AskAsync(PaymentChannelsCalls.CreditOf(owner, token), Refusal.ChainUnavailable, cancel));

    public Task<TransactionReceipt> WithdrawCreditAsync(
        Address token, IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        SendAsync("withdrawCredit", 0, PaymentChannelsCalls.WithdrawCredit(token), progress, cancel);

    public IAsyncEnumerable<ChainBatch> FollowAsync(IReadOnlyList<ChainBlock> known, CancellationToken cancel) =>
        _follower.FollowAsync(known, cancel);

    /// <summary>As <see cref="FollowAsync"/> from the deployment, as if the chain ended with a block.</summary>
    public IAsyncEnumerable<ChainBatch> ReadUpToAsync(ulong lastBlock, CancellationToken cancel) =>
        _upTo(lastBlock).FollowAsync([], cancel);

    public async Task<ulong> HeadAsync(CancellationToken cancel) => (await _rpc.LatestBlockAsync(cancel)).Number;

    public Task<ulong?> FinalBlockAsync(CancellationToken cancel) => _rpc.TaggedBlockAsync(_finality, cancel);

    /// <summary>What the contract stores of a channel now, whatever its confirmations; all zero for an unknown one.</summary>
    public async Task<Pots> SidesAsync(ChannelId id, CancellationToken cancel) =>
        PaymentChannelsCalls.ReadSides(await AskAsync(PaymentChannelsCalls.Sides(id), Refusal.ChainUnavailable, cancel));

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
        _rpc.AskContractAsync(_sender.Account, _contract, data, whereItFails, cancel);

    private async Task<TransactionReceipt> SendAsync(
        string operation, UInt128 value, byte[] data, IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        (await _sender.SendAsync(operation, new Call(_contract, value, data), progress, cancel)).Receipt;
}
