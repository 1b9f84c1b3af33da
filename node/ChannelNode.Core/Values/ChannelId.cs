namespace ChannelNode.Core;

/// <summary>
/// The EIP-712 hash of a channel's terms under its contract's domain: bound to chain and contract, known before the
/// channel is mined, unchanged by a reorg.
/// </summary>
public readonly record struct ChannelId(Bytes32 Value) : IComparable<ChannelId>
{
    public static ChannelId Read(ReadOnlySpan<byte> source) => new(Bytes32.Read(source));

    /// <summary>Reads 64 hex digits, with or without 0x; false for anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ChannelId id)
    {
        bool ok = Bytes32.TryParse(text, out Bytes32 value);
        id = new ChannelId(value);
        return ok;
    }

    public void Write(Span<byte> target) => Value.Write(target);

    public int CompareTo(ChannelId other) => Value.CompareTo(other.Value);

    public override int GetHashCode() => Value.W3.GetHashCode();

    public override string ToString() => Value.ToString();
}
