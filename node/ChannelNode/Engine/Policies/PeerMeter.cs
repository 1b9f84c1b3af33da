using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What holds for a peer in one token, and what it has used of it. The ledger's writer owns it; slots keep it, so that a
/// payment finds it without a look-up.
/// </summary>
internal sealed class PeerMeter(Address peer, Address token)
{
    public Address Peer { get; } = peer;

    public Address Token { get; } = token;

    /// <summary>The rules that <see cref="Limits"/> was made of; what is older is made again.</summary>
    public long Version { get; set; } = -1;

    /// <summary>When the peer's tier ends, in Unix milliseconds.</summary>
    public long GoodUntilMs { get; set; }

    public string Tier { get; set; } = string.Empty;

    public PeerLimits Limits { get; set; }

    /// <summary>Over all channels of the peer in this token, the turn in progress included; only kept while anybody's is limited.</summary>
    public UInt128 Exposure { get; set; }

    /// <summary>Null while nothing limits them.</summary>
    public PaymentMeter? Received { get; private set; }

    public PaymentMeter? Sent { get; private set; }

    /// <summary>Why the newest payment was refused.</summary>
    public PolicyDecision Refused { get; set; }

    /// <summary>Nobody finds it any more.</summary>
    public bool IsGone { get; set; }

    public PaymentMeter Of(bool isSent) => isSent ? Sent ??= new PaymentMeter() : Received ??= new PaymentMeter();

    /// <summary>Of what was received; makes no meter where there is none yet.</summary>
    public PeerUse UseOrNone(long nowMs) =>
        Received is null ? new PeerUse(Exposure, UInt128.Zero, 0, UInt128.Zero, 0) : Use(isSent: false, nowMs);

    public PeerUse Use(bool isSent, long nowMs)
    {
        if (!Limits.LimitsVelocity) return new PeerUse(Exposure, UInt128.Zero, 0, UInt128.Zero, 0);
        PaymentMeter meter = Of(isSent);
        meter.Minute.Advance(nowMs);
        meter.Day.Advance(nowMs);
        return new PeerUse(Exposure, meter.Minute.Sum, meter.Minute.Count, meter.Day.Sum, meter.Day.Count);
    }
}

/// <summary>Payments of one direction in the newest minute and day.</summary>
internal sealed class PaymentMeter
{
    private const long MinuteMs = 60_000;
    private const long HourMs = 3_600_000;

    public VelocityWindow Minute { get; } = new(MinuteMs, MinuteMs / 6);

    public VelocityWindow Day { get; } = new(24 * HourMs, HourMs);

    /// <summary>The turn in progress has added to it.</summary>
    public bool IsChanged { get; set; }

    /// <summary>The hour that was written last: what came before is complete on disk.</summary>
    public long HourWritten { get; set; }

    public void Add(long nowMs, UInt128 sum, ulong count)
    {
        Minute.Add(nowMs, sum, count);
        Day.Add(nowMs, sum, count);
        IsChanged = true;
    }
}

/// <summary>What a channel adds to its peer's exposure and number of channels, as it was counted last. The writer's.</summary>
internal readonly record struct CountedChannel(UInt128 Exposure, bool IsInUse)
{
    /// <summary>
    /// Exposure is what the peer has paid beyond what the contract has recorded: all that this node could lose if it could
    /// present nothing. A closed channel holds nothing, and is not in use until a deposit opens it again.
    /// </summary>
    public static CountedChannel Of(Channel channel, in ChannelState state) => new(
        Amounts.Excess(state.TheirSent, state.OnChain.SentOf(channel.TheirSide)), state.Status != ChannelStatus.Closed);
}
