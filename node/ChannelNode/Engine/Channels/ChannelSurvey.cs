using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>The channels of one token and status, added up. Amounts in the token's smallest units.</summary>
internal sealed class TokenTotals(Address token, ChannelStatus status)
{
    public Address Token { get; } = token;

    public ChannelStatus Status { get; } = status;

    public ulong Channels { get; private set; }

    public UInt128 OurBalance { get; private set; }

    public UInt128 TheirBalance { get; private set; }

    /// <summary>
    /// What the contract would pay this node too little if each channel were paid out as the chain has it: what only the peers'
    /// signatures prove.
    /// </summary>
    public UInt128 AtRisk { get; private set; }

    /// <summary>Of the deposits on both sides, what does not count yet, for its blocks are too young.</summary>
    public UInt128 Uncredited { get; private set; }

    /// <summary>Channels in which nothing is paid before an operator resumes them: a lost database had paid there.</summary>
    public ulong NotResumed { get; private set; }

    /// <summary>What it had paid in them.</summary>
    public UInt128 SentUnrecorded { get; private set; }

    public void Add(StoredChannel stored)
    {
        (Channel channel, ChannelState state) = (stored.Channel, stored.State);
        UInt128 ours = state.OurBalance(channel);
        Channels++;
        OurBalance = Sum(OurBalance, ours);
        TheirBalance = Sum(TheirBalance, state.TheirBalance(channel));
        AtRisk = Sum(AtRisk, Amounts.Excess(ours, state.OnChain.PotOf(channel.OurSide)));
        Uncredited = Sum(
            Uncredited,
            UInt128.Min(state.UncreditedA, state.OnChain.PotOf(Side.A)) + UInt128.Min(state.UncreditedB, state.OnChain.PotOf(Side.B)));
        if (state.SentUnrecorded == UInt128.Zero) return;
        NotResumed++;
        SentUnrecorded = Sum(SentUnrecorded, state.SentUnrecorded);
    }

    /// <summary>Who deposits a token of his own making often enough could have it begin anew.</summary>
    private static UInt128 Sum(UInt128 sum, UInt128 more) => sum > UInt128.MaxValue - more ? UInt128.MaxValue : sum + more;
}

/// <summary>
/// Adds up all channels when somebody wants to know. Where that takes long it is not done again before twenty times as long is
/// over: of millions of channels the totals may be a minute old, of some ten thousand they are of the moment. For any thread.
/// </summary>
internal sealed class ChannelSurvey(ChannelBook book, TimeProvider time)
{
    /// <summary>Channels read at a time when all are looked through.</summary>
    private const int ChannelsPerLook = 4_096;

    private const int RestPerWork = 19;

    /// <summary>A look that took less needs no rest.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(100);

    private readonly Lock _looking = new();
    private IReadOnlyList<TokenTotals> _totals = [];
    private long _nextLookAt;
    private bool _hasLooked;

    /// <summary>In the order of tokens and statuses.</summary>
    public IReadOnlyList<TokenTotals> Totals()
    {
        lock (_looking)
        {
            long begunAt = time.GetTimestamp();
            if (_hasLooked && begunAt < _nextLookAt) return _totals;
            _totals = Look();
            long endedAt = time.GetTimestamp();
            bool wasLong = time.GetElapsedTime(begunAt, endedAt) > Long;
            (_hasLooked, _nextLookAt) = (true, wasLong ? endedAt + RestPerWork * (endedAt - begunAt) : endedAt);
            return _totals;
        }
    }

    private IReadOnlyList<TokenTotals> Look()
    {
        Dictionary<(Address, ChannelStatus), TokenTotals> totals = [];
        foreach (IReadOnlyList<StoredChannel> page in book.Pages(ChannelsPerLook))
        {
            foreach (StoredChannel stored in page)
            {
                (Address, ChannelStatus) key = (stored.Channel.Terms.Token, stored.State.Status);
                if (!totals.TryGetValue(key, out TokenTotals? one)) totals[key] = one = new TokenTotals(key.Item1, key.Item2);
                one.Add(stored);
            }
        }

        return [.. totals.Values.OrderBy(one => one.Token.ToString(), StringComparer.Ordinal).ThenBy(one => one.Status)];
    }
}
