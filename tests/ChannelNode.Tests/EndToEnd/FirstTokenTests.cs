using System.Runtime.Versioning;
using ChannelNode.Cli;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Nobody calls a node's API without a token unless its operator lets everybody, or can read its data folder.</summary>
[Collection(AnvilCollection.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class FirstTokenTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly string _socket = Path.Combine(Path.GetTempPath(), $"cn-{Guid.NewGuid():N}.sock");
    private TestChain _chain = null!;

    public async Task InitializeAsync() => _chain = await TestChain.OpenAsync(anvil);

    public async Task DisposeAsync() => await _chain.DisposeAsync();

    private static NodeOptions AsItComes(NodeOptions options) => options with { AccessTokenRequired = null };

    [Fact]
    public async Task NodeAsItComes_IsCalledWithItsTokenOnly()
    {
        await using TestNode node = await TestNode.StartAsync(
            _chain, options => AsItComes(options) with { Applications = options.Applications with { JsonListen = "127.0.0.1:0" } }, funded: false);
        using ApiCaller caller = new(node.Host.ApiUrl);
        using HttpClient http = new();

        Assert.Equal("ACCESS_TOKEN_MISSING", await caller.InfoAsync([]));
        using HttpResponseMessage json = await http.GetAsync($"{node.Host.JsonUrl}/v1/info");
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, json.StatusCode);
        string secret = (await File.ReadAllTextAsync(Path.Combine(node.DataDirectory, NodeOptions.AdminTokenFile))).Trim();
        Assert.Equal("OK", await caller.InfoAsync(ApiCaller.Showing(secret)));
    }

    /// <summary>What proves to a command that it is that node, and to the node that it is its operator, is the folder. No secret is sent.</summary>
    [Fact]
    public async Task Command_GetsInByTheNodesFolder_AndShowsNothingElsewhere()
    {
        await using TestNode node = await TestNode.StartAsync(_chain, options => AsItComes(options) with { AccessTokenRequired = true }, funded: false);
        string socket = Path.Combine(node.DataDirectory, DoorAddress.SocketFile);
        static Task<ProgramRun> RunAsync(string folder, params string[] arguments) =>
            ProgramRun.WithAsync(new Dictionary<string, string> { [NodeFlags.DataVariable] = folder }, arguments);

        ProgramRun here = await RunAsync(node.DataDirectory, "info", "--json");
        ProgramRun byPort = await RunAsync(node.DataDirectory, "info", "--node", node.Host.ApiUrl);
        ProgramRun nowhere = await RunAsync(Path.Combine(node.DataDirectory, "none"), "info");
        ProgramRun revoked = await RunAsync(node.DataDirectory, "token", "revoke", "1");
        ProgramRun after = await RunAsync(node.DataDirectory, "info", "--json");

        Assert.True(here.ExitCode == ExitCode.Done, here.Error);
        Assert.Contains(node.Signer.ToString(), here.Output);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(socket));
        Assert.Contains("asks for a token: give --access-token-file (a node's first is admin.token in its data folder)", byPort.Error);
        Assert.Contains($"no node answers at unix:{Path.Combine(node.DataDirectory, "none", DoorAddress.SocketFile)}", nowhere.Error);
        Assert.True(revoked.ExitCode == ExitCode.Done, revoked.Error);
        Assert.True(after.ExitCode == ExitCode.Done, after.Error);
        await node.StopAsync();
        Assert.False(Path.Exists(socket));
    }

    /// <summary>Some file systems hold no sockets, and something else may stand there: no reason to stay away from the chain.</summary>
    [Fact]
    public async Task NodeThatCannotHaveItsSocket_StartsWithoutIt_AndSaysWhy()
    {
        LoggedLines lines = new();
        await using TestNode node = await TestNode.StartAsync(_chain, AsItComes, funded: false, lines);
        await node.StopAsync();
        string place = Path.Combine(node.DataDirectory, DoorAddress.SocketFile);
        await File.WriteAllTextAsync(place, "somebody's work");

        await node.StartAsync();

        using ApiCaller caller = new(node.Host.ApiUrl);
        Assert.Equal("ACCESS_TOKEN_MISSING", await caller.InfoAsync([]));
        Assert.Single(lines.Troubles, line => line.Contains("no socket for the operator") && line.Contains("is a file, and no socket"));
        Assert.Equal("somebody's work", await File.ReadAllTextAsync(place));
    }

    [Fact]
    public void FolderWithTooLongAName_HasNoSocket()
    {
        int room = 107 - "/api.sock".Length;

        Assert.Equal($"unix:/{new string('a', room - 1)}/api.sock", DoorAddress.InFolder("/" + new string('a', room - 1))?.Text);
        Assert.Null(DoorAddress.InFolder("/" + new string('a', room)));
        Assert.Null(DoorAddress.InFolder("/" + new string('ä', room / 2 + 1)));
    }

    [Theory]
    [InlineData(null, "127.0.0.1:9801", "", true)]
    [InlineData(null, "127.0.0.1:9801", "127.0.0.1:9806", true)]
    [InlineData(null, "unix:/run/api.sock", "", false)]
    [InlineData(null, "unix:/run/api.sock", "127.0.0.1:9806", true)]
    [InlineData(false, "127.0.0.1:9801", "127.0.0.1:9806", false)]
    [InlineData(false, "0.0.0.0:9801", "", true)]
    [InlineData(false, "127.0.0.1:9801", "0.0.0.0:9806", true)]
    [InlineData(true, "unix:/run/api.sock", "", true)]
    public void Token_IsAskedForUnlessTheOperatorOrASocketDoesWithout(bool? given, string api, string json, bool asks)
    {
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = default, AccessTokenRequired = given, ApiListen = api };

        Assert.Equal(asks, DoorAddress.AsksForTokens(options with { Applications = options.Applications with { JsonListen = json } }));
    }

    [Theory]
    [InlineData(null, false, 0)]
    [InlineData(false, false, 1)]
    [InlineData(true, false, 0)]
    [InlineData(false, true, 0)]
    public async Task WhereEverybodyOnThisMachineMayDoEverything_TheLogSaysSo(bool? asksForTokens, bool isSocket, int times)
    {
        LoggedLines lines = new();

        await using (await TestNode.StartAsync(
            _chain,
            options => options with { AccessTokenRequired = asksForTokens, ApiListen = isSocket ? $"unix:{_socket}" : options.ApiListen },
            funded: false, lines)) { }

        Assert.Equal(times, lines.Troubles.Count(line => line.Contains("may do everything by the API")));
    }
}
