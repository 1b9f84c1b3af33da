using System.Net.Sockets;
using System.Runtime.Versioning;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Cli;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>An API at a socket that only the node's own user can open.</summary>
[Collection(DoorsCollection.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class UnixDoorTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cn-").FullName;
    private TestChain _chain = null!;

    private string Socket => Path.Combine(_folder, "api.sock");

    public async Task InitializeAsync() => _chain = await TestChain.OpenAsync(anvil);

    public async Task DisposeAsync()
    {
        await _chain.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private Task<TestNode> StartAsync() => TestNode.StartAsync(_chain, options => options with { ApiListen = $"unix:{Socket}" });

    [Fact]
    public async Task Socket_IsItsOwnersAlone_AndServesTheCommandLine()
    {
        using (System.Net.Sockets.Socket dead = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            // What a killed node leaves: a name that nobody answers to.
            dead.Bind(new UnixDomainSocketEndPoint(Socket + ".old"));
            File.Move(Socket + ".old", Socket);
        }

        await using (TestNode node = await StartAsync())
        {
            Assert.Equal($"unix:{Socket}", node.Host.ApiUrl);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Socket));
            CliRun run = await CliRun.AsyncOf("info", "--json", "--node", $"unix:{Socket}");
            Assert.Equal((0, ""), (run.ExitCode, run.Error));
            Assert.Contains(node.Signer.ToString(), run.Output);

            RefusalException refusal = await Assert.ThrowsAsync<RefusalException>(StartAsync);
            Assert.Equal("--api-listen", refusal.Field);
            Assert.Contains($"unix:{Socket} is in use", refusal.Message);
            Assert.Equal(0, (await CliRun.AsyncOf("info", "--node", $"unix:{Socket}")).ExitCode);

            // A token counts here too, and the socket counts as this machine.
            using ApiCaller caller = new(node.Host.ApiUrl);
            Wire.CreateAccessTokenResponse local = await caller.CreateAccessTokenAsync("", request =>
            {
                request.Methods.Add("GetInfo");
                request.FromIps.Add("127.0.0.1");
            });
            Assert.Equal("OK", await caller.InfoAsync(ApiCaller.Showing(local.Secret)));
            Assert.Equal("ACCESS_TOKEN_INVALID", await caller.InfoAsync(ApiCaller.Showing(local.Secret + "A")));
        }

        Assert.False(Path.Exists(Socket));
    }

    [Fact]
    public void NameOfASocket_IsNeverThereWithAnotherMode()
    {
        using System.Net.Sockets.Socket bound = DoorSocket.Bind(new UnixDomainSocketEndPoint(Socket));

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Socket));
    }

    [Fact]
    public void FileThatIsNoSocket_IsNotDeleted()
    {
        File.WriteAllText(Socket, "somebody's work");

        RefusalException refusal = Assert.Throws<RefusalException>(
            () => DoorSocket.TakeStaleAway(DoorAddress.Parse($"unix:{Socket}"), "--api-listen"));

        Assert.Equal(Refusal.InvalidArgument, refusal.Refusal);
        Assert.Equal("somebody's work", File.ReadAllText(Socket));
    }
}
