using System.Text;
using System.Text.Json.Nodes;
using ChannelNode.Engine;
using Google.Api;
using Google.Protobuf.Reflection;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>NodeService as JSON over HTTP: two nodes, of which the payer is called by nothing but an HTTP client.</summary>
[Collection(DoorsCollection.Name)]
public sealed class JsonApiTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private TestNode _payer = null!;
    private TestNode _payee = null!;
    private JsonCaller _json = null!;
    private JsonCaller _payeeJson = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _payer = await TestNode.StartAsync(_chain, WithJson);
        _payee = await TestNode.StartAsync(_chain, WithJson);
        _json = new JsonCaller(_payer.Host.JsonUrl);
        _payeeJson = new JsonCaller(_payee.Host.JsonUrl);
    }

    public async Task DisposeAsync()
    {
        _json.Dispose();
        _payeeJson.Dispose();
        await _payer.DisposeAsync();
        await _payee.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private static NodeOptions WithJson(NodeOptions options) =>
        options with { Applications = options.Applications with { JsonListen = "127.0.0.1:0" } };

    /// <summary>Clients give up on an answer that does not begin; there may be nothing to tell for hours.</summary>
    [Theory]
    [InlineData("/v1/payments:subscribe")]
    [InlineData("/v1/events:subscribe")]
    public async Task SubscriptionWithNothingToTell_HasBegun(string path)
    {
        using HttpResponseMessage response = await _json.Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, TestChain.Limit);

        Assert.Equal(200, (int)response.StatusCode);
        using StreamReader lines = new(await response.Content.ReadAsStreamAsync(TestChain.Limit));
        JsonNode sign = JsonNode.Parse((await lines.ReadLineAsync(TestChain.Limit))!)!;
        Assert.Equal("0", (string?)sign["cursor"]); // A sign of life.
        Assert.Empty((sign["payments"] ?? sign["events"])!.AsArray());
    }

    [Fact]
    public async Task ChannelsLife_ByHttpAlone()
    {
        Assert.Equal(_payer.Signer.ToString(), (string?)(await _json.GetAsync("/v1/info"))["signer"]);

        List<JsonNode> steps = await _json.PostStreamAsync(
            "/v1/channels", $$"""{"peerUrl":"{{_payee.PeerUrl}}","amount":"340282366920938463463374607431"}""");
        Assert.Contains("details", steps[^1].ToJsonString()); // More than the account holds: the stream ends with the error.
        steps = await _json.PostStreamAsync("/v1/channels", $$"""{"peerUrl":"{{_payee.PeerUrl}}","amount":"1000000"}""");
        Assert.Equal("STAGE_CONFIRMED", (string?)steps[^1]["progress"]!["stage"]);
        string id = (string)steps[^1]["progress"]!["channelId"]!;
        await _payee.UntilAsync(id, channel => channel.Status == Wire.ChannelStatus.Open);

        JsonNode paid = await _json.PostAsync(
            $"/v1/channels/{id}/payments", $$"""{"amount":"25","itemId":"{{Base64("article-17")}}","idempotencyKey":"k1"}""");
        Assert.Equal("25", (string?)paid["totalSent"]);
        JsonNode again = await _json.PostAsync(
            $"/v1/channels/{id}/payments", $$"""{"amount":"25","itemId":"{{Base64("article-17")}}","idempotencyKey":"k1"}""");
        Assert.True((bool)again["repeated"]!);

        await foreach (JsonNode told in _payeeJson.FollowAsync("/v1/payments:subscribe?afterCursor=0"))
        {
            JsonNode payment = told["payments"]![0]!;
            Assert.Equal(("1", id, "25"), ((string)payment["cursor"]!, (string)payment["channelId"]!, (string)payment["amount"]!));
            Assert.Equal(Base64("article-17"), (string?)payment["itemId"]);
            break;
        }

        Assert.Equal("CHANNEL_STATUS_OPEN", (string?)(await _json.GetAsync($"/v1/channels/{id}"))["channel"]!["status"]);
        Assert.Single((await _json.GetAsync("/v1/channels?status=CHANNEL_STATUS_OPEN&pageSize=10"))["channels"]!.AsArray());
        steps = await _json.PostStreamAsync($"/v1/channels/{id}:close");
        Assert.Equal("STAGE_CONFIRMED", (string?)steps[^1]["progress"]!["stage"]);
        Assert.NotEmpty((await _json.GetAsync("/v1/jobs?all=true"))["jobs"]!.AsArray());
    }

    [Fact]
    public async Task Refusal_IsAStatusWithItsNameAndField()
    {
        JsonNode error = await _json.GetAsync("/v1/channels/0x12");
        Assert.Equal((400, 3), ((int)error["http"]!, (int)error["code"]!));
        Assert.Equal("channel_id is \"0x12\", expected 0x and 64 hex digits", (string?)error["message"]);
        AssertReason(error, "INVALID_ARGUMENT", "channel_id");

        error = await _json.GetAsync("/v1/channels/0x" + new string('1', 64));
        Assert.Equal((404, 5), ((int)error["http"]!, (int)error["code"]!));
        AssertReason(error, "UNKNOWN_CHANNEL", "channel_id");
    }

    /// <summary>Passed over, a misspelt key would let the same payment be paid twice.</summary>
    [Theory]
    [InlineData("{\"amount\":\"1\",\"idempotencykey\":\"k\"}", "\"idempotencykey\" is in the body, expected only fields of Payment")]
    [InlineData("{\"amount\":1}", "amount is 1, expected it in quotes")]
    [InlineData("{\"amount\":\"1\"", "the body is no JSON: line 1, byte 14")]
    [InlineData("[1]", "body is [1], expected an object with fields of Payment")]
    [InlineData("{\"itemId\":\"\\ud800\"}", "the body has a string that is no text")]
    [InlineData("{\"channelId\":\"\\ud800\"}", "the body has a string that is no text")]
    [InlineData("{\"itemId\":\"article-17\"}", "itemId is \"article-17\", expected bytes in base64, with its padding")]
    [InlineData("{\"itemId\":\"YXJ0aWNsZS0xNw\"}", "itemId is \"YXJ0aWNsZS0xNw\", expected bytes in base64, with its padding")]
    [InlineData("{\"receipt\":\"yes\"}", "receipt is \"yes\", expected true or false")]
    [InlineData("{\"channelId\":\"0x12\",\"amount\":\"1\"}", "channelId is \"0x12\" in the body, expected it as in the path")]
    public async Task BodyThatIsNotWhatItSeems_IsRefusedByName(string body, string message)
    {
        JsonNode error = await _json.PostAsync($"/v1/channels/{new string('0', 64)}/payments", body);

        Assert.Equal((400, 3), ((int)error["http"]!, (int)error["code"]!));
        Assert.Contains(message, (string)error["message"]!);
    }

    [Theory]
    [InlineData("/v1/payments:subscribe?afterCursor=abc", "afterCursor is \"abc\" in the query, expected a whole number, 0 or above")]
    [InlineData("/v1/payments:subscribe?kept_only=yes", "kept_only is \"yes\" in the query, expected true or false")]
    [InlineData("/v1/channels?status=open", "status is \"open\" in the query, expected a name of ChannelStatus")]
    public async Task QueryOfAnotherForm_IsRefusedByName(string path, string message)
    {
        JsonNode error = await _json.GetAsync(path);

        Assert.Equal((400, message), ((int)error["http"]!, (string)error["message"]!));
    }

    [Theory]
    [InlineData("/v1/nothing", 404, 5)]
    [InlineData("/v1/info?unknown=1", 400, 3)]
    [InlineData("/v1/payments:subscribe?afterCusor=5", 400, 3)]
    [InlineData("/v1/payments:subscribe?after_cursor=99", 400, 11)]
    [InlineData("/v1/payments:subscribe?afterCursor=-1", 400, 3)]
    [InlineData("/v1/payments:subscribe?afterCursor=99", 400, 11)]
    public async Task WrongGet_IsAStatus(string path, int http, int code)
    {
        JsonNode error = await _json.GetAsync(path);
        Assert.Equal((http, code), ((int)error["http"]!, (int)error["code"]!));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"amount":5e30}""")]
    [InlineData("""{"unknown":1}""")]
    [InlineData("\u0000")]
    public async Task WrongJson_IsAStatus(string body)
    {
        JsonNode error = await _json.PostAsync("/v1/channels", body);
        Assert.Equal((400, 3), ((int)error["http"]!, (int)error["code"]!));
    }

    [Fact]
    public async Task BodyAboveTheLimit_IsRefusedByName()
    {
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/channels")
        {
            Content = JsonCaller.Json("{\"token\":\"" + new string('x', 5 * 1024 * 1024) + "\"}"),
        };
        request.Headers.ExpectContinue = true;
        JsonNode error = await JsonCaller.ReadAsync(await _json.Http.SendAsync(request, TestChain.Limit));
        Assert.Equal((413, 8), ((int)error["http"]!, (int)error["code"]!));
    }

    /// <summary>Whoever adds an RPC says how it is called over HTTP too.</summary>
    [Fact]
    public void EveryRpc_HasAPathOfItsOwn_UnlessItsCallerStreams()
    {
        MethodDescriptor[] unary = [.. Wire.NodeService.Descriptor.Methods.Where(method => !method.IsClientStreaming)];
        IEnumerable<HttpRule?> rules = unary.Select(method => method.GetOptions()?.GetExtension(AnnotationsExtensions.Http));
        Assert.Empty(unary.Zip(rules).Where(it => it.Second is null).Select(it => it.First.Name));
        string[] paths = [.. rules.Select(rule => rule!.PatternCase.ToString().ToUpperInvariant() + " " + (rule.Get + rule.Post + rule.Patch))];
        Assert.Equal(paths.Length, paths.Distinct().Count());
        Assert.All(paths, path => Assert.Matches("^(GET|POST|PATCH) /v1/[a-z{]", path));
    }

    private static void AssertReason(JsonNode error, string reason, string? field = null)
    {
        JsonNode info = error["details"]![0]!;
        Assert.Equal("type.googleapis.com/google.rpc.ErrorInfo", (string?)info["@type"]);
        Assert.Equal((reason, "channelnode"), ((string)info["reason"]!, (string)info["domain"]!));
        Assert.Equal(field, (string?)info["metadata"]?["field"]);
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
