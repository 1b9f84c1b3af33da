using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Storage;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>Peers that are dialled for several callers at once.</summary>
public sealed class PeerDialsTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new();
    private readonly TaskCompletionSource _answers = new();
    private int _dials;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    private async Task<PeerLink> DialAsync(Address signer)
    {
        int dial = Interlocked.Increment(ref _dials);
        await _answers.Task;
        if (dial == 1 && signer.IsZero) throw new RefusalException(Refusal.PeerOffline, "nobody is there");
        PeerLink link = new(signer, signer, queueMax: 16);
        await _rig.Peers.AttachAsync(link, CancellationToken.None);
        return link;
    }

    /// <summary>Of two sessions the second would end the first, and a channel that is being agreed in it.</summary>
    [Fact]
    public async Task NewPeer_IsDialledOnce_ForAllThatAskAtTheSameTime()
    {
        Address peer = StoreFolder.AddressOf(0x77);
        _rig.Dialler = (_, _, _) => DialAsync(peer);

        Task<PeerLink>[] asked = [.. Enumerable.Range(0, 8).Select(_ => _rig.Peers.ConnectAsync("http://new", null, CancellationToken.None))];
        _answers.SetResult();
        PeerLink[] links = await Task.WhenAll(asked);

        Assert.Equal(1, _dials);
        Assert.All(links, link => Assert.Same(links[0], link));
        Assert.True(links[0].IsCurrent);
    }

    [Fact]
    public async Task DialThatFails_IsTriedByTheNextThatWaits()
    {
        Address peer = StoreFolder.AddressOf(0x77);
        _rig.Dialler = (_, _, _) => DialAsync(_dials == 0 ? default : peer);

        Task<PeerLink> first = _rig.Peers.ConnectAsync("http://new", null, CancellationToken.None);
        Task<PeerLink> second = _rig.Peers.ConnectAsync("http://new", null, CancellationToken.None);
        _answers.SetResult();

        await Assert.ThrowsAsync<RefusalException>(() => first);
        Assert.Equal(peer, (await second).Signer);
    }
}
