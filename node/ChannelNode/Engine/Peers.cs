using System.Collections.Concurrent;
using ChannelNode.Core;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Engine;

/// <summary>A peer that this node knows, and whether it is there.</summary>
internal sealed record PeerStatus(Address Signer, string Url, bool Connected);

/// <summary>Opens a session with the node at a URL and runs it in the background; answers once it is established.</summary>
internal delegate Task<PeerLink> PeerDialer(string url, Address? expectedSigner, CancellationToken cancel);

/// <summary>Who is connected. A new session of a node replaces its older one; known URLs are dialled until they answer.</summary>
internal sealed class Peers(
    ChannelBook book,
    Ledger ledger,
    ISignatureScheme scheme,
    NodeClock clock,
    ChannelAgreements agreements,
    IChannelStore store,
    ILogger<Peers> log)
{
    private const int DialDelayMsMin = 200;
    private const int DialDelayMsMax = 5_000;

    private readonly ConcurrentDictionary<Address, PeerLink> _links = new();
    private readonly ConcurrentDictionary<Address, string> _urls = new(store.ReadPeerUrls());
    private readonly ConcurrentDictionary<Address, Task> _dialling = new();

    /// <summary>Set once by whoever wires the node.</summary>
    public required PeerDialer Dial { private get; init; }

    public bool IsConnected(Address signer) => _links.ContainsKey(signer);

    public IReadOnlyList<PeerStatus> List()
    {
        SortedDictionary<string, PeerStatus> peers = [];
        foreach (Address signer in _urls.Keys.Concat(_links.Keys).Concat(book.All.Select(slot => slot.Channel.Theirs.Signer)))
        {
            peers[signer.ToString()] = new PeerStatus(
                signer, _urls.GetValueOrDefault(signer, string.Empty), IsConnected(signer));
        }

        return [.. peers.Values];
    }

    /// <summary>The session with a peer, dialling it when there is none.</summary>
    public async Task<PeerLink> ConnectAsync(string url, Address? signer, CancellationToken cancel)
    {
        if (signer is { } known && _links.TryGetValue(known, out PeerLink? link)) return link;
        if (url.Length == 0 && (signer is null || !_urls.TryGetValue(signer.Value, out url!)))
            throw new RefusalException(Refusal.UnknownPeer, "no URL is known for this peer") { Field = "peer_url" };

        link = await Dial(url, signer, cancel);
        string reached = url;
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

    /// <summary>A session is established: tells the peer where every common channel stands.</summary>
    public async Task<PeerSession> AttachAsync(PeerLink link, CancellationToken cancel)
    {
        if (_links.TryGetValue(link.Signer, out PeerLink? older)) older.End("a newer session of this peer replaces it");
        _links[link.Signer] = link;
        IReadOnlyList<PeerMessage> greeting = await ledger.RunAsync(turn => Join(link), cancel);
        log.PeerConnected(link.Signer, greeting.Count);
        return new PeerSession(link, greeting, book, ledger, scheme, clock, agreements, log);
    }

    private List<PeerMessage> Join(PeerLink link)
    {
        List<PeerMessage> greeting = [];
        foreach (ChannelSlot slot in book.With(link.Signer))
        {
            slot.Link = link;
            slot.Established = false;
            // Nothing of this turn may be told before its commit: what was committed is what the peer hears.
            ChannelState committed = slot.State;
            greeting.Add(new PeerMessage.Reestablish(slot.Channel.Id, committed.Sent, committed.TheirSent));
        }

        return greeting;
    }

    public async Task DetachAsync(PeerLink link, string reason)
    {
        link.End(null);
        _links.TryRemove(KeyValuePair.Create(link.Signer, link));
        log.PeerDisconnected(link.Signer, link.EndReason ?? reason);
        try
        {
            await ledger.RunAsync(turn => Leave(link), CancellationToken.None);
        }
        catch (RefusalException)
        {
            return; // The node is stopping.
        }

        KeepDialling(link.Signer);
    }

    private bool Leave(PeerLink link)
    {
        foreach (ChannelSlot slot in book.With(link.Signer))
        {
            if (slot.Link != link) continue;
            slot.Link = null;
            slot.Established = false;
        }

        return true;
    }

    /// <summary>Starts dialling every known peer until it answers; goes on until cancelled.</summary>
    public void Start(CancellationToken stopping)
    {
        _stopping = stopping;
        foreach (Address signer in _urls.Keys) KeepDialling(signer);
    }

    private CancellationToken _stopping = new(canceled: true);

    private void KeepDialling(Address signer)
    {
        if (_stopping.IsCancellationRequested || !_urls.ContainsKey(signer)) return;
        _dialling.GetOrAdd(signer, _ => Task.Run(() => DialUntilConnectedAsync(signer), _stopping));
    }

    private async Task DialUntilConnectedAsync(Address signer)
    {
        try
        {
            for (int delayMs = DialDelayMsMin; !IsConnected(signer); delayMs = Math.Min(delayMs * 2, DialDelayMsMax))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(delayMs), clock.Time, _stopping);
                if (IsConnected(signer)) break;
                await TryDialAsync(signer, delayMs);
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
        finally
        {
            _dialling.TryRemove(signer, out _);
        }

        if (!IsConnected(signer)) KeepDialling(signer);
    }

    private async Task TryDialAsync(Address signer, int delayMs)
    {
        string url = _urls[signer];
        try
        {
            await Dial(url, signer, _stopping);
        }
        catch (RefusalException refusal)
        {
            log.DialFailed(signer, url, refusal.Message, delayMs);
        }
    }
}
