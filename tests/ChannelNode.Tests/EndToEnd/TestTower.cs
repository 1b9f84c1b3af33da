using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A whole watchtower in this process, wired as the program wires it.</summary>
internal sealed class TestTower : IAsyncDisposable
{
    private WatchtowerOptions _options;
    private bool _isUp;

    private TestTower(WatchtowerOptions options) => _options = options;

    public WatchtowerHost Host { get; private set; } = null!;

    public string Url => Host.Url;

    public Watchtower Tower => Host.Tower;

    public string DataDirectory => _options.Node.DataDirectory;

    public static async Task<TestTower> StartAsync(
        TestChain chain, Func<WatchtowerOptions, WatchtowerOptions>? change = null)
    {
        string folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
        string keyFile = Path.Combine(folder, "key");
        using (PrivateKey key = KeyFile.Create(keyFile)) await chain.FundAsync(key.Address);
        WatchtowerOptions options = new()
        {
            Node = new NodeOptions
            {
                DataDirectory = Path.Combine(folder, "data"),
                KeyFile = keyFile,
                RpcUrl = chain.RpcUrl,
                Contract = chain.Contract,
                PollMs = 100,
                DisputeWindowSecondsMin = 10,
                ReplaceAfterSeconds = 2,
            },
            Listen = $"127.0.0.1:{Ports.Free()}",
        };
        TestTower tower = new(change is null ? options : change(options));
        await tower.StartAsync();
        return tower;
    }

    /// <param name="change">Changes its options from now on.</param>
    public async Task StartAsync(Func<WatchtowerOptions, WatchtowerOptions>? change = null)
    {
        if (change is not null) _options = change(_options);
        Host = await WatchtowerHost.StartAsync(_options, NullLoggerFactory.Instance, CancellationToken.None);
        _isUp = true;
    }

    public async Task StopAsync()
    {
        if (_isUp) await Host.DisposeAsync();
        _isUp = false;
    }

    /// <summary>Waits until this many sides of channels are guarded, and that is on disk.</summary>
    public async Task UntilGuardsAsync(int count)
    {
        for (int look = 0; look < 600; look++)
        {
            if (Tower.Guards.GuardedCount == count)
            {
                await Tower.Ledger.RunAsync(_ => true, TestChain.Limit); // They are counted in the turn that takes them, before its commit.
                return;
            }

            await Task.Delay(50);
        }

        Assert.Fail($"never reached; it guards {Tower.Guards.GuardedCount}");
    }

    public async ValueTask DisposeAsync() => await StopAsync();
}
