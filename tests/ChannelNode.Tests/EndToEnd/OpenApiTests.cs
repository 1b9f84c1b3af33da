using System.Text.Json.Nodes;
using ChannelNode.Tests.Tidy;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What the node says of its HTTP API is what it does.</summary>
[Collection(DoorsCollection.Name)]
public sealed class OpenApiTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private TestNode _node = null!;
    private JsonCaller _json = null!;
    private JsonNode _document = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await TestNode.StartAsync(_chain, options => options with
        {
            Applications = options.Applications with { JsonListen = "127.0.0.1:0" },
        });
        _json = new JsonCaller(_node.Host.JsonUrl);
        _document = JsonNode.Parse(await _json.Http.GetStringAsync("/openapi/v1.json"))!;
    }

    public async Task DisposeAsync()
    {
        _json.Dispose();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [Fact]
    public void Served_IsWhatIsCommitted() => Assert.True(JsonNode.DeepEquals(
        JsonNode.Parse(File.ReadAllText(Repository.PathOf("proto/openapi.json"))), _document));

    [Fact]
    public async Task EveryOperation_IsAnswered()
    {
        int count = 0;
        foreach ((string path, JsonNode? operations) in _document["paths"]!.AsObject())
        {
            foreach ((string verb, _) in operations!.AsObject())
            {
                string place = path.Replace("{channel_id}", "0x" + new string('1', 64));
                using HttpRequestMessage request = new(new HttpMethod(verb.ToUpperInvariant()), place);
                if (verb == "post") request.Content = JsonCaller.Json("{}");
                bool isStream = path.EndsWith(":subscribe", StringComparison.Ordinal);
                using CancellationTokenSource soon = new(TimeSpan.FromSeconds(isStream ? 2 : 60));
                try
                {
                    using HttpResponseMessage answer = await _json.Http.SendAsync(request, soon.Token);
                    Assert.DoesNotContain("nothing that the API has", await answer.Content.ReadAsStringAsync(soon.Token));
                    Assert.NotEqual(405, (int)answer.StatusCode);
                }
                catch (OperationCanceledException) when (isStream)
                {
                    // A stream that has nothing to tell yet.
                }

                count++;
            }
        }

        Assert.InRange(count, 17, int.MaxValue);
    }

    [Fact]
    public async Task Answer_HasTheFieldsThatItsSchemaNames()
    {
        JsonObject info = (await _json.GetAsync("/v1/info")).AsObject();
        info.Remove("http");
        Assert.Equal(
            _document["components"]!["schemas"]!["GetInfoResponse"]!["properties"]!.AsObject().Select(it => it.Key)
                .Where(it => it != "restoration").Order(), // Absent where nothing was restored.
            info.Select(it => it.Key).Order());
    }
}
