using System.Globalization;
using System.Net;
using System.Text;
using ChannelNode.Signing;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Net.Client.Web;
using Xunit;
using Xunit.Abstractions;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Callers that begin large messages and do not end them.</summary>
[Collection(DoorsCollection.Name)]
public sealed class MessageMemoryTests(AnvilFixture anvil, ITestOutputHelper output) : IAsyncLifetime
{
    private const int MessageBytes = 4 * 1024 * 1024;
    private const int MemoryMax = 16 * 1024 * 1024;
    private const int Strangers = 60;
    private const int UnknownBytesMax = 16 * 1024;

    private TestChain _chain = null!;

    public async Task InitializeAsync() => _chain = await TestChain.OpenAsync(anvil);

    public async Task DisposeAsync() => await _chain.DisposeAsync();

    private RawPeer NewPeer(string url, TappedRequest tap) => new(url, _chain.ChainId, _chain.Contract, PrivateKey.Generate(), tap);

    /// <summary>240 MiB of messages that never end, where 16 MiB may wait.</summary>
    [Fact]
    public async Task StrangersThatEndNoMessage_GiveWayToEachOther_ByName_WhileAnHonestPeerPays_InBoundedMemory()
    {
        await using NodeProcess node = await NodeProcess.StartAsync(
            _chain, ProgramProcess.AsShipped, "--message-memory-max", MemoryMax.ToString(CultureInfo.InvariantCulture));
        await using TestNode honest = await TestNode.StartAsync(_chain);
        string id = await honest.OpenAsync(node.PeerUrl, "1000");
        await node.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);
        await honest.PayAsync(id, "1");
        List<(RawPeer Peer, TappedRequest Tap)> strangers = [];
        try
        {
            for (int stranger = 0; stranger < Strangers; stranger++)
            {
                TappedRequest tap = new();
                strangers.Add((NewPeer(node.PeerUrl, tap), tap));
                await strangers[^1].Peer.ConnectAsync();
            }

            long before = node.Process.ResidentBytesMax();
            Task<RpcException>[] ends = [.. strangers.Select(it => HoldAsync(it.Peer, it.Tap))];
            HashSet<Task<RpcException>> open = [.. ends];
            while (open.Count >= MemoryMax / MessageBytes)
            {
                Task<RpcException> ended = await Task.WhenAny(open);
                open.Remove(ended);
                RpcException why = await ended;
                Refusals.AssertIs(why, StatusCode.ResourceExhausted, "TOO_MANY_BYTES", "message");
                Assert.Contains($"{MemoryMax}", why.Status.Detail);
            }

            Assert.Equal("3", (await honest.PayAsync(id, "2")).TotalSent);
            long grown = node.Process.ResidentBytesMax() - before;
            output.WriteLine($"memory grew by {grown >> 20} MiB at most, from {before >> 20} MiB");
            Assert.InRange(grown, 0, Strangers * (long)MessageBytes / 2);
            Assert.DoesNotContain(open, call => call.IsCompleted);
        }
        finally
        {
            foreach ((RawPeer peer, TappedRequest tap) in strangers)
            {
                await peer.DisposeAsync();
                tap.Dispose();
            }
        }
    }

    /// <summary>All but the last byte; what the node says of it.</summary>
    private static async Task<RpcException> HoldAsync(RawPeer peer, TappedRequest tap)
    {
        try
        {
            await tap.BeginMessageAsync(MessageBytes, MessageBytes - 1);
        }
        catch (Exception ended) when (CallWriting.IsOfEndedCall(ended))
        {
            // Ended before all of it has left.
        }

        return await peer.HearErrorAsync();
    }

    [Fact]
    public async Task BeforeACallerIsKnown_LittleMayWait_InAHandshakeAndInAnyCall()
    {
        await using TestNode node = await TestNode.StartAsync(_chain);
        using TappedRequest tap = new();
        await using RawPeer peer = NewPeer(node.PeerUrl, tap);
        await peer.SayAsync(new Wire.PeerMessage { Hello = peer.Hello() });
        await peer.HearAsync();
        await tap.BeginMessageAsync(MessageBytes, UnknownBytesMax + 1);
        Refusals.AssertIs(await peer.HearErrorAsync(), StatusCode.ResourceExhausted, "TOO_MANY_BYTES", "message");

        using GrpcChannel channel = GrpcChannel.ForAddress(node.PeerUrl);
        HealthCheckRequest large = new() { Service = new string('x', 1 << 20) };
        RpcException refused = await Assert.ThrowsAsync<RpcException>(
            async () => await new Health.HealthClient(channel).CheckAsync(large, cancellationToken: TestChain.Limit));
        Refusals.AssertIs(refused, StatusCode.ResourceExhausted, "TOO_MANY_BYTES", "message");
        Assert.Contains($"at most {UnknownBytesMax} before it is known who sends it", refused.Status.Detail);
        Assert.Equal(0, await SettledAsync(node));
    }

    /// <summary>What is held when both calls have ended on the node's side too.</summary>
    private static async Task<long> SettledAsync(TestNode node)
    {
        for (int look = 0; look < 600 && node.Host.Node.Peers.Messages.Held != 0; look++) await Task.Delay(20);
        return node.Host.Node.Peers.Messages.Held;
    }

    [Fact]
    public async Task CallerOfTheApiWithoutAToken_MayNotHaveMuchWait_AndOneWithATokenMay()
    {
        await using TestNode node = await TestNode.StartAsync(_chain, options => options with
        {
            AccessTokenRequired = true,
            Applications = options.Applications with { JsonListen = "127.0.0.1:0" },
        });
        string admin = (await File.ReadAllTextAsync(Path.Combine(node.DataDirectory, "admin.token"))).Trim();
        using GrpcChannel channel = GrpcChannel.ForAddress(node.Host.ApiUrl);
        Wire.NodeService.NodeServiceClient api = new(channel);
        Wire.GetChannelRequest large = new() { ChannelId = new string('x', 1 << 20) };

        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () => await api.GetChannelAsync(large));
        Refusals.AssertIs(refused, StatusCode.ResourceExhausted, "TOO_MANY_BYTES", "message");
        RpcException read = await Assert.ThrowsAsync<RpcException>(
            async () => await api.GetChannelAsync(large, new Metadata { { "authorization", $"Bearer {admin}" } }));
        Assert.Equal("INVALID_ARGUMENT", Refusals.NameOf(read));

        Assert.Equal((HttpStatusCode.TooManyRequests, true), await PostAsync(node, token: null));
        Assert.Equal((HttpStatusCode.BadRequest, false), await PostAsync(node, admin));
    }

    /// <summary>Unpacked, it would be in memory hundreds of times what any limit has seen of it.</summary>
    [Fact]
    public async Task CompressedMessage_IsTakenAtNoDoor()
    {
        await using TestNode node = await TestNode.StartAsync(
            _chain, options => options with { Applications = options.Applications with { JsonListen = "127.0.0.1:0" } });
        HealthCheckRequest large = new() { Service = new string('x', 1 << 20) };
        Metadata packed = new() { { "grpc-internal-encoding-request", "gzip" } };
        using GrpcWebHandler web = new(GrpcWebMode.GrpcWeb, new HttpClientHandler());
        (string Url, HttpMessageHandler? Handler)[] doors = [(node.Host.ApiUrl, null), (node.PeerUrl, null), (node.Host.JsonUrl, web)];
        foreach ((string url, HttpMessageHandler? handler) in doors)
        {
            using GrpcChannel channel = GrpcChannel.ForAddress(url, new GrpcChannelOptions
            {
                HttpHandler = handler,
                HttpVersion = handler is null ? HttpVersion.Version20 : HttpVersion.Version11,
                MaxSendMessageSize = null,
            });
            RpcException refused = await Assert.ThrowsAsync<RpcException>(
                async () => await new Health.HealthClient(channel).CheckAsync(large, packed, cancellationToken: TestChain.Limit));
            Assert.Equal((url, StatusCode.Unimplemented), (url, refused.StatusCode));
            Assert.Contains("grpc-encoding", refused.Status.Detail);
        }
    }

    /// <summary>A body of a mebibyte: what it is answered, and whether that is for its size.</summary>
    private static async Task<(HttpStatusCode Status, bool IsTooLarge)> PostAsync(TestNode node, string? token)
    {
        using HttpClient http = new();
        using HttpRequestMessage request = new(HttpMethod.Post, node.Host.JsonUrl + "/v1/channels")
        {
            Content = new StringContent($"{{\"peer\":\"{new string('x', 1 << 20)}\"}}", Encoding.UTF8, "application/json"),
        };
        if (token is not null) request.Headers.Authorization = new("Bearer", token);
        using HttpResponseMessage response = await http.SendAsync(request, TestChain.Limit);
        return (response.StatusCode, (await response.Content.ReadAsStringAsync()).Contains("TOO_MANY_BYTES"));
    }
}
