using System.Collections.Concurrent;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>A peer that is connected or whose URL this node knows, and whether it is there.</summary>
internal sealed record PeerStatus(Address Signer, string Url, bool Connected);

/// <summary>Opens a session with the node at a URL and runs it in the background; answers once it is established.</summary>
internal delegate Task<PeerLink> PeerDialer(string url, Address? expectedSigner, CancellationToken cancel);

/// <summary>Who is connected. A new session of a node replaces its older one; known URLs are dialled until they answer.</summary>
internal sealed class Peers(
    ChannelBook book,
    Ledger ledger,
    PeerLinks links,
    ISignatureScheme scheme,
    NodeClock clock,
    ChannelAgreements agreements,
    IChannelStore store,
    NodeOptions options,
    Drain drain,
    ILogger<Peers> log)
{
    /// <summary>Channels of a restored database that a peer is asked about as soon as it is there; the others when they are used.</summary>
    private const int RestoredAskedMax = 10_000;

    private readonly ConcurrentDictionary<Address, string> _urls = new(store.ReadPeerUrls());
    private readonly ConcurrentDictionary<Address, bool> _dialling = new();
    private readonly ConcurrentDictionary<string, OneAtATime> _dials = new();
    private readonly ConcurrentDictionary<Address, long> _away = new();
    private readonly PeerCommons _commons = new(clock.Time, options, scheme, book.Funded);
    private CancellationToken _stopping = new(canceled: true);

    /// <summary>Set once by whoever wires the node.</summary>
    public required PeerDialer Dial { private get; init; }

    /// <summary>For what all peers have sent and this node is not done with.</summary>
    public MessageRoom Messages => _commons.Messages;

    public bool IsConnected(Address signer) => links.Find(signer) is not null;

    public IReadOnlyList<PeerStatus> List()
    {
        SortedDictionary<string, PeerStatus> peers = [];
        foreach (Address signer in _urls.Keys.Concat(links.Signers))
        {
            peers[signer.ToString()] = new PeerStatus(
                signer, _urls.GetValueOrDefault(signer, string.Empty), IsConnected(signer));
        }

        return [.. peers.Values];
    }

    /// <summary>The session with a peer, dialling it when there is none.</summary>
    public async Task<PeerLink> ConnectAsync(string url, Address? signer, CancellationToken cancel)
    {
        if (FindConnected(url, signer) is { } connected) return connected;
        if (url.Length == 0 && (signer is null || !_urls.TryGetValue(signer.Value, out url!)))
            throw new RefusalException(Refusal.UnknownPeer, "no URL is known for this peer") { Field = "peer_url" };

        // Of two sessions of one peer the second ends the first, and whoever has asked something in that.
        string reached = url;
        OneAtATime dial = _dials.GetOrAdd(reached, _ => new OneAtATime());
        await dial.EnterAsync(cancel);
        try
        {
            if (FindConnected(reached, signer) is { } meanwhile) return meanwhile;
            PeerLink link = await Dial(reached, signer, cancel);
            await ledger.RunAsync(
                turn =>
                {
                    turn.Batch.PutPeerUrl(link.Signer, reached);
                    turn.RequireDurable();
                    return true;
                },
                cancel);
            _urls[link.Signer] = reached;
            return link;
        }
        finally
        {
            dial.Leave();
        }
    }

    private PeerLink? FindConnected(string url, Address? signer) => (signer ?? SignerAt(url)) is { } known ? links.Find(known) : null;

    /// <summary>Who was last reached there and is still connected; anyone else may answer there by now.</summary>
    private Address? SignerAt(string url)
    {
        foreach ((Address signer, string known) in _urls)
        {
            if (known == url && IsConnected(signer)) return signer;
        }

        return null;
    }

    /// <summary>A session is up: asks where the channels stand in which the peer has not acknowledged everything.</summary>
    public async Task<PeerSession> AttachAsync(PeerLink link, CancellationToken cancel)
    {
        try
        {
            drain.ThrowIfOn();
            int asked = await ledger.RunAsync(turn => Join(link, turn), cancel);
            log.PeerConnected(link.Signer, asked);
            return new PeerSession(link, book, ledger, scheme, clock, agreements, options, log, _commons)
            {
                GoesAway = seconds => TakeGoingAwayAsync(link, seconds),
            };
        }
        catch
        {
            await DetachAsync(link, "it could not be joined");
            throw;
        }
    }

    private int Join(PeerLink link, LedgerTurn turn)
    {
        links.Replace(link);
        link.Policies = turn.Policies;
        link.Policies?.Say(link); // Before any word of where a channel stands, which lets the peer pay there.
        int asked = 0;
        foreach (ChannelSlot slot in book.UnacknowledgedBy(link.Signer))
        {
            link.Reestablishing.Ask(slot);
            asked++;
        }

        // Those held too: a peer offers again what is missing here as long as it was told so in its session.
        foreach (ChannelId restored in store.ReadHeld(link.Signer, RestoredAskedMax))
            if (book.Find(restored) is { } slot) link.Reestablishing.Ask(slot);
        links.Away.Return(link, turn);
        return asked;
    }

    public async Task DetachAsync(PeerLink link, string reason)
    {
        link.End(null);
        log.PeerDisconnected(link.Signer, link.EndReason ?? reason);
        try
        {
            await ledger.RunAsync(turn => Leave(link, turn), CancellationToken.None);
        }
        catch (RefusalException)
        {
            return; // The node is stopping.
        }

        KeepDialling(link.Signer);
    }

    private bool Leave(PeerLink link, LedgerTurn turn)
    {
        links.Remove(link);
        link.Reestablishing.End(links.Away, turn);
        return true;
    }

    private ValueTask TakeGoingAwayAsync(PeerLink link, uint backWithinSeconds)
    {
        uint seconds = Math.Min(backWithinSeconds, options.PeerRestartSeconds);
        if (seconds == 0) return ValueTask.CompletedTask;
        return ledger.EnqueueAsync(
            new TakeGoingAway(link, links.Away, round => _ = ExpectBackAsync(link.Signer, round, TimeSpan.FromSeconds(seconds))),
            CancellationToken.None);
    }

    /// <summary>For so long payments to the peer wait; then what waits is refused, and a session that did not end is ended.</summary>
    private async Task ExpectBackAsync(Address signer, long round, TimeSpan patience)
    {
        log.PeerGoesAway(signer, patience);
        _away[signer] = round;
        await Task.Delay(patience, clock.Time); // Nothing of the session is kept meanwhile: anybody may say so, and be gone.
        bool isNewest = _away.TryRemove(KeyValuePair.Create(signer, round));
        try
        {
            await ledger.RunAsync(
                turn =>
                {
                    links.Away.End(signer, round, turn);
                    return true;
                },
                CancellationToken.None);
            if (isNewest && links.Find(signer) is { IsGoingAway: true } stayed) stayed.End("it said that it goes away, and stayed");
        }
        catch (RefusalException)
        {
            // The node is stopping.
        }
    }

    /// <summary>Tells every peer that this node stops, and refuses what waits for peers that are away.</summary>
    public Task SayGoingAwayAsync(CancellationToken cancel) => ledger.RunAsync(
        turn =>
        {
            foreach (PeerLink link in links.All) link.Send(new PeerMessage.GoingAway(options.RestartSeconds));
            links.Away.EndAll(Refusal.Draining, turn);
            return true;
        },
        cancel);

    public bool HasSessions => links.All.Any();

    public void EndSessions(string reason)
    {
        foreach (PeerLink link in links.All) link.End(reason);
    }

    /// <summary>Starts dialling every known peer until it answers; goes on until cancelled.</summary>
    public void Start(CancellationToken stopping)
    {
        _stopping = stopping;
        foreach (Address signer in _urls.Keys) KeepDialling(signer);
    }

    private void KeepDialling(Address signer)
    {
        if (_stopping.IsCancellationRequested || drain.IsOn || IsConnected(signer) || !_urls.ContainsKey(signer)) return;
        if (_dialling.TryAdd(signer, true)) _ = Task.Run(() => DialUntilConnectedAsync(signer), CancellationToken.None);
    }

    private async Task DialUntilConnectedAsync(Address signer)
    {
        try
        {
            // Two nodes that dial each other at the same moment end each other's sessions: never in step again.
            Redialling redialling = new(Random.Shared.Next);
            long since = clock.Time.GetTimestamp();
            while (!IsConnected(signer) && !drain.IsOn)
            {
                TimeSpan wait = redialling.NextWait(clock.Time.GetElapsedTime(since), _away.ContainsKey(signer));
                await Task.Delay(wait, clock.Time, _stopping);
                if (!IsConnected(signer) && !drain.IsOn) await TryDialAsync(signer, redialling, since);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return;
        }
        finally
        {
            _dialling.TryRemove(signer, out _);
        }

        KeepDialling(signer); // In case it went away again in between.
    }

    private async Task TryDialAsync(Address signer, Redialling redialling, long since)
    {
        string url = _urls[signer];
        OneAtATime dial = _dials.GetOrAdd(url, _ => new OneAtATime());
        await dial.EnterAsync(_stopping);
        try
        {
            if (!IsConnected(signer)) await Dial(url, signer, _stopping);
        }
        catch (Exception error) when (!_stopping.IsCancellationRequested)
        {
            TimeSpan away = clock.Time.GetElapsedTime(since);
            if (redialling.Failed(away)) log.PeerAway(signer, url, error.Message, redialling.Tries, (long)away.TotalSeconds);
            else log.DialFailed(signer, url, error.Message, redialling.Tries);
        }
        finally
        {
            dial.Leave();
        }
    }
}
