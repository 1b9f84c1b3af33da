using ChannelNode.Cli;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Nobody calls a node's API without a token unless its operator lets everybody; the operator's own is found where the node runs.</summary>
[Collection(AnvilCollection.Name)]
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

    [Fact]
    public async Task Command_FindsTheTokenWhereTheNodeRuns_AndNowhereElse()
    {
        await using TestNode node = await TestNode.StartAsync(_chain, AsItComes, funded: false);
        await using TestNode another = await TestNode.StartAsync(_chain, AsItComes, funded: false);
        Task<ProgramRun> InfoAsync(TestNode asked, string folder) => ProgramRun.WithAsync(
            new Dictionary<string, string> { [NodeFlags.DataVariable] = folder }, "info", "--json", "--node", asked.Host.ApiUrl);

        ProgramRun found = await InfoAsync(node, node.DataDirectory);
        ProgramRun wrong = await InfoAsync(another, node.DataDirectory);
        ProgramRun nowhere = await InfoAsync(node, Path.Combine(node.DataDirectory, "none"));

        Assert.True(found.ExitCode == ExitCode.Done, found.Error);
        Assert.Contains(node.Signer.ToString(), found.Output);
        string file = Path.Combine(node.DataDirectory, NodeOptions.AdminTokenFile);
        Assert.Contains(
            $"{another.Host.ApiUrl} does not know the token in {file}, found by CHANNELNODE_DATA_DIR: give --access-token-file", wrong.Error);
        Assert.Contains("asks for a token: give --access-token-file (a node's first is admin.token in its data folder)", nowhere.Error);
        Assert.DoesNotContain((await File.ReadAllTextAsync(file)).Trim(), found.All + wrong.All + nowhere.All);
    }

    /// <summary>A node elsewhere is never shown the token of the one here, encrypted or not.</summary>
    [Theory]
    [InlineData("http://192.0.2.1:9801")]
    [InlineData("https://192.0.2.1:9801")]
    public void NodeElsewhere_IsNotShownTheTokenOfTheOneHere(string node) => Assert.False(NodeFlags.IsHere(node));

    [Theory]
    [InlineData("http://127.0.0.1:9801")]
    [InlineData("https://localhost:9801")]
    [InlineData("http://[::1]:9801")]
    [InlineData("unix:/run/channelnode/api.sock")]
    public void NodeHere_IsShownIt(string node) => Assert.True(NodeFlags.IsHere(node));

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
