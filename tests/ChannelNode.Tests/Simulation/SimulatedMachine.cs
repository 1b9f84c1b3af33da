using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;

namespace ChannelNode.Tests.Simulation;

/// <summary>How well a node reaches the chain now. Outlives the node.</summary>
internal sealed class RpcWeather
{
    /// <summary>Answers come late, from machines that lag, or not at all.</summary>
    public bool IsPoor { get; set; }

    public bool IsDown { get; set; }

    /// <summary>How far behind the machine is that is asked for receipts.</summary>
    public int ReceiptsLagBlocks { get; set; }

    /// <summary>The next transaction that is told to the network is the last thing that the node does.</summary>
    public bool CutAtNextBroadcast { get; set; }

    public bool IsCut { get; set; }

    /// <summary>The chain is reached well again.</summary>
    public void Clear() => (IsPoor, IsDown, ReceiptsLagBlocks) = (false, false, 0);
}

/// <summary>The chain as one node's RPC shows it: several machines behind one address, some of which lag.</summary>
internal sealed class SimulatedMachine(
    SimulatedNetwork network, Address account, RpcWeather weather, Random random, TimeProvider time, uint depthMax, Address contract,
    Action<string> trace) : IChain
{
    /// <summary>A machine lags by less.</summary>
    public const int LagMax = 3;

    private const ulong Gas = 80_000;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(2);

    /// <summary>Sees each move of the chain before it is given, and when it is taken.</summary>
    public (Action<ChainBatch> Gives, Action Takes)? Watcher { get; set; }

    /// <summary>A batch is being taken over: channels may be ahead of the cursor.</summary>
    public bool IsGiving { get; private set; }

    /// <summary>The newest block of the machine that answers.</summary>
    private async Task<NetworkBlock> AskAsync(CancellationToken cancel)
    {
        if (weather.IsDown || (weather.IsPoor && random.Next(12) == 0)) throw await FailAsync(cancel);
        if (!weather.IsPoor) return network.Head;
        if (random.Next(3) == 0) await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1, 2_000)), time, cancel);
        NetworkBlock head = network.Head;
        for (int lag = random.Next(2) == 0 ? 0 : random.Next(LagMax); lag > 0; lag--) head = head.Parent ?? head;
        return head;
    }

    private async Task<RefusalException> FailAsync(CancellationToken cancel)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(4) == 0 ? 1 : random.Next(2_000, 15_000)), time, cancel);
        return new RefusalException(Refusal.ChainUnavailable, "the RPC gives no answer");
    }

    public async Task RequireFundsAsync(Address token, UInt128 amount, bool relayed, CancellationToken cancel)
    {
        if ((await AskAsync(cancel)).Accounts[account].Balance < amount)
            throw new RefusalException(Refusal.InsufficientFunds, "not so much");
    }

    public ChainCall Deposit(Channel channel, Side side, UInt128 amount) =>
        Call("deposit", amount, new ContractCall.Deposit(channel.Id, channel.Terms, side, amount));

    public ChainCall StartClose(Channel channel, BalanceUpdate? update, Signature signature) =>
        Call("startClose", 0, new ContractCall.StartClose(channel.Id, channel.Terms, update, signature));

    public ChainCall Dispute(Channel channel, BalanceUpdate update, Signature signature) =>
        Call("dispute", 0, new ContractCall.Dispute(channel.Id, channel.Terms, update, signature, default));

    public ChainCall DisputeFor(Channel channel, BalanceUpdate update, Signature signature, Signature consent) =>
        Call("dispute", 0, new ContractCall.Dispute(channel.Id, channel.Terms, update, signature, consent));

    public ChainCall Close(Channel channel, CooperativeClose close, Signature signatureA, Signature signatureB) =>
        Call("close", 0, new ContractCall.Close(channel.Id, channel.Terms, close, signatureA, signatureB));

    public ChainCall Settle(Channel channel) => Call("settle", 0, new ContractCall.Settle(channel.Id, channel.Terms));

    public ChainCall Claim(IReadOnlyList<ClaimRow> rows) => Call("claim", 0, new ContractCall.Claim(rows));

    public ChainCall Nothing() => Call("nothing", 0, new ContractCall.Nothing());

    private ChainCall Call(string operation, UInt128 value, ContractCall call) =>
        new(operation, contract, value, network.Encode(call));

    public async Task<PreparedCall> PrepareAsync(ChainCall call, CancellationToken cancel)
    {
        NetworkBlock head = await AskAsync(cancel);
        if (head.Accounts[account].Balance < call.Value) throw new RefusalException(Refusal.InsufficientFunds, "not so much");
        Refusal refusal = new SimulatedContract(head.Contract)
            .Run(network.Decode(call.Data), account, call.Value, head.Seconds, []);
        if (refusal != Refusal.None) throw new RefusalException(refusal, $"{call.Operation} is refused by the contract");
        return new PreparedCall(call, Gas, [], Completes: true);
    }

    public ValueTask<SignedTransaction> SignAsync(
        PreparedCall call, ulong nonce, TransactionFees fees, CancellationToken cancel)
    {
        NetworkTransaction signed = network.Sign(
            account, nonce, fees, call.Gas, call.Call.Value, network.Decode(call.Call.Data));
        return new(new SignedTransaction(signed.Hash.ToArray(), signed.Hash));
    }

    public async Task<BroadcastAnswer> BroadcastAsync(ReadOnlyMemory<byte> raw, CancellationToken cancel)
    {
        if (weather.IsDown) return BroadcastAnswer.Unknown;
        NetworkTransaction sent = network.Find(Bytes32.Read(raw.Span));
        if (weather.CutAtNextBroadcast)
        {
            if (random.Next(2) == 0) network.Take(sent);
            weather.IsCut = true;
            await Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
        }

        if (!weather.IsPoor) return Tell(sent);
        switch (random.Next(8))
        {
            case 0: return BroadcastAnswer.Unknown;
            case 1:
                Tell(sent);
                return BroadcastAnswer.Unknown;
            case 2: return BroadcastAnswer.Taken; // By a machine that forgets it.
            default: return Tell(sent);
        }
    }

    private BroadcastAnswer Tell(NetworkTransaction sent)
    {
        BroadcastAnswer answer = network.Take(sent);
        trace($"transaction {sent.Nonce} of {account.Low:x}, {sent.Call.Text}, at {sent.Fees.MaxFee / SimulatedNetwork.Gwei}: {answer}");
        return answer;
    }

    public async Task<AccountLook> LookAsync(uint depth, CancellationToken cancel)
    {
        NetworkBlock head = await AskAsync(cancel);
        (ulong nonce, UInt128 balance) = head.Accounts[account];
        ulong deep = head.At(head.Number + 1 < depth ? 0 : head.Number + 1 - depth)!.NonceOf(account);
        ulong pending = head == network.Head ? network.PendingNonce(account) : nonce;
        return new AccountLook(head.Number, head.Seconds, nonce, deep, pending, balance);
    }

    public async Task<ChainFees> FeesAsync(CancellationToken cancel)
    {
        await AskAsync(cancel);
        return new ChainFees(network.BaseFee, network.Tip);
    }

    public async Task<MinedTransaction?> MinedAsync(Bytes32 hash, CancellationToken cancel)
    {
        NetworkBlock head = await AskAsync(cancel);
        for (int lag = weather.ReceiptsLagBlocks; lag > 0; lag--) head = head.Parent ?? head;
        return network.MinedOn(head, hash);
    }

    public async Task<(Refusal Refusal, string Message)> ExplainAsync(ChainCall call, TransactionReceipt receipt, CancellationToken cancel)
    {
        NetworkBlock head = await AskAsync(cancel), block = head.At(receipt.BlockNumber) ?? head;
        Refusal refusal = new SimulatedContract(block.Contract)
            .Run(network.Decode(call.Data), account, call.Value, block.Seconds, []);
        return (
            refusal == Refusal.None ? Refusal.TransactionReverted : refusal,
            $"{call.Operation} was mined in block {receipt.BlockNumber} and reverted: {refusal}");
    }

    public async Task<ulong?> FinalBlockAsync(CancellationToken cancel)
    {
        NetworkBlock head = await AskAsync(cancel);
        return head.Number < SimulatedNetwork.FinalDepth ? 0 : head.Number - SimulatedNetwork.FinalDepth;
    }

    public async Task<Pots> SidesAsync(ChannelId channel, Bytes32 blockHash, CancellationToken cancel)
    {
        NetworkBlock head = await AskAsync(cancel), block = network.BlockOf(blockHash);
        return block.Number <= head.Number
            ? block.Contract.PotsOf(channel)
            : throw new RefusalException(Refusal.ChainUnavailable, "the block is not known");
    }

    public async IAsyncEnumerable<ChainBatch> FollowAsync(
        IReadOnlyList<ChainBlock> known, [EnumeratorCancellation] CancellationToken cancel)
    {
        ChainTail tail = new(depthMax, known);
        while (true)
        {
            if (await TryAskAsync(cancel) is { } head)
            {
                if (NextOn(tail, head) is { } batch)
                {
                    trace($"{account.Low:x} goes {batch.Move} to {batch.Cursor!.Number}: {string.Join(", ", batch.Events)}");
                    IsGiving = true;
                    Watcher?.Gives(batch);
                    yield return batch;
                    IsGiving = false;
                    Watcher?.Takes();
                    ChainFollower.Move(tail, batch);
                    continue;
                }

                if (head.Hash == tail.Newest?.Hash) yield return new ChainBatch(ChainMove.Stay, tail.Newest, [], IsCaughtUp: true);
            }

            await Task.Delay(Poll, time, cancel);
        }
    }

    public async IAsyncEnumerable<ChainBatch> ReadAsync(
        IReadOnlyList<ChainBlock> known, ulong lastBlock, [EnumeratorCancellation] CancellationToken cancel)
    {
        ChainTail tail = new(depthMax, known);
        NetworkBlock head = await AskAsync(cancel);
        while (head.Number > lastBlock) head = head.Parent!;
        while (NextOn(tail, head) is { } batch)
        {
            yield return batch;
            ChainFollower.Move(tail, batch);
        }
    }

    private async Task<NetworkBlock?> TryAskAsync(CancellationToken cancel)
    {
        try
        {
            return await AskAsync(cancel);
        }
        catch (RefusalException)
        {
            return null;
        }
    }

    /// <summary>As the real follower moves: block by block, back to where a branch began, far behind many at once.</summary>
    private ChainBatch? NextOn(ChainTail tail, NetworkBlock head)
    {
        if (tail.Newest is not { } cursor)
            return new ChainBatch(ChainMove.Next, head.At(0)!.AsSeen, [], IsCaughtUp: head.Number == 0);
        if (head.Hash == cursor.Hash || head.Number < cursor.Number) return null;
        if (head.At(cursor.Number)!.Hash != cursor.Hash)
        {
            ChainBlock? common = tail.Blocks.LastOrDefault(block => head.At(block.Number)?.Hash == block.Hash);
            return common is null
                ? throw new ChainReorganizedException(tail.Oldest!, "another")
                : new ChainBatch(ChainMove.Back, common, [], IsCaughtUp: false);
        }

        if (head.Number <= cursor.Number + depthMax)
        {
            NetworkBlock next = head.At(cursor.Number + 1)!;
            return new ChainBatch(ChainMove.Next, next.AsSeen, next.Events, IsCaughtUp: next == head);
        }

        List<ChainEvent> events = [];
        for (ulong number = cursor.Number + 1; number <= head.Number - depthMax; number++) events.AddRange(head.At(number)!.Events);
        return new ChainBatch(ChainMove.Jump, head.At(head.Number - depthMax)!.AsSeen, events, IsCaughtUp: false);
    }

    public ChainCall DepositMany(IReadOnlyList<ChannelDeposit> deposits) => throw NotSimulated();

    public ChainCall RelayDeposit(Channel channel, Side side, UInt128 amount, DepositAuthorization authorization) => throw NotSimulated();

    public ChainCall WithdrawCredit(Address token) => throw NotSimulated();

    /// <summary>All payouts can be pushed.</summary>
    public Task<UInt128> CreditOfAsync(Address owner, Address token, CancellationToken cancel) => Task.FromResult(UInt128.Zero);

    public Task<(string Symbol, UInt128 Decimals)?> TokenNameAsync(Address token, CancellationToken cancel) => throw NotSimulated();

    public Task<DepositAuthorization> AuthorizeDepositAsync(
        Channel channel, Side side, UInt128 amount, ulong validBeforeSeconds, CancellationToken cancel) => throw NotSimulated();

    public Task<ulong> WhenAuthorizationUsedAsync(
        Channel channel, Side side, DepositAuthorization authorization, CancellationToken cancel) => throw NotSimulated();

    private static NotSupportedException NotSimulated() => new("not part of the simulation");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
