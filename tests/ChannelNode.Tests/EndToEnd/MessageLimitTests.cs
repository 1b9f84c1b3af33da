using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Web;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>An access token's largest message, in every form in which the API is called.</summary>
[Collection(DoorsCollection.Name)]
public sealed class MessageLimitTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const int Limit = 2_048;

    private TestChain _chain = null!;
    private TestNode _node = null!;
    private string _admin = "";
    private string _limited = "";

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await TestNode.StartAsync(_chain, options => options with
        {
            AccessTokenRequired = true,
            Applications = options.Applications with { JsonListen = "127.0.0.1:0" },
        });
        _admin = _node.ShowAdminToken();
        _limited = (await CreateAsync(Limit)).Secret;
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private async Task<Wire.CreateAccessTokenResponse> CreateAsync(uint bytes)
    {
        using ApiCaller caller = new(_node.Host.ApiUrl);
        return await caller.CreateAccessTokenAsync(_admin, request =>
        {
            request.Scopes.AddRange([Wire.Scope.Read, Wire.Scope.Pay]);
            request.Uncapped = true;
            request.MessageBytesMax = bytes;
        });
    }

    /// <summary>A request of exactly so many bytes, whose channel is none.</summary>
    private static Wire.GetChannelRequest OfBytes(int bytes)
    {
        Wire.GetChannelRequest request = new() { ChannelId = new string('x', bytes) };
        request.ChannelId = request.ChannelId[(request.CalculateSize() - bytes)..];
        Assert.Equal(bytes, request.CalculateSize());
        return request;
    }

    private static async Task<RpcException> AskAsync(Wire.NodeService.NodeServiceClient api, int bytes, string token) =>
        await Assert.ThrowsAsync<RpcException>(async () => await api.GetChannelAsync(OfBytes(bytes), ApiCaller.Showing(token)));

    private static void AssertTooLarge(RpcException error, int bytes)
    {
        Refusals.AssertIs(error, StatusCode.ResourceExhausted, "TOO_MANY_BYTES", "message");
        Assert.Equal(($"{bytes}", $"{Limit}"), (Refusals.MetadataOf(error)["value"], Refusals.MetadataOf(error)["limit"]));
        Assert.Equal($"a message has {bytes} bytes, expected at most {Limit}, the limit of token 2", error.Status.Detail);
    }

    [Fact]
    public async Task LargestMessage_IsTheTokensOwn_ToTheByte()
    {
        using ApiCaller caller = new(_node.Host.ApiUrl);

        Assert.Equal("INVALID_ARGUMENT", Refusals.NameOf(await AskAsync(caller.Api, Limit, _limited)));
        AssertTooLarge(await AskAsync(caller.Api, Limit + 1, _limited), Limit + 1);
        AssertTooLarge(await AskAsync(caller.Api, 1 << 20, _limited), 1 << 20);
        Assert.Equal("INVALID_ARGUMENT", Refusals.NameOf(await AskAsync(caller.Api, 1 << 20, _admin)));
        Assert.Equal("ACCESS_TOKEN_INVALID", Refusals.NameOf(await AskAsync(caller.Api, Limit + 1, _limited + "x")));

        Wire.GetAccessTokenResponse own = await caller.Api.GetAccessTokenAsync(new Wire.GetAccessTokenRequest(), ApiCaller.Showing(_limited));
        Assert.Equal((uint)Limit, own.AccessToken.MessageBytesMax);
    }

    [Theory]
    [InlineData(GrpcWebMode.GrpcWeb)]
    [InlineData(GrpcWebMode.GrpcWebText)]
    public async Task LargestMessage_IsTheTokensOwn_AlsoOfABrowser(GrpcWebMode mode)
    {
        using GrpcChannel channel = GrpcChannel.ForAddress(
            _node.Host.JsonUrl,
            new GrpcChannelOptions { HttpHandler = new GrpcWebHandler(mode, new HttpClientHandler()), HttpVersion = HttpVersion.Version11 });
        Wire.NodeService.NodeServiceClient api = new(channel);

        Assert.Equal("INVALID_ARGUMENT", Refusals.NameOf(await AskAsync(api, Limit, _limited)));
        AssertTooLarge(await AskAsync(api, Limit + 1, _limited), Limit + 1);
    }

    /// <summary>Each of its messages counts for itself.</summary>
    [Fact]
    public async Task MessageOfAStream_IsRefusedByItsHead_AndThoseBeforeItAreAnswered()
    {
        using TappedRequest tap = new();
        using GrpcChannel channel = GrpcChannel.ForAddress(_node.Host.ApiUrl, new GrpcChannelOptions { HttpHandler = tap });
        using var stream = new Wire.NodeService.NodeServiceClient(channel).StreamPayments(ApiCaller.Showing(_limited), cancellationToken: TestChain.Limit);
        Wire.StreamPaymentsRequest small = new() { Payments = { new Wire.Payment { Amount = "1", ItemId = ByteString.CopyFrom(new byte[1_500]) } } };
        for (int message = 0; message < 3; message++)
        {
            await stream.RequestStream.WriteAsync(small);
            Assert.True(await stream.ResponseStream.MoveNext(TestChain.Limit));
            Assert.Equal((ulong)message, stream.ResponseStream.Current.Results.Single().Index);
        }

        try
        {
            await tap.BeginMessageAsync(Limit + 1, bytes: 1);
        }
        catch (Exception ended) when (CallWriting.IsOfEndedCall(ended))
        {
            // Its head was enough.
        }

        AssertTooLarge(await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(TestChain.Limit)), Limit + 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task BodyOfJson_IsOneMessage_WithItsLengthOrWithout(bool chunked)
    {
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(Limit, _limited, chunked)).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(1 << 20, _admin, chunked)).Status);

        (HttpStatusCode status, JsonNode error) = await PostAsync(Limit + 1, _limited, chunked);

        Assert.Equal((HttpStatusCode.TooManyRequests, 8), (status, (int)error["code"]!));
        JsonNode info = error["details"]![0]!;
        Assert.Equal(
            ("TOO_MANY_BYTES", "message", $"{Limit + 1}", $"{Limit}"),
            ((string)info["reason"]!, (string)info["metadata"]!["field"]!, (string)info["metadata"]!["value"]!, (string)info["metadata"]!["limit"]!));
        Assert.EndsWith($"expected at most {Limit}, the limit of token 2", (string)error["message"]!);
    }

    /// <summary>A body of exactly so many bytes, whose peer is none.</summary>
    private async Task<(HttpStatusCode Status, JsonNode Answer)> PostAsync(int bytes, string token, bool chunked)
    {
        const string frame = "{\"peer\":\"\"}";
        using HttpClient http = new();
        using HttpRequestMessage request = new(HttpMethod.Post, _node.Host.JsonUrl + "/v1/policy:explain")
        {
            Content = JsonCaller.Json(frame.Insert(frame.Length - 2, new string('x', bytes - frame.Length))),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.TransferEncodingChunked = chunked;
        using HttpResponseMessage response = await http.SendAsync(request, TestChain.Limit);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!);
    }

    [Theory]
    [InlineData(1_023u)]
    [InlineData(4u * 1_024 * 1_024 + 1)]
    public async Task LimitThatIsTooSmall_OrAboveTheNodesOwn_IsRefusedWithTheRange(uint bytes)
    {
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => CreateAsync(bytes));

        Refusals.AssertIs(refused, StatusCode.InvalidArgument, "INVALID_ARGUMENT", "message_bytes_max");
        Assert.Equal(
            $"message_bytes_max is \"{bytes}\", expected 0, or 1024 to 4194304, the node's own largest (--message-bytes-max)", refused.Status.Detail);
    }

    [Fact]
    public async Task LimitAtTheEdgesOfItsRange_IsTaken()
    {
        Assert.Equal(1_024u, (await CreateAsync(1_024)).AccessToken.MessageBytesMax);
        Assert.Equal(4u << 20, (await CreateAsync(4 << 20)).AccessToken.MessageBytesMax);
    }
}
