using System.Diagnostics.CodeAnalysis;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The operator's rules in memory, and what each peer has used of them. The ledger's writer owns it: rules change between
/// two decisions, never within one.
/// </summary>
internal sealed class PolicyBook
{
    /// <summary>The tier of everybody who was not moved to another. Always there.</summary>
    public const string DefaultTier = "unverified";

    private const int MetersBeforeSweep = 65_536;

    /// <summary>Always there, with every start.</summary>
    public static readonly string[] FirstTiers = [DefaultTier, "verified", "institution"];

    private readonly SortedDictionary<string, PolicyRules> _tiers = new(StringComparer.Ordinal);
    private readonly Dictionary<Address, PolicyRules> _peers = [];
    private readonly Dictionary<Address, PolicyFact.Standing> _standings = [];
    private readonly Dictionary<Address, string> _attestors = [];
    private readonly Dictionary<Address, string> _allowed = [];
    private readonly Dictionary<Address, string> _denied = [];
    private readonly HashSet<Bytes32> _revoked = [];
    private readonly Dictionary<(Address Peer, Address Token), PeerMeter> _meters = [];
    private readonly Dictionary<Address, uint> _channels = [];
    private readonly IChannelStore _store;
    private int _sweepAt = MetersBeforeSweep;

    public PolicyBook(IChannelStore store)
    {
        _store = store;
        foreach (string tier in FirstTiers) _tiers[tier] = PolicyRules.Nothing;
        foreach (PolicyFact fact in store.ReadPolicy())
        {
            if (fact is PolicyFact.Spent spent) Find(spent.Peer, spent.Token).Of(spent.IsSent).Day.Restore(spent.Hour, spent.Sum, spent.Count);
            else Keep(fact);
        }

        Review();
    }

    /// <summary>Rises with every change of the rules.</summary>
    public long Version { get; private set; }

    /// <summary>Whether any payment can be refused: as long as not, payments cost nothing more.</summary>
    public bool LimitsPayments { get; private set; }

    /// <summary>Whether channels and exposure of every peer are counted, because somebody's are limited.</summary>
    public bool Counts { get; private set; }

    public IReadOnlyDictionary<string, PolicyRules> Tiers => _tiers;

    public IReadOnlyDictionary<Address, PolicyRules> PeerRules => _peers;

    public IReadOnlyDictionary<Address, PolicyFact.Standing> Standings => _standings;

    public IReadOnlyDictionary<Address, string> Attestors => _attestors;

    public IReadOnlyDictionary<Address, string> Listed(PeerList list) => list == PeerList.Allow ? _allowed : _denied;

    public bool IsRevoked(in Bytes32 attestation) => _revoked.Contains(attestation);

    /// <summary>Channels with a peer that are not closed; only while they are counted.</summary>
    public uint ChannelsWith(Address peer) => _channels.GetValueOrDefault(peer);

    /// <summary>Takes a fact over, with the turn's write.</summary>
    public void Put(LedgerTurn turn, PolicyFact fact)
    {
        turn.Batch.PutPolicy(fact);
        turn.RequireDurable();
        Keep(fact);
        Review();
    }

    /// <summary>Lets go of a fact: only what tells it from others counts.</summary>
    public void Drop(LedgerTurn turn, PolicyFact fact)
    {
        turn.Batch.DropPolicy(fact);
        turn.RequireDurable();
        _ = fact switch
        {
            PolicyFact.TierRules it => _tiers.Remove(it.Tier),
            PolicyFact.PeerRules it => _peers.Remove(it.Peer),
            PolicyFact.Standing it => _standings.Remove(it.Peer),
            PolicyFact.Listed it => ListOf(it.List).Remove(it.Peer),
            PolicyFact.TrustedAttestor it => _attestors.Remove(it.Signer),
            PolicyFact.Revoked it => _revoked.Remove(it.Attestation),
            _ => throw new ArgumentOutOfRangeException(nameof(fact), fact, "not a fact that is dropped"),
        };
        Review();
    }

    /// <summary>A whole list in one write; the old one is there until that is on disk.</summary>
    public void Replace(LedgerTurn turn, PeerList list, IReadOnlyDictionary<Address, string> entries)
    {
        turn.Batch.DropPolicyList(list);
        Dictionary<Address, string> kept = ListOf(list);
        kept.Clear();
        foreach ((Address peer, string comment) in entries)
        {
            turn.Batch.PutPolicy(new PolicyFact.Listed(list, peer, comment));
            kept[peer] = comment;
        }

        turn.RequireDurable();
        Review();
    }

    private void Keep(PolicyFact fact)
    {
        switch (fact)
        {
            case PolicyFact.TierRules it:
                _tiers[it.Tier] = it.Rules;
                break;
            case PolicyFact.PeerRules it:
                _peers[it.Peer] = it.Rules;
                break;
            case PolicyFact.Standing it:
                _standings[it.Peer] = it;
                break;
            case PolicyFact.Listed it:
                ListOf(it.List)[it.Peer] = it.Comment;
                break;
            case PolicyFact.TrustedAttestor it:
                _attestors[it.Signer] = it.Comment;
                break;
            case PolicyFact.Revoked it:
                _revoked.Add(it.Attestation);
                break;
        }
    }

    private Dictionary<Address, string> ListOf(PeerList list) => list == PeerList.Allow ? _allowed : _denied;

    /// <summary>After a change: what holds is made anew when it is asked for next.</summary>
    private void Review()
    {
        Version++;
        IEnumerable<PolicyRules> all = _tiers.Values.Concat(_peers.Values);
        LimitsPayments = _denied.Count > 0 || all.Any(LimitsPaymentsOf);
        bool counts = all.Any(rules => rules.ChannelsMax is not null || rules.Amounts.Values.Any(it => it.ExposureMax is not null));
        if (counts && !Counts) CountAll();
        Counts = counts;
    }

    private static bool LimitsPaymentsOf(PolicyRules rules) =>
        rules.Tokens is not null || rules.CountPerMinuteMax is not null || rules.CountPerDayMax is not null
        || rules.Amounts.Values.Any(it => !it.IsEmpty);

    /// <summary>
    /// Once, when the first such limit is set or the node starts with one: reads all channels, about two seconds for a
    /// million of them. What the turn in progress has changed is counted with its commit, from what is committed on.
    /// </summary>
    private void CountAll()
    {
        const int channelsPerRead = 4_096;
        foreach (PeerMeter meter in _meters.Values) meter.Exposure = UInt128.Zero;
        _channels.Clear();
        CountRound++;
        for (IReadOnlyList<StoredChannel> page = _store.ReadChannels(null, channelsPerRead); page.Count > 0;
            page = _store.ReadChannels(page[^1].Channel.Id, channelsPerRead))
        {
            foreach (StoredChannel stored in page)
                Count(stored.Channel, default, CountedChannel.Of(stored.Channel, stored.State));
        }
    }

    /// <summary>Channels that were counted in an earlier round are counted anew, from what is committed.</summary>
    public int CountRound { get; private set; }

    /// <summary>A channel adds something else to its peer than before.</summary>
    public void Count(Channel channel, in CountedChannel was, in CountedChannel now)
    {
        Address peer = channel.Theirs.Signer;
        if (was.IsInUse != now.IsInUse)
        {
            uint before = _channels.GetValueOrDefault(peer);
            _channels[peer] = now.IsInUse ? before + 1 : before == 0 ? 0 : before - 1;
        }

        if (was.Exposure == now.Exposure) return;
        PeerMeter meter = Find(peer, channel.Terms.Token);
        meter.Exposure = Amounts.Excess(meter.Exposure + now.Exposure, was.Exposure);
    }

    /// <summary>What a peer has used; with the limits that hold now.</summary>
    public PeerMeter Meter(Address peer, Address token, long nowMs) => Current(Find(peer, token), nowMs);

    /// <summary>The same for a channel, which keeps it.</summary>
    public PeerMeter Meter(ChannelSlot slot, long nowMs)
    {
        if (slot.Meter is not { IsGone: false } meter)
            slot.Meter = meter = Find(slot.Channel.Theirs.Signer, slot.Channel.Terms.Token);
        return Current(meter, nowMs);
    }

    /// <summary>All of them, for what must be written.</summary>
    public IEnumerable<PeerMeter> Meters => _meters.Values;

    private PeerMeter Find(Address peer, Address token)
    {
        if (!_meters.TryGetValue((peer, token), out PeerMeter? meter)) _meters[(peer, token)] = meter = new PeerMeter(peer, token);
        return meter;
    }

    private PeerMeter Current(PeerMeter meter, long nowMs)
    {
        if (meter.Version == Version && nowMs < meter.GoodUntilMs) return meter;
        bool stands = TryStanding(meter.Peer, nowMs, out PolicyFact.Standing? standing);
        meter.Tier = stands ? standing!.Tier : DefaultTier;
        meter.GoodUntilMs = stands && standing!.ValidUntilSeconds != 0 ? (long)standing.ValidUntilSeconds * 1_000 : long.MaxValue;
        meter.Version = Version;
        meter.Limits = PeerLimits.Of(
            _peers.GetValueOrDefault(meter.Peer, PolicyRules.Nothing),
            _tiers.GetValueOrDefault(meter.Tier, PolicyRules.Nothing),
            meter.Token,
            _denied.ContainsKey(meter.Peer),
            _allowed.ContainsKey(meter.Peer));
        return meter;
    }

    /// <summary>The tokens of which the peer's rules or its tier's say something.</summary>
    public IEnumerable<Address> TokensOf(Address peer, long nowMs)
    {
        string tier = Meter(peer, Address.Zero, nowMs).Tier;
        return _peers.GetValueOrDefault(peer, PolicyRules.Nothing).Amounts.Keys
            .Union(_tiers.GetValueOrDefault(tier, PolicyRules.Nothing).Amounts.Keys);
    }

    private bool TryStanding(Address peer, long nowMs, [NotNullWhen(true)] out PolicyFact.Standing? standing) =>
        _standings.TryGetValue(peer, out standing) && !HasEnded(standing, nowMs);

    public static bool HasEnded(PolicyFact.Standing standing, long nowMs) =>
        standing.ValidUntilSeconds != 0 && (ulong)nowMs / 1_000 >= standing.ValidUntilSeconds;

    /// <summary>Lets go of meters of which nothing is left to know, once there are many.</summary>
    public void Sweep(long nowMs)
    {
        if (_meters.Count < _sweepAt) return;
        foreach ((var key, PeerMeter meter) in _meters.ToArray())
        {
            meter.Received?.Day.Advance(nowMs);
            meter.Sent?.Day.Advance(nowMs);
            if (meter.Exposure != UInt128.Zero || meter.Received?.Day.Count > 0 || meter.Sent?.Day.Count > 0) continue;
            meter.IsGone = true;
            _meters.Remove(key);
        }

        _sweepAt = Math.Max(MetersBeforeSweep, 2 * _meters.Count);
    }
}
