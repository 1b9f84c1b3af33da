using System.Net;
using System.Text.Json.Nodes;
using ChannelNode.Engine;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Web;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// What a page in the operator's own browser can send to the JSON port of his node, header by header as browsers do: the payer
/// has a channel, and nothing of this may spend from it.
/// </summary>
[Collection(DoorsCollection.Name)]
public sealed class BrowserAttackTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const string Shop = "https://shop.example";
    private const string Evil = "https://evil.example";

    private TestChain _chain = null!;
    private TestNode _payer = null!;
    private TestNode _payee = null!;
    private JsonCaller _json = null!;
    private string _channel = string.Empty;
    private string _token = string.Empty;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _payer = await TestNode.StartAsync(_chain, options => options with
        {
            AccessTokenRequired = true,
            Applications = new ApplicationOptions
            {
                JsonListen = "127.0.0.1:0",
                JsonHosts = ["node.example"],
                CorsOrigins = [Shop],
            },
        });
        _token = _payer.ShowAdminToken();
        _payee = await TestNode.StartAsync(_chain);
        _channel = await _payer.OpenAsync(_payee, "1000");
        _json = new JsonCaller(_payer.Host.JsonUrl);
        _json.Http.DefaultRequestHeaders.Authorization = new("Bearer", _token);
    }

    public async Task DisposeAsync()
    {
        _json.Dispose();
        await _payer.DisposeAsync();
        await _payee.DisposeAsync();
        await _chain.DisposeAsync();
    }

    /// <summary>A payment as a page of this origin sends it, or as a program does where there is none.</summary>
    private HttpRequestMessage Payment(string? origin = null, string contentType = "application/json")
    {
        HttpRequestMessage request = new(HttpMethod.Post, $"/v1/channels/{_channel}/payments")
        {
            Content = new ByteArrayContent("""{"amount":"1"}"""u8.ToArray()),
        };
        if (contentType.Length > 0) request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        if (origin is not null) request.Headers.TryAddWithoutValidation("Origin", origin);
        return request;
    }

    private async Task<JsonNode> SendAsync(HttpRequestMessage request) =>
        await JsonCaller.ReadAsync(await _json.Http.SendAsync(request, TestChain.Limit));

    private async Task AssertRefusedAsync(HttpRequestMessage request, string reason)
    {
        JsonNode answer = await SendAsync(request);
        Assert.Equal(reason, (string?)answer["details"]?[0]?["reason"]);
        Assert.Equal("0", (await _payer.ChannelAsync(_channel)).Sent);
    }

    [Theory]
    [InlineData(Evil)]
    [InlineData("null")]
    [InlineData("https://shop.example.evil.example")]
    [InlineData("http://shop.example")]
    [InlineData("https://shop.example:444")]
    [InlineData("HTTPS://SHOP.EXAMPLE")]
    [InlineData("https://shop.example, https://evil.example")]
    public async Task PageOfAnotherOrigin_CannotPay(string origin) => await AssertRefusedAsync(Payment(origin), "ORIGIN_NOT_ALLOWED");

    [Theory]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data; boundary=x")]
    [InlineData("text/plain")]
    [InlineData("text/plain; application/json")]
    [InlineData("")]
    public async Task Form_CannotPay_WhateverItsOrigin(string contentType)
    {
        await AssertRefusedAsync(Payment(contentType: contentType), "INVALID_ARGUMENT");
        await AssertRefusedAsync(Payment(Shop, contentType), "INVALID_ARGUMENT");
    }

    [Theory]
    [InlineData("evil.example")]
    [InlineData("localhost.evil.example")]
    [InlineData("127.0.0.1.evil.example:9805")]
    [InlineData("node.example.evil.example")]
    public async Task NameBoundAnewToThisMachine_CannotPay(string host)
    {
        HttpRequestMessage request = Payment(); // Of the page's own origin, as its browser believes.
        request.Headers.Host = host;
        await AssertRefusedAsync(request, "HOST_NOT_ALLOWED");
        request = new HttpRequestMessage(HttpMethod.Get, "/v1/info");
        request.Headers.Host = host;
        await AssertRefusedAsync(request, "HOST_NOT_ALLOWED");
    }

    [Fact]
    public async Task ImageOrScriptOfAnotherSite_CannotEvenAsk()
    {
        HttpRequestMessage request = new(HttpMethod.Get, "/v1/events:subscribe");
        request.Headers.Add("Sec-Fetch-Site", "cross-site");
        await AssertRefusedAsync(request, "ORIGIN_NOT_ALLOWED");
    }

    [Theory]
    [InlineData(Evil, false)]
    [InlineData(Shop, true)]
    public async Task Preflight_IsGrantedToTheAllowedOriginAlone(string origin, bool granted)
    {
        HttpRequestMessage request = new(HttpMethod.Options, $"/v1/channels/{_channel}/payments");
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", "POST");
        request.Headers.Add("Access-Control-Request-Headers", "content-type");
        using HttpResponseMessage answer = await _json.Http.SendAsync(request);
        Assert.Equal(granted, answer.Headers.TryGetValues("Access-Control-Allow-Origin", out IEnumerable<string>? allowed));
        if (granted) Assert.Equal([Shop], allowed!);
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Credentials"));
    }

    [Fact]
    public async Task AllowedOriginAndHost_CanPay_AndSoCanAProgram()
    {
        Assert.Equal("1", (string?)(await SendAsync(Payment(Shop)))["totalSent"]);
        Assert.Equal("2", (string?)(await SendAsync(Payment()))["totalSent"]);
        foreach (string host in (string[])["localhost", "node.example:80", "[::1]:9805", "NODE.EXAMPLE"])
        {
            HttpRequestMessage request = Payment(contentType: "application/json; charset=utf-8");
            request.Headers.Host = host;
            Assert.Equal(200, (int)(await SendAsync(request))["http"]!);
        }
    }

    [Fact]
    public async Task GrpcWeb_PaysFromTheAllowedOriginAlone()
    {
        Wire.PayRequest request = new() { Payment = new Wire.Payment { ChannelId = _channel, Amount = "3" } };
        foreach (GrpcWebMode mode in (GrpcWebMode[])[GrpcWebMode.GrpcWeb, GrpcWebMode.GrpcWebText])
        {
            RpcException refused = await Assert.ThrowsAsync<RpcException>(async () => await Client(mode, Evil).PayAsync(request));
            Assert.True(refused.StatusCode == StatusCode.PermissionDenied, refused.ToString());
            Assert.Equal("ORIGIN_NOT_ALLOWED", refused.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>()!.Reason);
        }

        Assert.Equal("0", (await _payer.ChannelAsync(_channel)).Sent);
        Assert.Equal("3", (await Client(GrpcWebMode.GrpcWeb, Shop).PayAsync(request)).TotalSent);
        Assert.Equal("6", (await Client(GrpcWebMode.GrpcWebText, Shop).PayAsync(request)).TotalSent);
        using var events = Client(GrpcWebMode.GrpcWeb, Shop).SubscribeEvents(new Wire.SubscribeEventsRequest { KeptOnly = true });
        Assert.True(await events.ResponseStream.MoveNext(TestChain.Limit));
        Assert.NotEmpty(events.ResponseStream.Current.Events);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PageOrProxy_IsNotLetIn_WhereNobodyIsAskedForAToken(bool isPage)
    {
        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => TestNode.StartAsync(_chain, options => options with
        {
            Applications = new ApplicationOptions
            {
                JsonListen = "127.0.0.1:0",
                JsonHosts = isPage ? [] : ["node.example"],
                CorsOrigins = isPage ? [Shop] : [],
            },
        }));

        Assert.Equal(isPage ? "--cors-origin" : "--json-host", refused.Field);
        Assert.Contains("add --access-token-required", refused.Message);
    }

    /// <summary>Why JSON has a port of its own: without TLS, HTTP/2 cannot be spoken beside HTTP/1.1.</summary>
    [Fact]
    public async Task JsonPort_SpeaksNoHttp2_AndTheGrpcPortNoHttp1()
    {
        using HttpClient http2 = new() { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        await Assert.ThrowsAsync<HttpRequestException>(() => http2.GetAsync(_payer.Host.JsonUrl + "/v1/info"));
        using HttpClient http1 = new();
        using HttpResponseMessage answer = await http1.GetAsync(_payer.Host.ApiUrl + "/v1/info");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    private Wire.NodeService.NodeServiceClient Client(GrpcWebMode mode, string origin)
    {
        GrpcWebHandler handler = new(mode, new TokenHandler(_token, new OriginHandler(origin)));
        return new Wire.NodeService.NodeServiceClient(GrpcChannel.ForAddress(
            _payer.Host.JsonUrl, new GrpcChannelOptions { HttpHandler = handler, HttpVersion = HttpVersion.Version11 }));
    }

    private sealed class OriginHandler(string origin) : DelegatingHandler(new HttpClientHandler())
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
        {
            request.Headers.Add("Origin", origin);
            return base.SendAsync(request, cancel);
        }
    }
}
