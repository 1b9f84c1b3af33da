using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Tests.Simulation;

/// <summary>A signed transaction: known by its hash wherever it goes.</summary>
internal sealed record NetworkTransaction(
    Address From, ulong Nonce, TransactionFees Fees, ulong Gas, UInt128 Value, ContractCall Call, Bytes32 Hash);

/// <summary>A block, with everything as it is after it.</summary>
internal sealed class NetworkBlock
{
    public required NetworkBlock? Parent { get; init; }

    public required ulong Number { get; init; }

    public required Bytes32 Hash { get; init; }

    public required ulong Seconds { get; init; }

    public required SimulatedContract Contract { get; init; }

    public Dictionary<Address, (ulong Nonce, UInt128 Balance)> Accounts { get; init; } = [];

    public List<ChainEvent> Events { get; } = [];

    public List<(NetworkTransaction Transaction, MinedTransaction Mined)> Mined { get; } = [];

    /// <summary>The transactions of which the contract told something.</summary>
    public HashSet<Bytes32> Brought { get; } = [];

    public ChainBlock AsSeen => new(Number, Hash, Parent?.Hash ?? default, Seconds);

    public ulong NonceOf(Address account) => Accounts.GetValueOrDefault(account).Nonce;

    /// <summary>The one of that number that it follows; it itself, or null where it is not as high.</summary>
    public NetworkBlock? At(ulong number)
    {
        NetworkBlock? block = this;
        while (block is not null && block.Number > number) block = block.Parent;
        return block?.Number == number ? block : null;
    }
}

/// <summary>
/// A chain with accounts, nonces, a pool, fees and the contract. Blocks are mined when they are asked for; the newest can be
/// taken back. What becomes of transactions, the seed decides, within what is set here.
/// </summary>
internal sealed class SimulatedNetwork
{
    public const ulong BlockSeconds = 12;

    public const ulong Gwei = 1_000_000_000;

    /// <summary>Blocks so deep are final.</summary>
    public const ulong FinalDepth = 16;

    private const ulong GasUsed = 50_000;

    private static readonly UInt128 HundredEther = (UInt128)100 * 1_000_000_000 * Gwei;

    private readonly Random _random;
    private readonly SimulatedTime _time;
    private readonly Dictionary<string, ContractCall> _calls = [];
    private readonly Dictionary<(Address, ulong, TransactionFees, string), NetworkTransaction> _signed = [];
    private readonly Dictionary<Bytes32, NetworkTransaction> _byHash = [];
    private readonly Dictionary<Bytes32, List<NetworkBlock>> _minedIn = [];
    private readonly Dictionary<Bytes32, NetworkBlock> _blocks = [];
    private readonly Dictionary<(Address From, ulong Nonce), NetworkTransaction> _pool = [];
    private ulong _hashes;

    public SimulatedNetwork(Random random, SimulatedTime time, IEnumerable<Address> accounts)
    {
        (_random, _time) = (random, time);
        NetworkBlock genesis = new()
        {
            Parent = null,
            Number = 0,
            Hash = NextHash(),
            Seconds = time.NowSeconds - BlockSeconds,
            Contract = new SimulatedContract(),
        };
        foreach (Address account in accounts) genesis.Accounts[account] = (0, HundredEther);
        Head = genesis;
        _blocks[genesis.Hash] = genesis;
    }

    public NetworkBlock Head { get; private set; }

    /// <summary>What the next block burns, in wei per gas.</summary>
    public UInt128 BaseFee { get; set; } = Gwei;

    public UInt128 Tip => Gwei;

    /// <summary>Whose transactions no block takes now.</summary>
    public Address? Censored { get; set; }

    /// <summary>Of the transactions that a block could take, how many in a hundred it does.</summary>
    public int InclusionPercent { get; set; } = 100;


    public ReadOnlyMemory<byte> Encode(ContractCall call)
    {
        string text = call.Text;
        _calls[text] = call;
        return System.Text.Encoding.UTF8.GetBytes(text);
    }

    public ContractCall Decode(ReadOnlyMemory<byte> data) => _calls[System.Text.Encoding.UTF8.GetString(data.Span)];

    /// <summary>The same content has the same hash.</summary>
    public NetworkTransaction Sign(Address from, ulong nonce, TransactionFees fees, ulong gas, UInt128 value, ContractCall call)
    {
        var content = (from, nonce, fees, call.Text);
        if (_signed.TryGetValue(content, out NetworkTransaction? known)) return known;
        NetworkTransaction signed = new(from, nonce, fees, gas, value, call, NextHash());
        return _signed[content] = _byHash[signed.Hash] = signed;
    }

    public NetworkTransaction Find(Bytes32 hash) => _byHash[hash];

    /// <summary>Of all branches.</summary>
    public IReadOnlyCollection<NetworkBlock> Blocks => _blocks.Values;

    /// <summary>Of any branch.</summary>
    public NetworkBlock BlockOf(Bytes32 hash) => _blocks[hash];

    /// <summary>The pool's answer, as of the chain's newest block.</summary>
    public BroadcastAnswer Take(NetworkTransaction sent)
    {
        (ulong nonce, UInt128 balance) = Head.Accounts.GetValueOrDefault(sent.From);
        if (sent.Nonce < nonce) return BroadcastAnswer.NonceUsed;
        if (balance < sent.Value + sent.Gas * sent.Fees.MaxFee) return BroadcastAnswer.Unknown;
        if (_pool.TryGetValue((sent.From, sent.Nonce), out NetworkTransaction? waiting) && waiting != sent)
        {
            bool pays = sent.Fees.MaxFee * 10 >= waiting.Fees.MaxFee * 11 && sent.Fees.Tip * 10 >= waiting.Fees.Tip * 11;
            if (!pays) return BroadcastAnswer.Underpriced;
        }

        _pool[(sent.From, sent.Nonce)] = sent;
        return BroadcastAnswer.Taken;
    }

    /// <summary>From an account that no node has, at a price that every block takes.</summary>
    public void Send(Address from, UInt128 value, ContractCall call) =>
        Take(Sign(from, PendingNonce(from), new TransactionFees(1_000 * Gwei, 2 * Gwei), 100_000, value, call));

    public ulong PendingNonce(Address account)
    {
        ulong nonce = Head.NonceOf(account);
        while (_pool.ContainsKey((account, nonce))) nonce++;
        return nonce;
    }

    /// <summary>What of the account's waits in the pool.</summary>
    public IEnumerable<NetworkTransaction> Waiting(Address account) => _pool.Values.Where(it => it.From == account);

    /// <summary>The pool forgets a transaction of the account.</summary>
    public bool Drop(Address account)
    {
        (Address, ulong)[] some = [.. _pool.Keys.Where(key => key.From == account)];
        return some.Length > 0 && _pool.Remove(some[_random.Next(some.Length)]);
    }

    /// <summary>The transaction as mined on the branch of a block; null where it is not.</summary>
    public MinedTransaction? MinedOn(NetworkBlock head, Bytes32 hash)
    {
        if (!_minedIn.TryGetValue(hash, out List<NetworkBlock>? blocks)) return null;
        foreach (NetworkBlock block in blocks)
        {
            if (head.At(block.Number) == block)
                return block.Mined.Find(it => it.Transaction.Hash == hash).Mined;
        }

        return null;
    }

    public void Mine() => Mine(Math.Max(_time.NowSeconds, Head.Seconds + 1), null);

    /// <summary>With the account's transactions before all others.</summary>
    public void MineFirst(Address first) => Mine(Math.Max(_time.NowSeconds, Head.Seconds + 1), first);

    private void Mine(ulong seconds, Address? first)
    {
        NetworkBlock block = new()
        {
            Parent = Head,
            Number = Head.Number + 1,
            Hash = NextHash(),
            Seconds = seconds,
            Contract = new SimulatedContract(Head.Contract),
            Accounts = new(Head.Accounts),
        };
        foreach (Address account in _pool.Keys.Select(key => key.From).Distinct()
            .OrderBy(account => account == first ? -1 : _random.Next()).ToArray())
        {
            while (_pool.TryGetValue((account, block.NonceOf(account)), out NetworkTransaction? next) && IsTaken(next))
                Execute(block, next);
        }

        Head = block;
        _blocks[block.Hash] = block;
    }

    private bool IsTaken(NetworkTransaction next) =>
        next.From != Censored && next.Fees.MaxFee >= BaseFee && _random.Next(100) < InclusionPercent;

    private void Execute(NetworkBlock block, NetworkTransaction next)
    {
        _pool.Remove((next.From, next.Nonce));
        (ulong nonce, UInt128 balance) = block.Accounts[next.From];
        UInt128 price = UInt128.Min(next.Fees.MaxFee, BaseFee + next.Fees.Tip);
        int told = block.Events.Count;
        bool succeeded = balance >= next.Value + GasUsed * price
            && block.Contract.Run(next.Call, next.From, next.Value, block.Seconds, block.Events) == Refusal.None;
        if (block.Events.Count > told) block.Brought.Add(next.Hash);
        block.Accounts[next.From] = (nonce + 1, balance - GasUsed * price - (succeeded ? next.Value : 0));
        TransactionReceipt receipt = new(next.Hash, block.Number, GasUsed);
        block.Mined.Add((next, new MinedTransaction(receipt, succeeded, price, null)));
        if (!_minedIn.TryGetValue(next.Hash, out List<NetworkBlock>? blocks)) _minedIn[next.Hash] = blocks = [];
        blocks.Add(block);
    }

    /// <summary>
    /// The newest blocks are gone and others take their place, one more of them. Their transactions wait in the pool again,
    /// those of <paramref name="forgotten"/> do not, unless it was one of theirs that was sent anew.
    /// </summary>
    public void Reorganize(int depth, Address? forgotten, Address? first = null)
    {
        List<NetworkBlock> gone = [];
        for (; gone.Count < depth && Head.Parent is { } parent; Head = parent) gone.Insert(0, Head);
        foreach (NetworkBlock block in gone)
        {
            foreach ((NetworkTransaction transaction, _) in block.Mined)
                if (transaction.From != forgotten) _pool.TryAdd((transaction.From, transaction.Nonce), transaction);
        }

        foreach (NetworkBlock block in gone) Mine(Math.Max(block.Seconds, Head.Seconds + 1), first);
        Mine();
    }

    private Bytes32 NextHash() => new(++_hashes, 0, 0, 7);
}
