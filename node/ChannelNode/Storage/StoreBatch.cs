using System.Buffers;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>Writes that wait in native memory; rows are made on the stack on their way there.</summary>
internal sealed class StoreBatch(StoreFamilies families) : IStoreBatch
{
    private const int SmallRowBytes = 512;

    private readonly WriteBatch _writes = new();

    public bool IsEmpty { get; private set; } = true;

    /// <summary>For the store that commits it.</summary>
    public WriteBatch Writes => _writes;

    public void PutChannel(Channel channel)
    {
        Span<byte> key = stackalloc byte[Bytes32.Size];
        channel.Id.Write(key);
        var row = new RowWriter(stackalloc byte[TermsRow.Size]);
        TermsRow.Write(ref row, channel);
        Put(families.Channels, key, row.Row);
    }

    public void PutState(ChannelId channel, in ChannelState state)
    {
        Span<byte> key = stackalloc byte[Bytes32.Size];
        channel.Write(key);
        var row = new RowWriter(stackalloc byte[StateRow.Size]);
        StateRow.Write(ref row, state);
        Put(families.States, key, row.Row);
    }

    public void PutOutgoing(OutgoingPayment payment)
    {
        Span<byte> idempotencyKey = stackalloc byte[byte.MaxValue];
        idempotencyKey = idempotencyKey[..Encoding.UTF8.GetBytes(payment.IdempotencyKey, idempotencyKey)];
        Span<byte> key = stackalloc byte[OutgoingRow.KeySize];
        OutgoingRow.WriteKey(key, payment.Channel, payment.Total);
        var row = new RowWriter(stackalloc byte[OutgoingRow.SizeMax]);
        OutgoingRow.Write(ref row, payment, idempotencyKey);
        Put(families.Outgoing, key, row.Row);
        if (idempotencyKey.IsEmpty) return;

        var pointer = new RowWriter(stackalloc byte[IdempotencyRow.Size]);
        IdempotencyRow.Write(ref pointer, key);
        Put(families.Keys, idempotencyKey, pointer.Row);
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
            Put(families.Received, key.Row, row.Row);
        }
        finally
        {
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void PutChainCursor(ChainCursor cursor)
    {
        var row = new RowWriter(stackalloc byte[ChainCursorRow.Size]);
        ChainCursorRow.Write(ref row, cursor);
        Put(families.Meta, ChainCursorRow.Key, row.Row);
    }

    public void PutPeerUrl(Address signer, string url)
    {
        Span<byte> key = stackalloc byte[Address.Size];
        signer.Write(key);
        Put(families.Peers, key, PeerRow.Write(url));
    }

    public void PutIdentity(StoreIdentity identity)
    {
        var row = new RowWriter(stackalloc byte[IdentityRow.Size]);
        IdentityRow.Write(ref row, identity);
        Put(families.Meta, IdentityRow.Key, row.Row);
    }

    public void Dispose() => _writes.Dispose();

    private void Put(ColumnFamilyHandle family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> row)
    {
        _writes.Put(key, row, family);
        IsEmpty = false;
    }
}
