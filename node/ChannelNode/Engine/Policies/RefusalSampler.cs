using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Refusals on their way to the audit log, so that a flood of them cannot fill the disk or push out what is older: the
/// first of a peer by a rule is an entry at once; those of the minute after it are counted, and one entry tells how many.
/// Beyond a number of entries a minute they are counted without names. What is counted is in memory: a crash forgets at
/// most a minute's counts, never a first. The ledger's writer owns it.
/// </summary>
internal sealed class RefusalSampler
{
    public const int EntriesPerMinuteMax = 60;

    private const int KeysMax = 1_024;
    private const long MinuteMs = 60_000;

    private readonly record struct Key(PolicyAuditKind Kind, Address Peer, PolicyRule Rule, bool IsThePeers);

    private sealed class Sample
    {
        public required long EndsMs { get; set; }

        public required PolicyAuditEntry Newest { get; set; }

        public ulong Count { get; set; }
    }

    private readonly Dictionary<Key, Sample> _samples = [];
    private long _minuteEndsMs;
    private int _entries;
    private ulong _unnamed;

    /// <summary>Allocates only for the first of its kind in a minute.</summary>
    /// <param name="isThePeers">By a rule that the peer has told: no tier of this node's.</param>
    public void Note(
        LedgerTurn turn, PolicyAuditKind kind, PeerMeter meter, ChannelId channel, in PolicyDecision decision, long nowMs,
        bool isThePeers = false)
    {
        Key key = new(kind, meter.Peer, decision.Rule, isThePeers);
        if (_samples.TryGetValue(key, out Sample? sample))
        {
            sample.Count++;
            return;
        }

        if (_samples.Count >= KeysMax || !TryTakeEntry(nowMs))
        {
            _unnamed++;
            return;
        }

        PolicyAuditEntry entry = new(kind, isThePeers ? "the peer has told this limit" : string.Empty)
        {
            Peer = meter.Peer,
            Channel = channel,
            Token = meter.Token,
            Tier = isThePeers ? string.Empty : meter.Tier,
            Decision = decision,
        };
        _samples.Add(key, new Sample { EndsMs = nowMs + MinuteMs, Newest = entry });
        turn.Audit(entry);
    }

    /// <summary>To be called every few seconds: tells what was counted in minutes that are over.</summary>
    public void Flush(LedgerTurn turn, long nowMs)
    {
        foreach ((Key key, Sample sample) in _samples.Where(it => it.Value.EndsMs <= nowMs).ToArray())
        {
            if (sample.Count == 0)
            {
                _samples.Remove(key);
                continue;
            }

            if (TryTakeEntry(nowMs)) turn.Audit(sample.Newest with { Count = sample.Count, Detail = "so many more within a minute" });
            else _unnamed += sample.Count;
            (sample.Count, sample.EndsMs) = (0, nowMs + MinuteMs);
        }

        if (_unnamed == 0 || nowMs < _minuteEndsMs) return;
        turn.Audit(new PolicyAuditEntry(
            PolicyAuditKind.RefusalsUnnamed, $"more than {EntriesPerMinuteMax} entries about refusals within a minute")
        { Count = _unnamed });
        _unnamed = 0;
    }

    private bool TryTakeEntry(long nowMs)
    {
        if (nowMs >= _minuteEndsMs && _unnamed == 0) (_minuteEndsMs, _entries) = (nowMs + MinuteMs, 0);
        if (_entries >= EntriesPerMinuteMax) return false;
        _entries++;
        return true;
    }
}
