using System.Buffers;
using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>
/// Writes that wait in native memory; rows are made on the stack on their way there. Our signer is zero in a watchtower's.
/// </summary>
internal sealed class StoreBatch(StoreFamilies families, Address ourSigner) : IStoreBatch
{
    private const int SmallRowBytes = 512;

    private readonly WriteBatch _writes = new();

    // The parts that were the newest when the batch first wrote to them: a batch waits long for its first row, never
    // long after it.
    private Segment? _received, _sent;

    public bool IsEmpty { get; private set; } = true;

    /// <summary>Channels that are put less those that are dropped.</summary>
    public int NewChannels { get; private set; }

    /// <summary>Channels that were unconfirmed and are not any more.</summary>
    public int Confirmed { get; private set; }

    /// <summary>For the store that commits it.</summary>
    public WriteBatch Writes => _writes;

    /// <summary>What it takes in the log.</summary>
    public int ByteCount
    {
        get
        {
            Native.Instance.rocksdb_writebatch_data(_writes.Handle, out nuint bytes);
            return (int)bytes;
        }
    }

    public void PutChannel(Channel channel)
    {
        Span<byte> key = stackalloc byte[Bytes32.Size];
        channel.Id.Write(key);
        var row = new RowWriter(stackalloc byte[TermsRow.SizeMax]);
        TermsRow.Write(ref row, channel, ourSigner);
        Put(families.Channels, key, row.Row);
        NewChannels++;
    }

    public void PutState(ChannelId channel, in ChannelState state)
    {
        Span<byte> key = stackalloc byte[Bytes32.Size];
        channel.Write(key);
        var row = new RowWriter(stackalloc byte[StateRow.SizeMax]);
        StateRow.Write(ref row, state);
        Put(families.States, key, row.Row);
    }

    public void PutGuarded(Side side, GuardedUpdate guarded)
    {
        Span<byte> key = stackalloc byte[GuardedRow.KeySize];
        GuardedRow.WriteKey(key, guarded.Update.Channel, side);
        var row = new RowWriter(stackalloc byte[GuardedRow.SizeMax]);
        GuardedRow.Write(ref row, guarded);
        Put(families.Guarded, key, row.Row);
    }

    public void DropChannel(ChannelId channel)
    {
        Span<byte> key = stackalloc byte[GuardedRow.KeySize];
        foreach (Side side in (ReadOnlySpan<Side>)[Side.A, Side.B])
        {
            GuardedRow.WriteKey(key, channel, side);
            _writes.Delete(key, families.Guarded);
        }

        Span<byte> id = key[..Bytes32.Size];
        _writes.Delete(id, families.Channels);
        _writes.Delete(id, families.States);
        _writes.Delete(id, families.Pending);
        NewChannels--;
        IsEmpty = false;
    }

    public void PutPending(ChannelId channel, Pending pending)
    {
        Span<byte> key = stackalloc byte[Bytes32.Size];
        channel.Write(key);
        if (pending != Pending.None)
        {
            Put(families.Pending, key, PendingRow.Write(pending));
            return;
        }

        _writes.Delete(key, families.Pending);
        IsEmpty = false;
    }

    public void PutSent(in SentRun run) => PutSent(_sent ??= families.Sent.Newest, run);

    /// <summary>Into a given part of the payments sent.</summary>
    public void PutSent(Segment part, in SentRun run)
    {
        Span<byte> key = stackalloc byte[SentRow.KeySize];
        SentRow.WriteKey(key, run.Channel, run.Total);
        int size = SentRow.SizeOf(run);
        byte[]? rented = size > SmallRowBytes ? ArrayPool<byte>.Shared.Rent(size) : null;
        try
        {
            var row = new RowWriter(rented ?? stackalloc byte[SmallRowBytes]);
            SentRow.Write(ref row, run);
            Put(part.Family, key, row.Row);
        }
        finally
        {
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        }

        if (!run.Keys.IsEmpty) PutKeys(part, run);
    }

    private void PutKeys(Segment part, in SentRun run)
    {
        Span<byte> key = stackalloc byte[1 + byte.MaxValue];
        key[0] = IdempotencyRow.KeyMark;
        Span<byte> place = stackalloc byte[SentRow.KeySize];
        var pointer = new RowWriter(stackalloc byte[IdempotencyRow.Size]);
        UInt128 total = run.TotalBefore;
        ReadOnlySpan<byte> payments = run.Payments.Span, keys = run.Keys.Span;
        while (!keys.IsEmpty)
        {
            total += PaymentList.TakeAmount(ref payments);
            int length = keys[0];
            keys.Slice(1, length).CopyTo(key[1..]);
            keys = keys[(1 + length)..];
            if (length == 0) continue;
            SentRow.WriteKey(place, run.Channel, total);
            pointer.Restart();
            IdempotencyRow.Write(ref pointer, place);
            Put(part.Family, key[..(1 + length)], pointer.Row);
        }
    }

    public void PutReceived(in ReceivedRun run, ReadOnlySpan<byte> payments)
    {
        var key = new RowWriter(stackalloc byte[ReceivedRow.KeySize]);
        key.UInt64(run.FirstCursor);
        int size = ReceivedRow.HeadSize + payments.Length;
        byte[]? rented = size > SmallRowBytes ? ArrayPool<byte>.Shared.Rent(size) : null;
        try
        {
            var row = new RowWriter(rented ?? stackalloc byte[SmallRowBytes]);
            ReceivedRow.WriteHead(ref row, run);
            row.Bytes(payments);
            Put((_received ??= families.Received.Newest).Family, key.Row, row.Row);
        }
        finally
        {
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void PutBlock(ChainBlock block)
    {
        Span<byte> key = stackalloc byte[BlockRow.KeySize];
        BlockRow.WriteKey(key, block.Number);
        var row = new RowWriter(stackalloc byte[BlockRow.Size]);
        BlockRow.Write(ref row, block);
        Put(families.Blocks, key, row.Row);
    }

    public void PutUndo(ulong block, ChannelId channel, in ChannelState before)
    {
        Span<byte> key = stackalloc byte[UndoKey.Size];
        UndoKey.Write(key, block, channel);
        var row = new RowWriter(stackalloc byte[StateRow.SizeMax]);
        StateRow.Write(ref row, before);
        Put(families.Undo, key, row.Row);
    }

    public void DropBlocks(ulong first, ulong last)
    {
        var from = new byte[BlockRow.KeySize];
        var behind = new byte[BlockRow.KeySize];
        BlockRow.WriteKey(from, first);
        BlockRow.WriteKey(behind, checked(last + 1));
        foreach (ColumnFamilyHandle family in (ColumnFamilyHandle[])[families.Blocks, families.Undo])
            _writes.DeleteRange(from, (ulong)from.Length, behind, (ulong)behind.Length, family);
        IsEmpty = false;
    }

    public void PutRecentDeposit(ChannelId channel, in RecentDeposit deposit)
    {
        Span<byte> key = stackalloc byte[RecentDepositRow.KeySize];
        RecentDepositRow.WriteKey(key, channel, deposit);
        var row = new RowWriter(stackalloc byte[RecentDepositRow.SizeMax]);
        RecentDepositRow.Write(ref row, deposit);
        Put(families.Deposits, key, row.Row);
    }

    public void DropRecentDeposit(ChannelId channel, in RecentDeposit deposit)
    {
        Span<byte> key = stackalloc byte[RecentDepositRow.KeySize];
        RecentDepositRow.WriteKey(key, channel, deposit);
        _writes.Delete(key, families.Deposits);
        IsEmpty = false;
    }

    public void PutEvent(OperatorEvent what)
    {
        var key = new RowWriter(stackalloc byte[EventRow.KeySize]);
        key.UInt64(what.Cursor);
        byte[] rented = ArrayPool<byte>.Shared.Rent(EventRow.SizeMax(what));
        try
        {
            var row = new RowWriter(rented);
            EventRow.Write(ref row, what);
            Put(families.Events, key.Row, row.Row);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void PutPolicy(PolicyFact fact)
    {
        Span<byte> key = stackalloc byte[PolicyRow.KeySizeMax];
        Put(families.Policy, PolicyRow.Key(key, fact), PolicyRow.Write(fact));
    }

    public void DropPolicy(PolicyFact fact)
    {
        Span<byte> key = stackalloc byte[PolicyRow.KeySizeMax];
        _writes.Delete(PolicyRow.Key(key, fact), families.Policy);
        IsEmpty = false;
    }

    public void DropPolicyList(PeerList list)
    {
        (byte[] first, byte[] behind) = PolicyRow.ListKeys(list);
        DropRange(families.Policy, first, behind);
    }

    public void DropPolicySpent(Address peer, Address token, bool isSent, long beforeHour)
    {
        Span<byte> first = stackalloc byte[PolicyRow.KeySizeMax];
        Span<byte> behind = stackalloc byte[PolicyRow.KeySizeMax];
        PolicyFact.Spent oldest = new(peer, token, isSent, 0, default, 0);
        DropRange(
            families.Policy, PolicyRow.Key(first, oldest).ToArray(), PolicyRow.Key(behind, oldest with { Hour = beforeHour }).ToArray());
    }

    private void DropRange(ColumnFamilyHandle family, byte[] first, byte[] behind)
    {
        _writes.DeleteRange(first, (ulong)first.Length, behind, (ulong)behind.Length, family);
        IsEmpty = false;
    }

    public void PutAudit(PolicyAuditEntry entry)
    {
        var key = new RowWriter(stackalloc byte[sizeof(ulong)]);
        key.UInt64(entry.Cursor);
        byte[] rented = ArrayPool<byte>.Shared.Rent(AuditRow.SizeMax(entry));
        try
        {
            var row = new RowWriter(rented);
            AuditRow.Write(ref row, entry);
            Put(families.Audit, key.Row, row.Row);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void PutPeerUrl(Address signer, string url)
    {
        Span<byte> key = stackalloc byte[Address.Size];
        signer.Write(key);
        Put(families.Peers, key, PeerRow.Write(url));
    }

    public void PutAccessToken(AccessToken token)
    {
        Span<byte> key = stackalloc byte[AccessTokenRow.KeySize];
        AccessTokenRow.WriteKey(key, token.Number);
        byte[] rented = ArrayPool<byte>.Shared.Rent(AccessTokenRow.SizeMax(token));
        try
        {
            var row = new RowWriter(rented);
            AccessTokenRow.Write(ref row, token);
            Put(families.Tokens, key, row.Row);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void DropAccessToken(ulong number)
    {
        Span<byte> key = stackalloc byte[AccessTokenRow.KeySize];
        AccessTokenRow.WriteKey(key, number);
        _writes.Delete(key, families.Tokens);
        foreach (SpendingKind kind in SpendingRow.Kinds)
        {
            byte[] from = SpendingRow.Key(new Spending(number, default, default, 0, 0, 0) { Kind = kind });
            byte[] behind = SpendingRow.Key(new Spending(checked(number + 1), default, default, 0, 0, 0) { Kind = kind });
            _writes.DeleteRange(from, (ulong)from.Length, behind, (ulong)behind.Length, families.Tokens);
        }

        IsEmpty = false;
    }

    public void PutSpending(in Spending spending)
    {
        var row = new RowWriter(stackalloc byte[SpendingRow.SizeMax]);
        SpendingRow.Write(ref row, spending);
        Put(families.Tokens, SpendingRow.Key(spending), row.Row);
    }

    public void PutJob(Job job)
    {
        var key = new RowWriter(stackalloc byte[sizeof(ulong)]);
        key.UInt64(job.Number);
        byte[] rented = ArrayPool<byte>.Shared.Rent(JobRow.SizeMax(job));
        try
        {
            var row = new RowWriter(rented);
            JobRow.Write(ref row, job);
            Put(families.Jobs, key.Row, row.Row);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void DeleteJob(ulong number)
    {
        var key = new RowWriter(stackalloc byte[sizeof(ulong)]);
        key.UInt64(number);
        _writes.Delete(key.Row, families.Jobs);
        IsEmpty = false;
    }

    public void PutIdentity(StoreIdentity identity)
    {
        var row = new RowWriter(stackalloc byte[IdentityRow.SizeMax]);
        IdentityRow.Write(ref row, identity);
        Put(families.Meta, IdentityRow.Key, row.Row);
    }

    public void PutRestoration(int number, Restoration restored)
    {
        var row = new RowWriter(stackalloc byte[RestorationRow.Size]);
        RestorationRow.Write(ref row, restored);
        Put(families.Meta, RestorationRow.Key(number), row.Row);
    }

    public void DropUnconfirmed(Address peer, ChannelId channel)
    {
        _writes.Delete(UnconfirmedKey.Of(peer, channel), families.Unconfirmed);
        Confirmed++;
        IsEmpty = false;
    }

    public void DropHeld(Address peer, ChannelId channel)
    {
        _writes.Delete(UnconfirmedKey.Of(peer, channel), families.Unconfirmed);
        IsEmpty = false;
    }

    public void PutHeld(Address peer, ChannelId channel) =>
        Put(families.Unconfirmed, UnconfirmedKey.Of(peer, channel), [UnconfirmedKey.OnlyHeld]);

    public void Dispose() => _writes.Dispose();

    private void Put(ColumnFamilyHandle family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> row)
    {
        _writes.Put(key, row, family);
        IsEmpty = false;
    }
}
