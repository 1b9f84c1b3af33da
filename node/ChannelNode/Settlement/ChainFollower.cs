using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// Follows the chain's head block by block, each linked to the one before by its parent's hash, and back to where a new
/// branch began. What lies deeper than can be undone is taken many blocks at once, and ancient history by ranges of
/// numbers, the one question to which a machine that lags can answer "nothing". Woken by announced heads where the connection
/// can, else by the clock. A head that is lower than what was seen is taken for a machine that lags, whatever its branch.
/// </summary>
internal sealed class ChainFollower(
    EthereumRpc rpc, Address contract, ulong fromBlock, uint depthMax, TimeSpan poll, TimeProvider time, ILogger log,
    ulong linkedBlocksMax = ChainFollower.LinkedBlocksMax, ulong lastBlock = ulong.MaxValue)
{
    /// <summary>Blocks below the head that are linked and looked at one by one: a week of a chain with blocks of 12 s.</summary>
    public const ulong LinkedBlocksMax = 50_000;

    private const ulong BlocksPerRangeMax = 2_000;

    private const ulong BlocksPerJumpMax = 256;

    private const uint QuestionsAtOnce = 16;

    /// <summary>Behind one address are many machines: what one does not know yet the next may.</summary>
    private const int Tries = 5;

    /// <summary>An RPC that serves another chain by mistake for a moment is no reorganisation.</summary>
    private const int LooksBeforeTooDeep = 3;

    /// <summary>Announcements can be lost without the connection: this is how late one is then noticed.</summary>
    private static readonly TimeSpan SubscribedPoll = TimeSpan.FromSeconds(15);

    /// <summary>A machine that lags is passed over without a word for so long.</summary>
    private static readonly TimeSpan BehindMax = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan RetryMax = TimeSpan.FromSeconds(10);

    /// <summary>In vain and in a row, by who reads up to a block: half a minute. Who follows goes on.</summary>
    private const int LooksBeforeTheEnd = 6;

    private readonly BlockReader _reader = new(rpc, contract);

    /// <summary>The way to the head that was seen last, next block first.</summary>
    private readonly Queue<BlockHeader> _path = new();

    private ulong _blocksPerRange = BlocksPerRangeMax;
    private BlockHeader? _behind;
    private long _behindSince;
    private ulong _head;
    private bool _isFollowing;
    private int _looksTooDeep;

    /// <summary>As <see cref="IChain.FollowAsync"/>. One at a time.</summary>
    public async IAsyncEnumerable<ChainBatch> FollowAsync(
        IReadOnlyList<ChainBlock> known, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var wake = new SemaphoreSlim(0);
        rpc.Client.HeadSeen = () => Wake(wake);
        _isFollowing = true;
        _path.Clear();
        ChainTail tail = new(depthMax, known);
        TimeSpan retry = poll;
        while (true)
        {
            Step step = await TryNextAsync(tail, cancel);
            if (step.Batch is { } batch)
            {
                retry = poll;
                yield return batch with { Head = _head };
                Move(tail, batch);
                continue;
            }

            if (step.Failure is { } failure)
            {
                Log.FollowingFailed(log, (long)retry.TotalMilliseconds, failure);
                yield return new ChainBatch(ChainMove.Stay, tail.Newest, [], IsCaughtUp: false) { Head = _head, NoAnswer = failure };
                await Task.Delay(retry, time, cancel);
                retry = TimeSpan.FromTicks(Math.Min(retry.Ticks * 2, RetryMax.Ticks));
                continue;
            }

            if (_behind is not { } end) yield return new ChainBatch(ChainMove.Stay, tail.Newest, [], IsCaughtUp: true) { Head = _head };
            else if (time.GetElapsedTime(_behindSince) > BehindMax)
                yield return new ChainBatch(ChainMove.Stay, tail.Newest, [], IsCaughtUp: false) { Head = _head, NoAnswer = Behind(tail, end) };
            await wake.WaitAsync(step.IsSubscribed ? SubscribedPoll : poll, cancel);
        }
    }

    /// <summary>
    /// As <see cref="IChain.ReadAsync"/>. One at a time, and beside one that follows by the same connection: announced heads
    /// are left to that one.
    /// </summary>
    public async IAsyncEnumerable<ChainBatch> ReadAsync(
        IReadOnlyList<ChainBlock> known, [EnumeratorCancellation] CancellationToken cancel)
    {
        ChainTail tail = new(depthMax, known);
        TimeSpan retry = poll;
        for (int looks = 1; ; looks++)
        {
            Step step = await TryNextAsync(tail, cancel);
            if (step.Batch is { } batch)
            {
                (looks, retry) = (0, poll);
                yield return batch;
                Move(tail, batch);
                continue;
            }

            if (step.Failure is null && tail.Newest?.Number == lastBlock) yield break;

            // Where there is nothing newer before that, a machine that lags may have answered.
            if (looks == LooksBeforeTheEnd)
            {
                if (step.Failure is { } last) throw new RefusalException(Refusal.ChainUnavailable, last);
                yield break;
            }

            if (step.Failure is { } failure) Log.FollowingFailed(log, (long)retry.TotalMilliseconds, failure);
            await Task.Delay(retry, time, cancel);
            retry = TimeSpan.FromTicks(Math.Min(retry.Ticks * 2, RetryMax.Ticks));
        }
    }

    /// <summary>The tail after a batch of <see cref="NextAsync"/>.</summary>
    public static void Move(ChainTail tail, ChainBatch batch)
    {
        if (batch.Move == ChainMove.Next) tail.Add(batch.Cursor!);
        else if (batch.Move == ChainMove.Jump) tail.JumpTo(batch.Cursor!);
        else if (batch.Move == ChainMove.Back) tail.BackTo(batch.Cursor!);
    }

    private static void Wake(SemaphoreSlim wake)
    {
        try
        {
            if (wake.CurrentCount == 0) wake.Release();
        }
        catch (ObjectDisposedException)
        {
            // The last announcement may come after the follower has gone.
        }
    }

    private async Task<Step> TryNextAsync(ChainTail tail, CancellationToken cancel)
    {
        try
        {
            bool isSubscribed = _isFollowing && await rpc.Client.SubscribeHeadsAsync(cancel);
            return new Step(await NextAsync(tail, cancel), isSubscribed, null);
        }
        catch (Exception failure) when (failure is RpcErrorException or RefusalException)
        {
            return new Step(null, false, failure.Message);
        }
        catch (FormatException failure)
        {
            // The contract is known to the byte: what it never says is the RPC's fault, and may be right the next time.
            return new Step(null, false, $"{rpc.Client.Name} gives a log that is not of {contract}: {failure.Message}");
        }
    }

    /// <summary>One move on from the newest block of the tail; null when there is nothing new.</summary>
    public async Task<ChainBatch?> NextAsync(ChainTail tail, CancellationToken cancel)
    {
        if (_path.TryPeek(out BlockHeader? next) && next.Parent == tail.Newest?.Hash) return await ForwardAsync(cancel);
        _path.Clear();

        BlockHeader head = await rpc.LatestBlockAsync(cancel);
        _head = head.Number;
        if (head.Number > lastBlock) head = await BlockAsync(lastBlock, cancel);
        ChainBlock? cursor = tail.Newest;
        bool isBehind = cursor is not null && head.Number < cursor.Number;
        if (isBehind && _behind is null) _behindSince = time.GetTimestamp();
        _behind = isBehind ? head : null;
        if (isBehind || head.Hash == cursor?.Hash) return null;

        ulong first = cursor is null ? fromBlock : cursor.Number + 1;
        if (head.Number < first && cursor is null) return null;
        return head.Number >= first + depthMax
            ? await JumpAsync(tail, first, head.Number - depthMax, cancel)
            : await ApproachAsync(tail, first, head, cancel);
    }

    private string Behind(ChainTail tail, BlockHeader end) =>
        $"{rpc.Client.Name} ends with block {end.Number}, below {tail.Newest?.Number}, which this node has seen; "
        + (tail.Find(end.Number) is { } known && known.Hash != end.Hash
            ? "and that is another one than was there before: it serves another chain, or a shorter branch" : "it lags, or serves another chain");

    private async Task<ChainBatch> ForwardAsync(CancellationToken cancel)
    {
        BlockHeader block = _path.Dequeue();
        try
        {
            IReadOnlyList<ContractLog> logs = await TryAsync(() => _reader.LogsOfAsync(block, cancel));
            return new ChainBatch(ChainMove.Next, ToBlock(block), Decode(logs), IsCaughtUp: _path.Count == 0);
        }
        catch
        {
            _path.Clear(); // Maybe it is gone: begin again with the head.
            throw;
        }
    }

    /// <summary>Goes down from the head by parents until a block that was taken over: forward from there, or back to it first.</summary>
    private async Task<ChainBatch> ApproachAsync(ChainTail tail, ulong first, BlockHeader head, CancellationToken cancel)
    {
        Dictionary<Bytes32, BlockHeader> ahead = await PrefetchAsync(first, head.Number, cancel);
        List<BlockHeader> way = [head];
        ChainBlock? from = null;
        for (BlockHeader block = head; tail.Newest is null ? block.Number > fromBlock : (from = KnownParent(tail, block)) is null;)
        {
            if (tail.Oldest is { } oldest && block.Number <= oldest.Number) throw TooDeep(oldest, block.Hash);
            block = ahead.TryGetValue(block.Parent, out BlockHeader? read) ? read : await ParentAsync(block, cancel);
            way.Add(block);
        }

        _looksTooDeep = 0;
        for (int index = way.Count - 1; index >= 0; index--) _path.Enqueue(way[index]);
        return from == tail.Newest
            ? await ForwardAsync(cancel)
            : new ChainBatch(ChainMove.Back, from, [], IsCaughtUp: false);
    }

    private static ChainBlock? KnownParent(ChainTail tail, BlockHeader block) =>
        block.Number > 0 && tail.Find(block.Number - 1) is { } known && known.Hash == block.Parent ? known : null;

    /// <summary>Most likely the blocks between: read at once, for one after the other takes a round trip each.</summary>
    private async Task<Dictionary<Bytes32, BlockHeader>> PrefetchAsync(ulong first, ulong end, CancellationToken cancel)
    {
        Dictionary<Bytes32, BlockHeader> read = [];
        for (ulong next = first; next < end; next += QuestionsAtOnce)
        {
            var reading = new List<Task<BlockHeader?>>((int)QuestionsAtOnce);
            for (ulong number = next; number < Math.Min(next + QuestionsAtOnce, end); number++)
                reading.Add(PeekAsync(number, cancel));
            foreach (BlockHeader? block in await Task.WhenAll(reading))
                if (block is not null) read[block.Hash] = block;
        }

        return read;
    }

    /// <summary>One of many that fails must not cost all the others: it is asked for again when its turn comes.</summary>
    private async Task<BlockHeader?> PeekAsync(ulong number, CancellationToken cancel)
    {
        try
        {
            return await rpc.BlockAsync(number, cancel);
        }
        catch (Exception failure) when (failure is RpcErrorException or RefusalException)
        {
            return null;
        }
    }

    private Task<BlockHeader> ParentAsync(BlockHeader block, CancellationToken cancel) => TryAsync(async () =>
    {
        BlockHeader? parent = await rpc.BlockAsync(block.Parent, cancel);
        if (parent is null || parent.Hash != block.Parent || parent.Number + 1 != block.Number)
            throw Unavailable($"does not know block {block.Parent}, the parent of block {block.Number}");
        return parent;
    });

    private Task<BlockHeader> BlockAsync(ulong number, CancellationToken cancel) => TryAsync(
        async () => await rpc.BlockAsync(number, cancel) ?? throw Unavailable($"does not know block {number}"));

    private static async Task<T> TryAsync<T>(Func<Task<T>> ask)
    {
        for (int left = Tries - 1; ; left--)
        {
            try
            {
                return await ask();
            }
            catch (RefusalException) when (left > 0)
            {
                // Asked again at once.
            }
        }
    }

    /// <summary>Many blocks at once, up to <paramref name="end"/>.</summary>
    private async Task<ChainBatch> JumpAsync(ChainTail tail, ulong first, ulong end, CancellationToken cancel)
    {
        if (await LeftBranchAsync(tail, cancel) is { } back) return new ChainBatch(ChainMove.Back, back, [], IsCaughtUp: false);
        if (end - first >= linkedBlocksMax) return await ReadRangeAsync(first, end - linkedBlocksMax, cancel);
        List<BlockHeader> blocks = await ReadLinkedAsync(tail, first, Math.Min(end, first + BlocksPerJumpMax - 1), cancel);
        var events = new List<ChainEvent>();
        foreach (BlockHeader[] some in blocks.Chunk((int)QuestionsAtOnce))
        {
            foreach (IReadOnlyList<ContractLog> logs in await Task.WhenAll(
                some.Select(block => TryAsync(() => _reader.OldLogsOfAsync(block, cancel)))))
                events.AddRange(Decode(logs));
        }

        return new ChainBatch(ChainMove.Jump, ToBlock(blocks[^1]), events, IsCaughtUp: false);
    }

    private async Task<List<BlockHeader>> ReadLinkedAsync(ChainTail tail, ulong first, ulong last, CancellationToken cancel)
    {
        var blocks = new List<BlockHeader>();
        Bytes32? parent = tail.Newest?.Hash;
        for (ulong next = first; next <= last; next += QuestionsAtOnce)
        {
            IEnumerable<ulong> numbers = Enumerable.Range(0, (int)Math.Min((ulong)QuestionsAtOnce, last - next + 1)).Select(at => next + (ulong)at);
            foreach (BlockHeader block in await Task.WhenAll(numbers.Select(number => BlockAsync(number, cancel))))
            {
                if (parent is { } expected && block.Parent != expected)
                    throw Unavailable($"gives no unbroken chain of blocks {first} to {last}");
                blocks.Add(block);
                parent = block.Hash;
            }
        }

        return blocks;
    }

    /// <summary>As many blocks of ancient history as the RPC allows at once.</summary>
    private async Task<ChainBatch> ReadRangeAsync(ulong first, ulong end, CancellationToken cancel)
    {
        ulong last = Math.Min(end, first + _blocksPerRange - 1);
        while (true)
        {
            try
            {
                IReadOnlyList<ContractLog> logs = await _reader.LogsOfAsync(first, last, cancel);
                BlockHeader block = await BlockAsync(last, cancel);
                _blocksPerRange = Math.Min(_blocksPerRange + _blocksPerRange / 4 + 1, BlocksPerRangeMax);
                return new ChainBatch(ChainMove.Jump, ToBlock(block), Decode(logs), IsCaughtUp: false);
            }
            catch (RpcErrorException tooMuch) when (last > first)
            {
                // Providers limit blocks or results per question, each in other words.
                Log.RangeHalved(log, first, last, tooMuch.Reason);
                _blocksPerRange = (last - first + 1) / 2;
                last = first + _blocksPerRange - 1;
            }
        }
    }

    /// <summary>The newest block that the chain still has, where that is not the newest known one; null where it is.</summary>
    private async Task<ChainBlock?> LeftBranchAsync(ChainTail tail, CancellationToken cancel)
    {
        Bytes32 found = default;
        for (int index = tail.Blocks.Count - 1; index >= 0; index--)
        {
            ChainBlock known = tail.Blocks[index];
            BlockHeader block = await BlockAsync(known.Number, cancel);
            found = block.Hash;
            if (found != known.Hash) continue;
            _looksTooDeep = 0;
            return known == tail.Newest ? null : known;
        }

        return tail.Oldest is { } oldest ? throw TooDeep(oldest, found) : null;
    }

    private Exception TooDeep(ChainBlock oldest, Bytes32 found)
    {
        if (++_looksTooDeep < LooksBeforeTooDeep)
            return Unavailable($"has {found} where block {oldest.Number} was {oldest.Hash}, deeper than can be undone");
        Log.TooDeep(log, oldest.Number, oldest.Hash, found);
        return new ChainReorganizedException(oldest, found.ToString());
    }

    private List<ChainEvent> Decode(IReadOnlyList<ContractLog> logs)
    {
        var events = new List<ChainEvent>(logs.Count);
        foreach (ContractLog entry in logs)
        {
            if (entry.Contract != contract) continue;
            if (PaymentChannelsEvents.Decode(entry.Topics, entry.Data.Span) is { } seen) events.Add(seen);
            else if (_isFollowing) Notice(entry); // Who reads history again repeats no news.
        }

        return events;
    }

    private void Notice(ContractLog entry)
    {
        switch (PaymentChannelsEvents.DecodeNotice(entry.Topics, entry.Data.Span))
        {
            case ContractNotice.ClaimSkipped skipped:
                Log.ClaimSkipped(log, skipped.Channel, skipped.Reason.Name());
                break;
            case ContractNotice.Credited credited:
                Log.Credited(log, credited.Amount, credited.Token, credited.Owner);
                break;
        }
    }

    private static ChainBlock ToBlock(BlockHeader block) => new(block.Number, block.Hash, block.Parent, block.TimestampSeconds);

    private RefusalException Unavailable(string what) => new(Refusal.ChainUnavailable, $"{rpc.Client.Name} {what}");

    private readonly record struct Step(ChainBatch? Batch, bool IsSubscribed, string? Failure);
}
