using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What is to be done on chain, encoded: can be signed into any number of transactions, of which one is mined.
/// <paramref name="Value"/> is wei. Where <paramref name="Spends"/> of <paramref name="Token"/> is not zero, the contract
/// takes so much from the account by allowance.
/// </summary>
internal sealed record ChainCall(
    string Operation, Address To, UInt128 Value, ReadOnlyMemory<byte> Data, Address Token, UInt128 Spends)
{
    public ChainCall(string operation, Address to, UInt128 value, ReadOnlyMemory<byte> data)
        : this(operation, to, value, data, Address.Zero, UInt128.Zero)
    {
    }
}

/// <summary>A contract, and the storage slots of it, that a transaction pays for in advance (EIP-2930), at a discount.</summary>
internal sealed record AccessListEntry(Address Account, IReadOnlyList<Bytes32> Slots);

/// <summary>
/// A call with its gas. <paramref name="Completes"/> is false for one that only comes before what was asked, such as an
/// approval: the call is to be prepared again after it.
/// </summary>
internal sealed record PreparedCall(
    ChainCall Call, ulong Gas, IReadOnlyList<AccessListEntry> AccessList, bool Completes);

/// <summary>What a transaction offers at most, in wei per gas: in all, and to the block's maker.</summary>
internal readonly record struct TransactionFees(UInt128 MaxFee, UInt128 Tip);

/// <summary>Wei per gas: what the next block burns, and what its maker expects on top.</summary>
internal readonly record struct ChainFees(UInt128 BaseFee, UInt128 Tip);

/// <summary>What is sent to the chain, ready: the bytes and the hash that they will be known by.</summary>
internal sealed record SignedTransaction(ReadOnlyMemory<byte> Raw, Bytes32 Hash);

/// <summary><paramref name="FeePerGas"/>: what was paid, in wei. <paramref name="Created"/>: a deployed contract.</summary>
internal sealed record MinedTransaction(
    TransactionReceipt Receipt, bool Succeeded, UInt128 FeePerGas, Address? Created);

/// <summary>
/// The account as one look shows it. Nonces are the next ones: <paramref name="MinedNonce"/> after the newest block,
/// <paramref name="DeepNonce"/> after the block that has the asked-for depth, <paramref name="PendingNonce"/> with what the
/// RPC's pool holds. <paramref name="Balance"/> is wei.
/// </summary>
internal sealed record AccountLook(
    ulong Head, ulong HeadSeconds, ulong MinedNonce, ulong DeepNonce, ulong PendingNonce, UInt128 Balance);

/// <summary>What the RPC says to a transaction. None of it proves that the transaction is or is not on its way.</summary>
internal enum BroadcastAnswer
{
    Taken,

    /// <summary>Its nonce is mined: by itself, by one that it replaces, or by a stranger's.</summary>
    NonceUsed,

    /// <summary>Another with its nonce waits there and pays as much.</summary>
    Underpriced,

    /// <summary>No answer, or another error.</summary>
    Unknown,
}
