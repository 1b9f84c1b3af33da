using System.Diagnostics;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>The database of a node that is stopped against a chain that knows better.</summary>
[Collection(ChainCollection.Name)]
public sealed class ChainAuditTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;
    private ChannelId _id;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _alice = await TestNode.StartAsync(_chain);
        _bob = await TestNode.StartAsync(_chain);
        ChannelId.TryParse(await _alice.OpenAsync(_bob, "1000"), out _id);
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private async Task<(int ExitCode, string Output)> ChainAsync(string command)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "channelnode.dll"), "chain", command,
            "--data-dir", _bob.DataDirectory, "--rpc-url", anvil.HttpUrl,
        ];
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync(TestChain.Limit);
        return (process.ExitCode, output + await errors);
    }

    private void Spoil(Func<ChannelState, ChannelState> change)
    {
        using RocksChannelStore store = RocksChannelStore.Open(
            _bob.DataDirectory, RocksChannelStore.ReadIdentity(_bob.DataDirectory));
        IStoreBatch batch = store.NewBatch();
        batch.PutState(_id, change(store.FindChannel(_id)!.State));
        store.Commit(batch, durable: true);
    }

    [Fact]
    public async Task ChainVerify_SaysWhatDiffersAndChainRescanPutsItRight()
    {
        await _alice.PayAsync(_id.ToString(), "300");
        (int running, string inUse) = await ChainAsync("verify");
        await _bob.StopAsync();
        (int same, string nothing) = await ChainAsync("verify");
        Spoil(state => state with { OnChain = state.OnChain with { PotA = 7 } });
        (int other, string differs) = await ChainAsync("verify");
        (int rescanned, string righted) = await ChainAsync("rescan");
        (int again, string nothingElse) = await ChainAsync("rescan");
        await _bob.StartAsync();

        Assert.Equal((1, 0, 1, 0, 0), (running, same, other, rescanned, again));
        Assert.Contains(_id.ToString(), righted, StringComparison.Ordinal);
        Assert.Contains("  was       open, in wei: side a has 7 and", righted, StringComparison.Ordinal);
        Assert.Contains("  is        open, in wei: side a has 1000 and", righted, StringComparison.Ordinal);
        Assert.Contains("1 channel: 1 put right", righted, StringComparison.Ordinal);
        Assert.Contains("which changes 1 channel until", righted, StringComparison.Ordinal);
        Assert.Contains("1 channel: nothing was wrong", nothingElse, StringComparison.Ordinal);
        Assert.DoesNotContain(_id.ToString(), nothingElse, StringComparison.Ordinal);
        Assert.Contains("in use by another process", inUse, StringComparison.Ordinal);
        Assert.Contains("0 differ", nothing, StringComparison.Ordinal);
        Assert.Contains(_id.ToString(), differs, StringComparison.Ordinal);
        Assert.Contains("side a has 7 and is recorded with 0 sent", differs, StringComparison.Ordinal);
        Wire.Channel right = await _bob.ChannelAsync(_id.ToString());
        Assert.Equal(("1000", "300", Wire.ChannelStatus.Open), (right.TheirPot, right.Received, right.Status));
    }

    [Fact]
    public async Task OldBackupRestored_TakesTheChainsTotalsOverAndSignsNothingBelow()
    {
        string id = _id.ToString();
        await _alice.PayAsync(id, "100");
        await _alice.StopAsync();
        string backup = _alice.DataDirectory + "-backup";
        Copy(_alice.DataDirectory, backup);
        await _alice.StartAsync();
        await _alice.UntilAsync(id, channel => channel.PeerConnected);
        await _alice.PayAsync(id, "300");
        using (var call = _bob.Api.StartClose(new Wire.StartCloseRequest { ChannelId = id }))
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
        await _bob.StopAsync();
        await _alice.StopAsync();
        Directory.Delete(_alice.DataDirectory, recursive: true);
        Directory.Move(backup, _alice.DataDirectory);

        await _alice.StartAsync();

        Wire.Channel restored = await _alice.ChannelAsync(id);
        Assert.Equal(("400", "400", Wire.ChannelStatus.Closing), (restored.Sent, restored.OurRecordedSent, restored.Status));
        using (var call = _alice.Api.SubscribeEvents(new Wire.SubscribeEventsRequest { Kinds = { Wire.EventKind.StateLost } }))
        {
            Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));
            Assert.Equal(Wire.EventSeverity.Alarm, call.ResponseStream.Current.Events[0].Severity);
        }

        await _bob.StartAsync();
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
