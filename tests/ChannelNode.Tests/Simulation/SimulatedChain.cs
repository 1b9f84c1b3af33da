using System.Buffers.Binary;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// A block of the simulated chain with the contract's storage after it; a channel has an entry from its first deposit on.
/// </summary>
internal sealed record SimulatedBlock(
    BlockHeader Header, IReadOnlyList<IReadOnlyList<ContractLog>> Transactions, IReadOnlyDictionary<ChannelId, Pots> Contract)
{
    public ulong Number => Header.Number;
}

/// <summary>
/// A chain in memory that grows by random calls of the contract (Core's arithmetic) and is reorganised: a tree of
/// blocks, of which one branch is the chain. Every block that ever was can still be asked for by its hash.
/// </summary>
internal sealed class SimulatedChain
{
    public static readonly Address Contract = new(0xc0, 0xff, 0xee);

    private static readonly Address Stranger = new(1, 2, 3);

    private readonly Random _random;
    private readonly IReadOnlyList<Channel> _channels;
    private readonly bool _hasBlooms;
    private readonly Dictionary<Bytes32, SimulatedBlock> _all = [];
    private readonly List<SimulatedBlock> _branch = [];
    private ulong _hashes;

    public SimulatedChain(Random random, IReadOnlyList<Channel> channels, bool hasBlooms)
    {
        (_random, _channels, _hasBlooms) = (random, channels, hasBlooms);
        Append([], new Dictionary<ChannelId, Pots>());
    }

    public SimulatedBlock Head => _branch[^1];

    public SimulatedBlock? Find(Bytes32 hash) => _all.GetValueOrDefault(hash);

    public SimulatedBlock? Find(ulong number) => number <= Head.Number ? _branch[(int)number] : null;

    public bool IsOnBranch(Bytes32 hash) => Find(hash) is { } block && Find(block.Number) == block;

    /// <summary>The branch of a block, from it down to a number; nothing where it is lower than that.</summary>
    public IEnumerable<SimulatedBlock> BranchTo(SimulatedBlock head, ulong lowest = 0)
    {
        for (SimulatedBlock? block = head; block is not null && block.Number >= lowest; block = Find(block.Header.Parent))
        {
            // Where it joins the chain, the rest is found by number.
            if (lowest > 0 && Find(block.Number) == block && block.Number > lowest + 8)
            {
                for (ulong number = block.Number; number >= lowest; number--) yield return Find(number)!;
                yield break;
            }

            yield return block;
        }
    }

    public void Mine(int transactionsMax = 4)
    {
        var contract = new Dictionary<ChannelId, Pots>(Head.Contract);
        var transactions = new List<List<(Bytes32[] Topics, byte[] Data, Address By)>>();
        for (int count = _random.Next(transactionsMax + 1); count > 0; count--)
        {
            List<(Bytes32[], byte[], Address)> logs = [];
            if (_random.Next(3) == 0) logs.Add(([new Bytes32(9, 9, 9, 9)], [], Stranger));
            if (Call(contract) is { } seen) logs.Add((seen.Topics, seen.Data, Contract));
            transactions.Add(logs);
        }

        Append(transactions, contract);
    }

    /// <summary>Takes the newest blocks away and mines others, at least as many.</summary>
    public void Reorganize(int depth, int more)
    {
        depth = Math.Min(depth, _branch.Count - 1);
        _branch.RemoveRange(_branch.Count - depth, depth);
        for (int block = 0; block < depth + more; block++) Mine();
    }

    private void Append(
        List<List<(Bytes32[] Topics, byte[] Data, Address By)>> transactions, IReadOnlyDictionary<ChannelId, Pots> contract)
    {
        var hash = new Bytes32(_hashes++, 0, 0, 1);
        ulong number = (ulong)_branch.Count, index = 0;
        var logs = new List<IReadOnlyList<ContractLog>>();
        foreach (List<(Bytes32[] Topics, byte[] Data, Address By)> transaction in transactions)
            logs.Add([.. transaction.Select(log => new ContractLog(log.By, number, hash, index++, log.Topics, log.Data))]);

        byte[] bloom = _hasBlooms ? LogsBloom.Of(logs.SelectMany(log => log)) : [];
        SimulatedBlock? parent = _branch.Count == 0 ? null : Head;
        ulong time = (parent?.Header.TimestampSeconds ?? 1_000) + 1 + (ulong)_random.Next(20);
        var header = new BlockHeader(number, hash, parent?.Header.Hash ?? default, time, bloom, transactions.Count);
        var block = new SimulatedBlock(header, logs, contract);
        _branch.Add(block);
        _all.Add(hash, block);
    }

    /// <summary>One random call; null where the contract refuses.</summary>
    private (Bytes32[] Topics, byte[] Data)? Call(Dictionary<ChannelId, Pots> contract)
    {
        Channel channel = _channels[_random.Next(_channels.Count)];
        bool oneWay = channel.Terms.OneWay;
        Pots pots = contract.GetValueOrDefault(channel.Id);
        ulong now = Head.Header.TimestampSeconds + 1;
        UInt128 more = (UInt128)_random.Next(1, 50);
        Pots next;
        switch (_random.Next(oneWay ? 5 : 7))
        {
            case 0 or 1:
                Side side = oneWay || _random.Next(2) == 0 ? Side.A : Side.B;
                if (pots.Deposit(oneWay, side, more * 10, out next) != Refusal.None) return null;
                contract[channel.Id] = next;
                return Log("Deposited", channel.Id, new AbiWriter(2).Number((UInt128)(byte)side).Number(next.PotOf(side)));
            case 2:
                if (pots.StartClose(now, 40, out next) != Refusal.None) return null;
                contract[channel.Id] = next;
                return Log("CloseStarted", channel.Id, Both(next));
            case 3:
                if (pots.Settle(now, out next) != Refusal.None) return null;
                contract[channel.Id] = next;
                return Log("Settled", channel.Id, Both(pots));
            case 4 when oneWay:
                if (pots.Claim(pots.SentA + more, out next, out _) != Refusal.None) return null;
                contract[channel.Id] = next;
                return Log("Claimed", channel.Id, One(next.ClosesAtSeconds, next.SentA, next.PotA));
            case 4 or 5:
                if (pots.Dispute(false, Side.A, pots.SentA + more, pots.SentB, now, out next) != Refusal.None) return null;
                contract[channel.Id] = next;
                return Log("Disputed", channel.Id, Both(next));
            default:
                Refusal refusal = pots.Close(false, pots.SentA + 1, pots.SentB + 1, out next, out UInt128 paidA, out UInt128 paidB);
                if (refusal != Refusal.None) return null;
                contract[channel.Id] = next;
                return Log("Closed", channel.Id, Both(next with { PotA = paidA, PotB = paidB }));
        }
    }

    private static (Bytes32[], byte[]) Log(string name, ChannelId id, AbiWriter data) =>
        ([ContractArtifact.PaymentChannels.Topic(name), id.Value], data.ToArray([]));

    private static AbiWriter Both(Pots pots) => new AbiWriter(2)
        .Bytes32(Word(pots.ClosesAtSeconds, pots.SentA, pots.PotA)).Bytes32(Word(0, pots.SentB, pots.PotB));

    private static AbiWriter One(uint closesAt, UInt128 sent, UInt128 pot) => new AbiWriter(1).Bytes32(Word(closesAt, sent, pot));

    private static Bytes32 Word(uint closesAt, UInt128 sent, UInt128 pot)
    {
        Span<byte> word = stackalloc byte[32];
        BinaryPrimitives.WriteUInt128BigEndian(word[2..], sent);
        BinaryPrimitives.WriteUInt32BigEndian(word, closesAt);
        Span<byte> low = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(low, pot);
        low[2..].CopyTo(word[18..]);
        return Bytes32.Read(word);
    }
}
