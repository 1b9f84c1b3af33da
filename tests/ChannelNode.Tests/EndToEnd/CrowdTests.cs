using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Signing;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A hundred sessions that rest, two dozen that mean harm, and one that pays. How quick it is, class 13 of the bench says.</summary>
[Collection(DoorsCollection.Name)]
public sealed class CrowdTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const int Idle = 100;
    private const int HostileOfEachKind = 4;
    private const int Payments = 60;
    private const int RoundsMin = 2;
    private const long ResidentBytesMax = 500L << 20;

    private readonly CancellationTokenSource _over = new();
    private readonly List<RawPeer> _idle = [];
    private readonly ConcurrentDictionary<string, int> _rounds = new();
    private readonly ConcurrentQueue<string> _unnamed = new();
    private TestChain _chain = null!;
    private NodeProcess _node = null!;
    private TestNode _honest = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await NodeProcess.StartAsync(_chain, ProgramProcess.AsShipped);
        _honest = await TestNode.StartAsync(_chain);
    }

    public async Task DisposeAsync()
    {
        foreach (RawPeer peer in _idle) await peer.DisposeAsync();
        await _honest.DisposeAsync();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
        _over.Dispose();
    }

    private RawPeer NewPeer() => new(_node.PeerUrl, _chain.ChainId, _chain.Contract, PrivateKey.Generate());

    [Fact]
    public async Task HonestPeerInACrowd_HasEveryPaymentCounted_WhileHostileOnesAreRefusedByName_InBoundedMemory()
    {
        string id = await _honest.OpenAsync(_node.PeerUrl, "100000");
        await _node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        for (int peer = 0; peer < Idle; peer++) _idle.Add(NewPeer());
        await Parallel.ForEachAsync(_idle, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (peer, _) => await peer.ConnectAsync());
        (string Name, Func<Task> Attack)[] kinds =
        [
            ("garbage", GarbageAsync), ("half handshake", HalfAsync), ("wrong signature", WrongSignatureAsync),
            ("oversized", OversizedAsync), ("malformed", MalformedAsync), ("unfinished", UnfinishedAsync),
        ];
        Task[] harming = [.. kinds.SelectMany(kind => Enumerable.Range(0, HostileOfEachKind).Select(_ => Task.Run(() => HarmAsync(kind.Name, kind.Attack))))];

        int paid = 0;
        for (; paid < Payments || kinds.Any(kind => _rounds.GetValueOrDefault(kind.Name) < RoundsMin * HostileOfEachKind); paid++)
        {
            Assert.True(paid < 50 * Payments, $"hostile peers do not come round: {string.Join(", ", _rounds)}");
            Assert.Equal((10 * (paid + 1)).ToString(CultureInfo.InvariantCulture), (await _honest.PayAsync(id, "10")).TotalSent);
        }

        Wire.GetStatusResponse status = await _node.Api.GetStatusAsync(new Wire.GetStatusRequest { Brief = true });
        await _over.CancelAsync();
        await Task.WhenAll(harming);
        Assert.Empty(_unnamed);
        Assert.InRange((int)status.PeersConnected, Idle + 1, int.MaxValue);
        Assert.InRange((int)status.Counts.UpdatesRefused.Single(it => it.Reason == Wire.Refusal.WrongSigner).Count, RoundsMin, int.MaxValue);
        Wire.Channel seen = (await _node.Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = id })).Channel;
        Assert.Equal((10 * paid).ToString(CultureInfo.InvariantCulture), seen.Received);
        Assert.InRange(_node.Process.ResidentBytesMax(), 1, ResidentBytesMax);
    }

    private async Task HarmAsync(string kind, Func<Task> attack)
    {
        while (!_over.IsCancellationRequested)
        {
            try
            {
                await attack();
                _rounds.AddOrUpdate(kind, 1, (_, before) => before + 1);
            }
            catch (Exception error) when (!_over.IsCancellationRequested)
            {
                _unnamed.Enqueue($"{kind}: {error.Message}");
                return;
            }
        }
    }

    /// <summary>
    /// Answered by the end of the connection: no call was begun. With an end of line, which Kestrel looks for to tell HTTP/1;
    /// without one it waits for two minutes.
    /// </summary>
    private async Task GarbageAsync()
    {
        using TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(_node.PeerUrl).Port);
        try
        {
            await client.GetStream().WriteAsync((byte[])[.. RandomNumberGenerator.GetBytes(2_000), (byte)'\n']);
            while (await client.GetStream().ReadAsync(new byte[1_024]).AsTask().WaitAsync(TestChain.Limit) > 0)
            {
                // Until it is closed.
            }
        }
        catch (IOException)
        {
            // Closed at once.
        }
    }

    private async Task HalfAsync()
    {
        await using RawPeer peer = NewPeer();
        Wire.Hello hello = peer.Hello();
        hello.ChainId++;
        await Record.ExceptionAsync(() => peer.SayAsync(new Wire.PeerMessage { Hello = hello })); // Or refused before that.
        Refusals.AssertIs(await peer.HearErrorAsync(), StatusCode.FailedPrecondition, "WRONG_CHAIN", "chain_id");
    }

    private async Task WrongSignatureAsync()
    {
        await using RawPeer peer = NewPeer();
        await peer.ConnectAsync();
        ChannelTerms terms = await peer.ProposeAsync(new ChannelTerms(
            peer.Us, peer.Them, Address.Zero, 600, OneWay: false, Bytes32.Read(RandomNumberGenerator.GetBytes(Bytes32.Size))));
        Wire.Update update = peer.Update(peer.Scheme.IdOf(terms), 10, 0, 10);
        byte[] signature = update.Signature.ToByteArray();
        signature[7] ^= 1;
        update.Signature = Google.Protobuf.ByteString.CopyFrom(signature);
        Assert.Equal(Wire.Refusal.WrongSigner, Assert.Single((await peer.ExchangeAsync(update)).Refusals).Reason);
    }

    private async Task OversizedAsync()
    {
        await using RawPeer peer = NewPeer();
        await peer.ConnectAsync();
        await peer.SayBytesAsync(new byte[(4 << 20) + 1]);
        // gRPC's own name; the end of the connection, on which much is unread, may overtake it.
        Assert.Contains((await peer.HearErrorAsync()).StatusCode, (StatusCode[])[StatusCode.ResourceExhausted, StatusCode.Unavailable, StatusCode.Internal]);
    }

    /// <summary>A message that never ends; what sixty of them cost, <see cref="MessageMemoryTests"/> tell.</summary>
    private async Task UnfinishedAsync()
    {
        using TappedRequest tap = new();
        await using RawPeer peer = new(_node.PeerUrl, _chain.ChainId, _chain.Contract, PrivateKey.Generate(), tap);
        await peer.ConnectAsync();
        await tap.BeginMessageAsync(4 << 20, (4 << 20) - 1);
        await Task.Delay(200);
    }

    private async Task MalformedAsync()
    {
        await using RawPeer peer = NewPeer();
        await peer.ConnectAsync();
        await peer.SayBytesAsync([0xff, 0xff, 0xff, 0xff, 0x01]);
        Assert.Equal("INVALID_ARGUMENT", Refusals.NameOf(await peer.HearErrorAsync()));
    }
}
