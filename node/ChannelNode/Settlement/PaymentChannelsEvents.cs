using ChannelNode.Core;

namespace ChannelNode.Settlement;

/// <summary>What a log of the contract says besides channel events, for the operator to see.</summary>
internal abstract record ContractNotice
{
    private ContractNotice()
    {
    }

    public sealed record ClaimSkipped(ChannelId Channel, Refusal Reason) : ContractNotice;

    public sealed record Credited(Address Owner, Address Token, UInt128 Amount) : ContractNotice;
}

/// <summary>Logs of PaymentChannels as values. What cannot be read is a <see cref="FormatException"/>.</summary>
internal static class PaymentChannelsEvents
{
    private static readonly ContractArtifact Artifact = ContractArtifact.PaymentChannels;
    private static readonly Bytes32 Deposited = Artifact.Topic("Deposited");
    private static readonly Bytes32 CloseStarted = Artifact.Topic("CloseStarted");
    private static readonly Bytes32 Disputed = Artifact.Topic("Disputed");
    private static readonly Bytes32 Closed = Artifact.Topic("Closed");
    private static readonly Bytes32 Settled = Artifact.Topic("Settled");
    private static readonly Bytes32 Claimed = Artifact.Topic("Claimed");
    private static readonly Bytes32 ClaimSkipped = Artifact.Topic("ClaimSkipped");
    private static readonly Bytes32 Credited = Artifact.Topic("Credited");

    /// <summary>Null for a log that is no channel's.</summary>
    public static ChainEvent? Decode(IReadOnlyList<Bytes32> topics, ReadOnlySpan<byte> data)
    {
        if (topics.Count != 2) return null;
        Bytes32 kind = topics[0];
        var channel = new ChannelId(topics[1]);
        var reader = new AbiReader(data);
        if (kind == Deposited)
            return new ChainEvent.Deposited(channel, reader.Side(), reader.Number());
        if (kind == CloseStarted) return new ChainEvent.CloseStarted(channel, ReadPots(ref reader));
        if (kind == Disputed) return new ChainEvent.Disputed(channel, ReadPots(ref reader));
        if (kind == Closed) return new ChainEvent.Closed(channel, ReadPots(ref reader));
        if (kind == Settled) return new ChainEvent.Settled(channel, ReadPots(ref reader));
        return kind == Claimed ? new ChainEvent.Claimed(channel, reader.SideWord().AsA()) : null;
    }

    /// <summary>Null for a log that needs no notice.</summary>
    public static ContractNotice? DecodeNotice(IReadOnlyList<Bytes32> topics, ReadOnlySpan<byte> data)
    {
        var reader = new AbiReader(data);
        if (topics.Count == 2 && topics[0] == ClaimSkipped)
            return new ContractNotice.ClaimSkipped(new ChannelId(topics[1]), RevertReason.OfSelector(reader.Selector()));
        if (topics.Count == 3 && topics[0] == Credited)
            return new ContractNotice.Credited(AccountOf(topics[1]), AccountOf(topics[2]), TokenCalls.ReadAmount(data));
        return null;
    }

    private static Pots ReadPots(ref AbiReader reader)
    {
        SideWord a = reader.SideWord(), b = reader.SideWord();
        return a.AsA() with { PotB = b.Pot, SentB = b.Sent };
    }

    private static Address AccountOf(Bytes32 topic)
    {
        Span<byte> word = stackalloc byte[Bytes32.Size];
        topic.Write(word);
        return Address.Read(word[12..]);
    }
}
