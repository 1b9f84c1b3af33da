using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What the ledger has done since it was started, in plain numbers. Whoever has the turn adds to them, anybody may read them,
/// and then sees them right up to the turn in progress. Nothing is locked or allocated for them.
/// </summary>
internal sealed class LedgerCounts
{
    /// <summary>Updates of peers that were verified and taken.</summary>
    public long UpdatesAccepted;

    /// <summary>Updates of peers that a later one of the same run stood for: their payments count, their signature was not looked at.</summary>
    public long UpdatesCoalesced;

    /// <summary>Payments that came with both.</summary>
    public long PaymentsReceived;

    /// <summary>Own updates, handed to a session to be signed and sent; told again after a new connection, they count again.</summary>
    public long UpdatesTold;

    /// <summary>Of them, those that the peer has acknowledged.</summary>
    public long UpdatesAcknowledged;

    /// <summary>Own payments that are on disk, whether or not the peer has them.</summary>
    public long PaymentsSigned;

    /// <summary>Own payments that the peer has acknowledged.</summary>
    public long PaymentsPaid;

    /// <summary>Own payments that were signed before the start, and not acknowledged then.</summary>
    public long PaymentsFromBefore;

    /// <summary>Own payments that are not acknowledged in channels that are paid out: not paid, unless a deposit opens the channel again.</summary>
    public long PaymentsNotTaken;

    /// <summary>Own payments that the peer has not acknowledged and may take.</summary>
    public long PaymentsUnderWay => Math.Max(0, PaymentsFromBefore + PaymentsSigned - PaymentsPaid - PaymentsNotTaken);

    public long Commits;

    public long SyncedCommits;

    /// <summary>Updates, payments and other commands in them.</summary>
    public long CommandsCommitted;

    /// <summary>Updates of peers, by the reason for which they were refused.</summary>
    public RefusalCounts UpdatesRefused { get; } = new();

    /// <summary>The same by peer.</summary>
    public PeerCounts RefusedByPeer { get; } = new();

    /// <summary>Payments asked of this node, by the reason for which the ledger refused them.</summary>
    public RefusalCounts PaymentsRefused { get; } = new();

    /// <summary>Own updates, by the reason for which the peer refused them.</summary>
    public RefusalCounts OffersRefused { get; } = new();

    /// <summary>What operators were told, by the kind of event.</summary>
    public EventCounts Events { get; } = new();

    /// <summary>From the commit of an own update to the turn that took its acknowledgement: one of each channel and turn, its oldest.</summary>
    public DurationCounts Acknowledgements { get; } = new();

    /// <summary>What synced commits took.</summary>
    public DurationCounts Syncs { get; } = new();

    /// <summary>What is refused of a batch, by whoever has the turn.</summary>
    public void Refuse(Address peer, ReadOnlySpan<RefusedUpdate> refused)
    {
        foreach (ref readonly RefusedUpdate update in refused)
        {
            UpdatesRefused.Add(update.Reason);
            // Who names a channel that there is not may have none: strangers must not fill the list.
            RefusedByPeer.Add(update.Reason == Refusal.UnknownChannel ? null : peer);
        }
    }
}

/// <summary>How often each reason was given. One adds, any number read.</summary>
internal sealed class RefusalCounts
{
    private static readonly Refusal[] Reasons = Enum.GetValues<Refusal>();

    private readonly long[] _counts = new long[(int)Reasons[^1] + 1];

    public long Total { get; private set; }

    public void Add(Refusal reason)
    {
        _counts[(int)reason]++;
        Total++;
    }

    /// <summary>Only reasons that were given.</summary>
    public IEnumerable<(Refusal Reason, long Count)> List()
    {
        foreach (Refusal reason in Reasons)
            if (_counts[(int)reason] is > 0 and long count) yield return (reason, count);
    }
}

/// <summary>How often each kind of event happened, and how much it pressed. One adds, any number read.</summary>
internal sealed class EventCounts
{
    private static readonly EventKind[] Kinds = Enum.GetValues<EventKind>();
    private static readonly EventSeverity[] Severities = Enum.GetValues<EventSeverity>();

    private readonly long[,] _counts = new long[(int)Kinds[^1] + 1, (int)Severities[^1] + 1];

    public void Add(OperatorEvent what) => _counts[(int)what.Kind, (int)what.Severity]++;

    /// <summary>Only those that happened.</summary>
    public IEnumerable<(EventKind Kind, EventSeverity Severity, long Count)> List()
    {
        foreach (EventKind kind in Kinds)
        {
            foreach (EventSeverity severity in Severities)
                if (_counts[(int)kind, (int)severity] is > 0 and long count) yield return (kind, severity, count);
        }
    }
}

/// <summary>A number for each of the first peers, and one for all others: however many come, the list stays short.</summary>
internal sealed class PeerCounts
{
    public const int PeersMax = 64;

    private readonly ConcurrentDictionary<Address, StrongBox<long>> _counts = new();
    private int _named;
    private long _others;

    /// <summary>Null: whoever it is, it counts among the others.</summary>
    public void Add(Address? peer)
    {
        if (peer is { } known && Of(known) is { } count) count.Value++;
        else _others++;
    }

    private StrongBox<long>? Of(Address peer)
    {
        if (_counts.TryGetValue(peer, out StrongBox<long>? count)) return count;
        if (_named == PeersMax) return null;
        _named++;
        return _counts[peer] = new StrongBox<long>();
    }

    public IEnumerable<(Address? Peer, long Count)> List()
    {
        foreach ((Address peer, StrongBox<long> count) in _counts) yield return (peer, count.Value);
        if (_others > 0) yield return (null, _others);
    }
}

/// <summary>
/// Durations, counted in buckets that are at most a quarter wider than they are long: four to each power of two, from a
/// microsecond to over an hour.
/// </summary>
internal sealed class DurationCounts
{
    private const int PartsPerDoubling = 4;
    private const int Buckets = 32 * PartsPerDoubling;

    private readonly long[] _counts = new long[Buckets];

    public void Add(TimeSpan duration) => _counts[BucketOf(duration.Ticks / TimeSpan.TicksPerMicrosecond)]++;

    private static int BucketOf(long us)
    {
        if (us < PartsPerDoubling) return (int)Math.Max(us, 0);
        int doublings = BitOperations.Log2((ulong)us);
        int part = (int)(us >> (doublings - 2)) & (PartsPerDoubling - 1);
        return Math.Min((doublings - 1) * PartsPerDoubling + part, Buckets - 1);
    }

    /// <summary>The largest whole number of microseconds that a bucket counts.</summary>
    public static long UpperBoundUs(int bucket)
    {
        if (bucket < PartsPerDoubling) return bucket;
        int doublings = bucket / PartsPerDoubling + 1, part = bucket % PartsPerDoubling;
        return ((PartsPerDoubling + part + 1L) << (doublings - 2)) - 1;
    }

    /// <summary>The buckets that count something, by what they count at most.</summary>
    public IEnumerable<(long UpToUs, long Count)> List()
    {
        for (int bucket = 0; bucket < Buckets; bucket++)
            if (_counts[bucket] is > 0 and long count) yield return (UpperBoundUs(bucket), count);
    }
}

/// <summary>One group commit.</summary>
/// <param name="Weight">Updates, payments and other commands in it.</param>
/// <param name="Sync">What the synced write took; zero where it was not synced.</param>
/// <param name="SlowestAcknowledgement">Of the own updates that it shows acknowledged, how long the slowest was under way; zero where there are none.</param>
internal readonly record struct CommitFigures(int Weight, TimeSpan Sync, TimeSpan SlowestAcknowledgement);

/// <summary>Told of every commit, by whoever has the turn: must be quick and must not throw.</summary>
internal delegate void CommitWatcher(in CommitFigures commit);
