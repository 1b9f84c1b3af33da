using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A node that could only do harm does not start, and says why.</summary>
[Collection(ChainCollection.Name)]
public sealed class StartUpTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;

    public async Task InitializeAsync() => _chain = await TestChain.OpenAsync(anvil);

    public async Task DisposeAsync() => await _chain.DisposeAsync();

    private async Task<RefusalException> RefusedAsync(Func<NodeOptions, NodeOptions> change) =>
        await Assert.ThrowsAsync<RefusalException>(() => TestNode.StartAsync(_chain, change));

    [Fact]
    public async Task AnotherContractAtTheAddress_IsRefused()
    {
        Address token = await _chain.TokenAsync();

        RefusalException refusal = await RefusedAsync(options => options with { Contract = token });

        Assert.Equal(Refusal.WrongContract, refusal.Refusal);
        Assert.Contains(token.ToString(), refusal.Message);
    }

    [Fact]
    public async Task NoContractAtTheAddress_IsRefused() => Assert.Equal(
        Refusal.WrongContract,
        (await RefusedAsync(options => options with { Contract = new Address(1, 2, 3) })).Refusal);

    [Fact]
    public async Task AnotherChain_IsRefused() => Assert.Equal(
        Refusal.WrongChain, (await RefusedAsync(options => options with { ChainId = 1 })).Refusal);

    [Fact]
    public async Task PortInUse_IsNamedWithItsFlag()
    {
        await using TestNode first = await TestNode.StartAsync(_chain);
        string taken = new Uri(first.PeerUrl).Authority;

        RefusalException refusal = await RefusedAsync(options => options with { ApiListen = taken });

        Assert.Equal((Refusal.InvalidArgument, "--api-listen"), (refusal.Refusal, refusal.Field));
        Assert.Contains(taken, refusal.Message);
    }

    [Fact]
    public async Task AllPortsInUse_AreNamedAtOnce_WithFreeOnes_BeforeAnythingIsMade()
    {
        await using TestNode first = await TestNode.StartAsync(_chain);
        string api = new Uri(first.Host.ApiUrl).Authority, peers = new Uri(first.PeerUrl).Authority, folder = string.Empty;

        RefusalException refusal = await RefusedAsync(options => options with
        {
            ApiListen = api,
            PeerListen = peers,
            MetricsListen = "127.0.0.1:0",
            DataDirectory = folder = options.DataDirectory,
        });

        Assert.StartsWith(
            $"--api-listen: {api} is taken by another program; --peer-listen: {peers} is taken by another program; free are --api-listen 127.0.0.1:",
            refusal.Message);
        Assert.Contains(" --peer-listen 127.0.0.1:", refusal.Message);
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public async Task DatabaseOfARunningNode_IsRefused()
    {
        string folder = string.Empty;
        await using TestNode first = await TestNode.StartAsync(
            _chain, options => options with { DataDirectory = folder = options.DataDirectory });

        StoreException error = await Assert.ThrowsAsync<StoreException>(
            () => TestNode.StartAsync(_chain, options => options with { DataDirectory = folder }));

        Assert.Contains(folder, error.Message);
    }

    [Fact]
    public async Task DatabaseOfAnotherKey_IsRefused()
    {
        string folder = string.Empty;
        TestNode first = await TestNode.StartAsync(
            _chain, options => options with { DataDirectory = folder = options.DataDirectory });
        await first.DisposeAsync();

        StoreException error = await Assert.ThrowsAsync<StoreException>(
            () => TestNode.StartAsync(_chain, options => options with { DataDirectory = folder }));

        Assert.Contains(first.Signer.ToString(), error.Message);
    }
}
