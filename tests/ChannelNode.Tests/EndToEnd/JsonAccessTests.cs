using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Web;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>The JSON port has the same guard as the API's: no way past the tokens leads over HTTP.</summary>
[Collection(ChainCollection.Name)]
public sealed class JsonAccessTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly HttpClient _http = new();
    private TestChain _chain = null!;
    private TestNode _node = null!;
    private string _admin = "";

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await TestNode.StartAsync(_chain, options => options with
        {
            AccessTokenRequired = true,
            Applications = options.Applications with { JsonListen = "127.0.0.1:0" },
        });
        _admin = (await File.ReadAllTextAsync(Path.Combine(_node.DataDirectory, "admin.token"))).Trim();
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private async Task<HttpStatusCode> AskAsync(HttpMethod method, string path, string? token)
    {
        using HttpRequestMessage request = new(method, _node.Host.JsonUrl + path);
        if (method == HttpMethod.Post) request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using HttpResponseMessage response = await _http.SendAsync(request);
        return response.StatusCode;
    }

    [Theory]
    [InlineData("GET", "/v1/info")]
    [InlineData("GET", "/v1/channels")]
    [InlineData("GET", "/v1/access-tokens")]
    [InlineData("GET", "/openapi/v1.json")]
    [InlineData("POST", "/v1/access-tokens")]
    [InlineData("POST", "/v1/channels")]
    [InlineData("POST", "/v1/policy")]
    public async Task CallWithoutAToken_IsRefused(string method, string path)
    {
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(new HttpMethod(method), path, null));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(new HttpMethod(method), path, "cn_1_nobodys"));
    }

    [Fact]
    public async Task TokenToRead_ReadsAndDoesNoMore()
    {
        using ApiCaller caller = new(_node.Host.ApiUrl);
        string reader = (await caller.CreateAccessTokenAsync(_admin, request => request.Scopes.Add(Wire.Scope.Read))).Secret;

        Assert.Equal(HttpStatusCode.OK, await AskAsync(HttpMethod.Get, "/v1/info", reader));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(HttpMethod.Get, "/v1/access-tokens", _admin));
        Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(HttpMethod.Get, "/v1/access-tokens", reader));
        Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(HttpMethod.Post, "/v1/channels", reader));
    }

    [Fact]
    public async Task GrpcWebWithoutAToken_IsRefused()
    {
        using GrpcChannel channel = GrpcChannel.ForAddress(
            _node.Host.JsonUrl, new GrpcChannelOptions { HttpHandler = new GrpcWebHandler(GrpcWebMode.GrpcWeb, new HttpClientHandler()), HttpVersion = HttpVersion.Version11 });
        Wire.NodeService.NodeServiceClient client = new(channel);

        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () => await client.GetInfoAsync(new Wire.GetInfoRequest()));
        Assert.Equal(StatusCode.Unauthenticated, refused.StatusCode);
        Assert.NotEmpty((await client.GetInfoAsync(new Wire.GetInfoRequest(), ApiCaller.Showing(_admin))).Signer);
    }
}
