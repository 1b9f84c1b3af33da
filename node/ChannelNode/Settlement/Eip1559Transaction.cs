using System.Buffers;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// A type 2 transaction. Fees are wei per gas, <paramref name="Value"/> is wei;
/// <paramref name="To"/> null deploys <paramref name="Data"/>.
/// </summary>
internal sealed record Eip1559Transaction(
    ulong ChainId,
    ulong Nonce,
    UInt128 MaxPriorityFeePerGas,
    UInt128 MaxFeePerGas,
    ulong Gas,
    Address? To,
    UInt128 Value,
    ReadOnlyMemory<byte> Data,
    IReadOnlyList<AccessListEntry> AccessList)
{
    private const byte Type = 2;

    public Bytes32 SigningHash() => Keccak.Hash(Serialize(null));

    public SignedTransaction Sign(DigestSigner sign) => With(sign(SigningHash()));

    public async ValueTask<SignedTransaction> SignAsync(MessageSigner sign, CancellationToken cancel) =>
        With(await sign(Serialize(null), cancel));

    private SignedTransaction With(Signature signature)
    {
        byte[] raw = Serialize(signature);
        return new SignedTransaction(raw, Keccak.Hash(raw));
    }

    /// <summary>Without a signature: what is signed.</summary>
    public byte[] Serialize(Signature? signature)
    {
        var fields = new ArrayBufferWriter<byte>(Data.Length + 256);
        Rlp.WriteInteger(fields, ChainId);
        Rlp.WriteInteger(fields, Nonce);
        Rlp.WriteInteger(fields, MaxPriorityFeePerGas);
        Rlp.WriteInteger(fields, MaxFeePerGas);
        Rlp.WriteInteger(fields, Gas);
        WriteReceiver(fields);
        Rlp.WriteInteger(fields, Value);
        Rlp.WriteBytes(fields, Data.Span);
        WriteAccessList(fields);
        if (signature is { } signed) WriteSignature(fields, signed);

        var typed = new ArrayBufferWriter<byte>(fields.WrittenCount + 8);
        typed.Write([Type]);
        Rlp.WriteList(typed, fields.WrittenSpan);
        return typed.WrittenSpan.ToArray();
    }

    private void WriteReceiver(ArrayBufferWriter<byte> fields)
    {
        Span<byte> bytes = stackalloc byte[Address.Size];
        To.GetValueOrDefault().Write(bytes);
        Rlp.WriteBytes(fields, To is null ? [] : bytes);
    }

    private void WriteAccessList(ArrayBufferWriter<byte> fields)
    {
        Span<byte> word = stackalloc byte[Bytes32.Size];
        var entries = new ArrayBufferWriter<byte>();
        foreach (AccessListEntry entry in AccessList)
        {
            var slots = new ArrayBufferWriter<byte>();
            foreach (Bytes32 slot in entry.Slots)
            {
                slot.Write(word);
                Rlp.WriteBytes(slots, word);
            }

            var fieldsOfEntry = new ArrayBufferWriter<byte>();
            entry.Account.Write(word);
            Rlp.WriteBytes(fieldsOfEntry, word[..Address.Size]);
            Rlp.WriteList(fieldsOfEntry, slots.WrittenSpan);
            Rlp.WriteList(entries, fieldsOfEntry.WrittenSpan);
        }

        Rlp.WriteList(fields, entries.WrittenSpan);
    }

    private static void WriteSignature(ArrayBufferWriter<byte> fields, in Signature signature)
    {
        Span<byte> word = stackalloc byte[Bytes32.Size];
        Rlp.WriteInteger(fields, (UInt128)(uint)(signature.V - 27));
        signature.R.Write(word);
        Rlp.WriteInteger(fields, word);
        signature.S.Write(word);
        Rlp.WriteInteger(fields, word);
    }
}
