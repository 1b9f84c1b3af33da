using System.Net;
using System.Net.Sockets;
using ChannelNode.Engine;
using ChannelNode.Signing;
using Grpc.Net.Client;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Sockets of this machine's other addresses, which are strangers to a door.</summary>
[Collection(DoorsCollection.Name)]
public sealed class ConnectionLimitTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly List<Socket> _sockets = [];
    private TestChain _chain = null!;
    private TestNode _node = null!;

    public async Task InitializeAsync() => _chain = await TestChain.OpenAsync(anvil);

    public async Task DisposeAsync()
    {
        foreach (Socket socket in _sockets) socket.Dispose();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private RawPeer NewPeer() => new(_node.PeerUrl, _chain.ChainId, _chain.Contract, PrivateKey.Generate());

    private DoorCounts Counts => CountsOf("peers");

    private DoorCounts CountsOf(string name) => _node.Host.Node.Overview.Doors.All.Single(door => door.Door == name);

    /// <summary>Connected from an address of this machine; whether the door speaks, as it does to whoever has a place.</summary>
    private async Task<(Socket Socket, bool HasPlace)> ConnectAsync(string from)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _sockets.Add(socket);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, new Uri(_node.PeerUrl).Port);
            await socket.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0"u8.ToArray());
            return (socket, await socket.ReceiveAsync(new byte[9]).WaitAsync(TestChain.Limit) > 0);
        }
        catch (SocketException)
        {
            return (socket, false);
        }
    }

    /// <summary>What the door still says is read; then it is closed.</summary>
    private static async Task UntilClosedAsync(Socket socket)
    {
        try
        {
            while (await socket.ReceiveAsync(new byte[1_024]).WaitAsync(TestChain.Limit) > 0)
            {
                // Settings, a goodbye.
            }
        }
        catch (SocketException)
        {
            // Closed too.
        }
    }

    [Fact]
    public async Task OneAddress_TakesItsShareOfConnections_AndOthersAndThisMachineStillGetIn()
    {
        LoggedLines lines = new();
        _node = await TestNode.StartAsync(_chain, options => options with { ConnectionsPerAddressMax = 3 }, logs: lines);
        List<Socket> taken = [];
        for (int place = 0; place < 3; place++)
        {
            (Socket socket, bool hasPlace) = await ConnectAsync("127.0.0.2");
            Assert.True(hasPlace);
            taken.Add(socket);
        }

        Assert.DoesNotContain(lines.All, line => line.StartsWith("Door "));
        Assert.False((await ConnectAsync("127.0.0.2")).HasPlace);
        Assert.StartsWith("Door peers: 1 connections were closed for want of a place", Assert.Single(lines.All, line => line.StartsWith("Door ")));
        Assert.True((await ConnectAsync("127.0.0.3")).HasPlace);
        List<RawPeer> peers = [.. Enumerable.Range(0, 5).Select(_ => NewPeer())]; // By 127.0.0.1, as through a proxy.
        foreach (RawPeer peer in peers) await peer.ConnectAsync();
        Assert.Equal((1, 0, 9), (Counts.RefusedOfAddress, Counts.RefusedOfAll, Counts.Open()));

        taken[0].Dispose();
        for (int look = 0; look < 1_200 && Counts.Open() == 9; look++) await Task.Delay(25);
        Assert.True((await ConnectAsync("127.0.0.2")).HasPlace);
        foreach (RawPeer peer in peers) await peer.DisposeAsync();
    }

    /// <summary>Calls that nobody has admitted are none: a handshake that never comes, here.</summary>
    [Fact]
    public async Task WhereEveryPlaceIsTaken_WhoOnlyKnocksMakesRoom()
    {
        _node = await TestNode.StartAsync(_chain, options => options with { PeerConnectionsMax = 2 });
        using GrpcChannel one = GrpcChannel.ForAddress(_node.PeerUrl), other = GrpcChannel.ForAddress(_node.PeerUrl);
        using var silent = new Wire.PeerService.PeerServiceClient(one).Exchange();
        using var mute = new Wire.PeerService.PeerServiceClient(other).Exchange();
        for (int look = 0; look < 1_200 && Counts.Open() < 2; look++) await Task.Delay(25);

        await Task.Delay(1_200);
        await using RawPeer late = NewPeer();
        await late.ConnectAsync();

        Assert.Equal((1, 2), (Counts.UnusedEnded, Counts.Open()));
    }

    /// <summary>Of the API too: whose calls are over, however often he then calls without a token.</summary>
    [Theory]
    [InlineData("/channelnode.v1.NodeService/GetInfo")]
    [InlineData("/elsewhere")]
    [InlineData("/grpc.health.v1.Health/Check")]
    [InlineData("/grpc.health.v1.Health/Watch")]
    public async Task WhereEveryPlaceIsTaken_WhoIsRefusedMakesRoom(string path)
    {
        _node = await TestNode.StartAsync(_chain, options => options with { AccessTokenRequired = true, ApiConnectionsMax = 2 });
        string token = (await File.ReadAllTextAsync(Path.Combine(_node.DataDirectory, "admin.token"))).Trim();
        using HttpClient one = new(), other = new(), late = new();
        string begun = path.Contains("Health") ? "/channelnode.v1.NodeService/GetInfo" : path;
        foreach (HttpClient client in (HttpClient[])[one, other]) await CallAsync(client, token, begun);
        await Task.Delay(1_200);
        foreach (HttpClient client in (HttpClient[])[one, other]) await CallAsync(client, null, path);

        await CallAsync(late, null, path);

        Assert.Equal((1, 0, 2), (CountsOf("api").UnusedEnded, CountsOf("api").RefusedOfAll, CountsOf("api").Open()));

        async Task CallAsync(HttpClient client, string? shown, string path)
        {
            using HttpRequestMessage request = new(HttpMethod.Post, _node.Host.ApiUrl + path)
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent([0, 0, 0, 0, 0]) { Headers = { ContentType = new("application/grpc") } },
            };
            if (shown is not null) request.Headers.Authorization = new("Bearer", shown);
            using HttpResponseMessage response = await client.SendAsync(request).WaitAsync(TestChain.Limit);
        }
    }

    [Fact]
    public async Task WhereEveryPlaceIsTaken_AConnectionWithoutACallMakesRoom_AndASessionStays()
    {
        _node = await TestNode.StartAsync(_chain, options => options with { PeerConnectionsMax = 4 });
        await using RawPeer session = NewPeer();
        await session.ConnectAsync();
        List<Socket> idle = [];
        for (int place = 0; place < 3; place++)
        {
            (Socket socket, bool hasPlace) = await ConnectAsync("127.0.0.2");
            Assert.True(hasPlace);
            idle.Add(socket);
        }

        await Task.Delay(1_200); // A caller has a second to begin.
        await using RawPeer late = NewPeer();
        await late.JoinAsync(_node.Api);

        await UntilClosedAsync(idle[0]);
        Assert.Equal((1, 4), (Counts.UnusedEnded, Counts.Open()));
        Assert.Equal(2u, (await _node.Api.GetStatusAsync(new Wire.GetStatusRequest { Brief = true })).PeersConnected);
    }
}
