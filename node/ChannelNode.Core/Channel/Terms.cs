namespace ChannelNode.Core;

/// <summary>One of the two sides. Side A of a one-way channel pays, side B is paid.</summary>
public enum Side : byte
{
    A = 0,
    B = 1,
}

public static class Sides
{
    public static Side Other(this Side side) => side == Side.A ? Side.B : Side.A;
}

/// <summary>Owner: funds a side and is paid out. Signer: the key that signs the side's balance updates.</summary>
public readonly record struct Party(Address Owner, Address Signer);

/// <summary>
/// The fixed terms of a channel. <paramref name="Token"/> zero means ether. The contract hashes them into the
/// channel's id, so nothing here can ever change.
/// </summary>
public sealed record ChannelTerms(
    Party A,
    Party B,
    Address Token,
    uint DisputeWindowSeconds,
    bool OneWay,
    Bytes32 Salt)
{
    /// <summary>The contract's MIN_DISPUTE_WINDOW.</summary>
    public const uint DisputeWindowSecondsMin = 10;

    /// <summary>The contract's MAX_DISPUTE_WINDOW: 30 days.</summary>
    public const uint DisputeWindowSecondsMax = 30 * 24 * 60 * 60;

    public Party Of(Side side) => side == Side.A ? A : B;

    /// <summary>What the contract checks of terms at a first deposit, in its order.</summary>
    public Refusal Check(Address contract)
    {
        if (A.Owner.IsZero) return Refusal.ZeroOwner;
        if (A.Owner == contract) return Refusal.OwnerIsContract;
        if (B.Owner.IsZero) return Refusal.ZeroOwner;
        if (B.Owner == contract) return Refusal.OwnerIsContract;
        if (A.Signer.IsZero || B.Signer.IsZero) return Refusal.ZeroSigner;
        if (A.Signer == B.Signer) return Refusal.SameSigner;
        return DisputeWindowSeconds is < DisputeWindowSecondsMin or > DisputeWindowSecondsMax
            ? Refusal.DisputeWindowOutOfRange
            : Refusal.None;
    }
}
