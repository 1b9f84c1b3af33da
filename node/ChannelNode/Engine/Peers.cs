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
    ILogger<Peers> log)
{
    private const int DialDelayMsMin = 200;
    private const int DialDelayMsMax = 5_000;

    private readonly ConcurrentDictionary<Address, string> _urls = new(store.ReadPeerUrls());
    private readonly ConcurrentDictionary<Address, bool> _dialling = new();
    private CancellationToken _stopping = new(canceled: true);

    /// <summary>Set once by whoever wires the node.</summary>
    public required PeerDialer Dial { private get; init; }

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
        signer ??= SignerAt(url);
        if (signer is { } known && links.Find(known) is { } connected) return connected;
        if (url.Length == 0 && (signer is null || !_urls.TryGetValue(signer.Value, out url!)))
            throw new RefusalException(Refusal.UnknownPeer, "no URL is known for this peer") { Field = "peer_url" };

        PeerLink link = await Dial(url, signer, cancel);
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
            int asked = await ledger.RunAsync(turn => Join(turn, link), cancel);
            log.PeerConnected(link.Signer, asked);
            return new PeerSession(link, book, ledger, scheme, clock, agreements, options, log);
        }
        catch
        {
            await DetachAsync(link, "it could not be joined");
            throw;
        }
    }

    private int Join(LedgerTurn turn, PeerLink link)
    {
        links.Replace(link);
        turn.Policies?.Tell(link);
        int asked = 0;
        foreach (ChannelSlot slot in book.UnacknowledgedBy(link.Signer))
        {
            link.Reestablishing.Ask(slot);
            asked++;
        }

        return asked;
    }

    public async Task DetachAsync(PeerLink link, string reason)
    {
        link.End(null);
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
        links.Remove(link);
        link.Reestablishing.End();
        return true;
    }

    /// <summary>Starts dialling every known peer until it answers; goes on until cancelled.</summary>
    public void Start(CancellationToken stopping)
    {
        _stopping = stopping;
        foreach (Address signer in _urls.Keys) KeepDialling(signer);
    }

    private void KeepDialling(Address signer)
    {
        if (_stopping.IsCancellationRequested || IsConnected(signer) || !_urls.ContainsKey(signer)) return;
        if (_dialling.TryAdd(signer, true)) _ = Task.Run(() => DialUntilConnectedAsync(signer), CancellationToken.None);
    }

    private async Task DialUntilConnectedAsync(Address signer)
    {
        try
        {
            for (int delayMs = DialDelayMsMin; !IsConnected(signer); delayMs = Math.Min(delayMs * 2, DialDelayMsMax))
            {
                // Two nodes that dial each other at the same moment end each other's sessions: never in step again.
                int waitMs = delayMs + Random.Shared.Next(delayMs);
                await Task.Delay(TimeSpan.FromMilliseconds(waitMs), clock.Time, _stopping);
                if (!IsConnected(signer)) await TryDialAsync(signer, delayMs);
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

    private async Task TryDialAsync(Address signer, int delayMs)
    {
        string url = _urls[signer];
        try
        {
            await Dial(url, signer, _stopping);
        }
        catch (Exception error) when (!_stopping.IsCancellationRequested)
        {
            log.DialFailed(signer, url, error.Message, delayMs);
        }
    }
}
