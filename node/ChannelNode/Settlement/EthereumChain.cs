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
    private readonly Address _contract;

    /// <summary>An allowance belongs to one deposit: two at once would overwrite each other's.</summary>
    private readonly SemaphoreSlim _allowance = new(1);

    private EthereumChain(
        RpcClient client, EthereumRpc rpc, TransactionSender sender, ChainFollower follower, Address contract, ulong chainId)
    {
        (_client, _rpc, _sender, _follower, _contract) = (client, rpc, sender, follower, contract);
        ChainId = chainId;
    }

    /// <summary>As the RPC told, and as configured where that is.</summary>
    public ulong ChainId { get; }

    /// <summary>
    /// Connects and checks the chain (WrongChain) and that there is a contract (WrongContract). Transactions are
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
            return new EthereumChain(
                client,
                rpc,
                new TransactionSender(rpc, chainId, account, sign, poll, time, log),
                new ChainFollower(rpc, options.Contract, options.FromBlock, options.Confirmations, poll, time, log),
                options.Contract,
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
            await RequireTokensAsync(token, amount, cancel);
            return;
        }

        UInt128 available = await EtherBalanceAsync(_sender.Account, cancel);
        if (available > amount) return;
        throw new RefusalException(
            Refusal.InsufficientFunds,
            $"a deposit of {amount} wei needs more than that, for its gas, and {_sender.Account} has {available} wei");
    }

    public async Task<TransactionReceipt> DepositAsync(
        Channel channel, Side side, UInt128 amount, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        byte[] data = PaymentChannelsCalls.Deposit(channel.Terms, side, amount);
        Address token = channel.Terms.Token;
        if (token.IsZero) return await SendAsync("deposit", amount, data, progress, cancel);

        await _allowance.WaitAsync(cancel);
        try
        {
            await RequireTokensAsync(token, amount, cancel);
            await ApproveAsync(token, amount, progress, cancel);
            return await SendAsync("deposit", 0, data, progress, cancel);
        }
        finally
        {
            _allowance.Release();
        }
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
        IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        byte[] data = PaymentChannelsCalls.Dispute(channel.Terms, update.Sent, update.Received, signature.ToArray(), []);
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

    public IAsyncEnumerable<ChainBatch> FollowAsync(ChainCursor? after, CancellationToken cancel) =>
        _follower.FollowAsync(after, cancel);

    /// <summary>What the contract stores of a channel now, whatever its confirmations; all zero for an unknown one.</summary>
    public async Task<Pots> SidesAsync(ChannelId id, CancellationToken cancel) =>
        PaymentChannelsCalls.ReadSides(await ReadAsync(_contract, PaymentChannelsCalls.Sides(id), Refusal.ChainUnavailable, cancel));

    /// <summary>The id as the contract computes it: tells whether it is the contract that this program was made for.</summary>
    public async Task<ChannelId> ChannelIdAsync(ChannelTerms terms, CancellationToken cancel)
    {
        byte[] id = await ReadAsync(_contract, PaymentChannelsCalls.ChannelId(terms), Refusal.WrongContract, cancel);
        return id.Length == Bytes32.Size ? ChannelId.Read(id) : default;
    }

    /// <summary>Wei of any account.</summary>
    public Task<UInt128> EtherBalanceAsync(Address owner, CancellationToken cancel) => _rpc.BalanceAsync(owner, cancel);

    /// <summary>Smallest units of an ERC-20 token.</summary>
    public async Task<UInt128> TokenBalanceAsync(Address token, Address owner, CancellationToken cancel)
    {
        byte[] result = await ReadAsync(token, TokenCalls.BalanceOf(owner), Refusal.TransferFailed, cancel);
        return result.Length == AbiWriter.Word
            ? TokenCalls.ReadAmount(result)
            : throw new RefusalException(Refusal.TransferFailed, $"there is no token at {token}");
    }

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    private static async Task<ulong> CheckAsync(EthereumRpc rpc, NodeOptions options, CancellationToken cancel)
    {
        ulong chainId = await rpc.ChainIdAsync(cancel);
        if (options.ChainId != 0 && options.ChainId != chainId)
        {
            throw new RefusalException(
                Refusal.WrongChain, $"{rpc.Client.Name} serves chain {chainId}, and chain {options.ChainId} is configured");
        }

        if (!await rpc.HasCodeAsync(options.Contract, cancel))
        {
            throw new RefusalException(
                Refusal.WrongContract, $"there is no contract at {options.Contract} on chain {chainId}");
        }

        return chainId;
    }

    private async Task RequireTokensAsync(Address token, UInt128 needed, CancellationToken cancel)
    {
        UInt128 available = await TokenBalanceAsync(token, _sender.Account, cancel);
        if (needed <= available) return;
        throw new RefusalException(
            Refusal.InsufficientFunds,
            $"deposit needs {needed} of token {token}, and {_sender.Account} has {available}");
    }

    /// <summary>Leaves an allowance of what the deposit takes, or the larger one that the operator gave.</summary>
    private async Task ApproveAsync(
        Address token, UInt128 amount, IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        byte[] question = TokenCalls.Allowance(_sender.Account, _contract);
        UInt128 allowance = TokenCalls.ReadAmount(
            await ReadAsync(token, question, Refusal.TransferFailed, cancel));
        if (allowance >= amount) return;

        // Some tokens (the largest among them) only let an allowance rise from zero.
        if (allowance != UInt128.Zero)
            await _sender.SendAsync("approve", new Call(token, 0, TokenCalls.Approve(_contract, 0)), progress, cancel);
        await _sender.SendAsync("approve", new Call(token, 0, TokenCalls.Approve(_contract, amount)), progress, cancel);
    }

    private async Task<byte[]> ReadAsync(Address to, byte[] data, Refusal whereItFails, CancellationToken cancel)
    {
        try
        {
            return await _rpc.CallAsync(_sender.Account, new Call(to, 0, data), null, cancel);
        }
        catch (RpcErrorException error)
        {
            throw new RefusalException(whereItFails, $"{to} cannot be asked: {error.Message}", error);
        }
    }

    private async Task<TransactionReceipt> SendAsync(
        string operation, UInt128 value, byte[] data, IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        (await _sender.SendAsync(operation, new Call(_contract, value, data), progress, cancel)).Receipt;
}
