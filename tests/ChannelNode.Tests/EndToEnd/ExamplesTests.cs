using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>The examples in three languages do what they say, with two nodes on a real chain.</summary>
[Collection(DoorsCollection.Name)]
public sealed class ExamplesTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private TestNode _payer = null!;
    private TestNode _payee = null!;
    private ExampleProgram _program = null!;
    private string _channel = string.Empty;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _payer = await StartAsync();
        _payee = await StartAsync();

        // Not the first payment of its life: the examples are to hear of their own only.
        _channel = await _payer.OpenAsync(_payee, "100");
        await _payer.PayAsync(_channel, "1");
        _program = new ExampleProgram(await TokenAsync(_payer, Wire.Scope.Pay, Wire.Scope.Channels), await TokenAsync(_payee, Wire.Scope.Read));

        async Task<TestNode> StartAsync()
        {
            TestNode node = await TestNode.StartAsync(_chain, options => options with
            {
                AccessTokenRequired = true,
                Applications = options.Applications with { JsonListen = "127.0.0.1:0" },
            });
            node.ShowAdminToken();
            return node;
        }
    }

    private static async Task<string> TokenAsync(TestNode node, params Wire.Scope[] scopes) => (await node.Api.CreateAccessTokenAsync(
        new Wire.CreateAccessTokenRequest { Name = "example", Scopes = { scopes }, Uncapped = scopes.Contains(Wire.Scope.Pay) })).Secret;

    public async Task DisposeAsync()
    {
        await _payer.DisposeAsync();
        await _payee.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [Fact]
    public async Task CSharp_OpensPaysAndHears_AndIsRefusedByName()
    {
        AssertPaid(await _program.CSharpAsync("", _payer.Host.ApiUrl, _payee.PeerUrl, _payee.Host.ApiUrl));
        AssertRefused(await _program.CSharpAsync("", "refused", _payer.Host.ApiUrl, _channel));
    }

    [Fact]
    public async Task TypeScript_OpensPaysAndHears_AndIsRefusedByName()
    {
        AssertPaid(await _program.TypeScriptAsync("main", "", _payer.Host.ApiUrl, _payee.PeerUrl, _payee.Host.ApiUrl));
        AssertRefused(await _program.TypeScriptAsync("refused", "", _payer.Host.ApiUrl, _channel));
    }

    [Fact]
    public async Task Curl_OpensPaysAndHears_AndIsRefusedByName()
    {
        AssertPaid(await _program.CurlAsync("pay", "", _payer.Host.JsonUrl, _payee.PeerUrl, _payee.Host.JsonUrl));
        AssertRefused(await _program.CurlAsync("refused", "", _payer.Host.JsonUrl, _channel));
    }

    private static void AssertPaid(string said)
    {
        string[] lines = said.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(
            lines is [.., var opened, "paid: 25, in total 25", "received: cursor 2, 25 for article-17"]
            && opened.StartsWith("opening: ", StringComparison.Ordinal)
            && opened.EndsWith("CONFIRMED", StringComparison.OrdinalIgnoreCase),
            said);
    }

    private static void AssertRefused(string said) => Assert.True(
        said.Split('\n') is [var line, ""] && line.StartsWith("refused: INSUFFICIENT_BALANCE: ", StringComparison.Ordinal) && line.Contains("2000000"),
        said);
}
