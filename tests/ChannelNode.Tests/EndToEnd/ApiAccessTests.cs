using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1Alpha;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Who gets in at a door that asks for tokens, who does not, and by which ways it was tried.</summary>
[Collection(DoorsCollection.Name)]
public sealed class ApiAccessTests(AnvilFixture anvil) : IAsyncLifetime
{
    private static readonly UriCreationOptions AsItIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private TestChain _chain = null!;
    private TestNode _node = null!;
    private ApiCaller _caller = null!;
    private string _admin = "";

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await TestNode.StartAsync(_chain, options => options with { AccessTokenRequired = true });
        _caller = new ApiCaller(_node.Host.ApiUrl);
        _admin = (await File.ReadAllTextAsync(Path.Combine(_node.DataDirectory, "admin.token"))).Trim();
    }

    public async Task DisposeAsync()
    {
        _caller.Dispose();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private async Task<string> SecretAsync(Action<Wire.CreateAccessTokenRequest> fill) => (await _caller.CreateAccessTokenAsync(_admin, fill)).Secret;

    private Task<string> ReaderAsync() => SecretAsync(request => request.Scopes.Add(Wire.Scope.Read));

    [Fact]
    public async Task WrongTokens_AreRefusedByName()
    {
        string reader = await ReaderAsync();
        Assert.Equal("OK", await _caller.InfoAsync(ApiCaller.Showing(reader)));
        (string Refusal, Metadata Shown)[] wrong =
        [
            ("ACCESS_TOKEN_MISSING", []),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing("")),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing("cn_")),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing(reader[..^1])),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing(reader + "A")),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing("cn_1" + reader[4..])),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing(reader.ToUpperInvariant())),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing(reader, reader)),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing(reader, "cn_1_x")),
            ("ACCESS_TOKEN_INVALID", ApiCaller.Showing($"{reader}, Bearer {reader}")),
            ("ACCESS_TOKEN_INVALID", new Metadata { { "authorization", reader } }),
            ("ACCESS_TOKEN_INVALID", new Metadata { { "authorization", $"Basic {reader}" } }),
            ("ACCESS_TOKEN_MISSING", new Metadata { { "x-authorization", $"Bearer {reader}" } }),
            ("ACCESS_TOKEN_MISSING", new Metadata { { "authorization-bin", Encoding.UTF8.GetBytes($"Bearer {reader}") } }),
            ("ACCESS_TOKEN_MISSING", new Metadata { { "cookie", $"authorization=Bearer {reader}" } }),
        ];
        foreach ((string refusal, Metadata shown) in wrong) Assert.Equal(refusal, await _caller.InfoAsync(shown));
    }

    [Fact]
    public async Task TokenForAMethodOrAnAddress_IsGoodThereOnly()
    {
        string onlyInfo = await SecretAsync(request => request.Methods.Add("GetInfo"));
        string elsewhere = await SecretAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Read);
            request.FromIps.AddRange(["10.0.0.0/8", "::1"]);
        });
        string here = await SecretAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Read);
            request.FromIps.Add("127.0.0.0/8");
        });

        Assert.Equal("OK", await _caller.InfoAsync(ApiCaller.Showing(onlyInfo)));
        await Refusals.AssertRefusedAsync(
            async () => await _caller.Api.ListJobsAsync(new Wire.ListJobsRequest(), ApiCaller.Showing(onlyInfo)),
            StatusCode.PermissionDenied, "SCOPE_MISSING", "methods");
        Assert.Equal("ADDRESS_NOT_ALLOWED", await _caller.InfoAsync(ApiCaller.Showing(elsewhere)));
        Assert.Equal("OK", await _caller.InfoAsync(ApiCaller.Showing(here)));
    }

    [Fact]
    public async Task AuditLog_NamesTheTokenThatAskedForAChange()
    {
        Wire.CreateAccessTokenResponse made = await _caller.CreateAccessTokenAsync(_admin, request =>
        {
            request.Name = "compliance";
            request.Scopes.Add(Wire.Scope.Admin);
        });

        await _caller.Api.SetPeerTierAsync(
            new Wire.SetPeerTierRequest { Peer = "0x00000000000000000000000000000000000000aa", Tier = "verified" }, ApiCaller.Showing(made.Secret));

        using var call = _caller.Api.ReadPolicyAudit(new Wire.ReadPolicyAuditRequest(), ApiCaller.Showing(made.Secret));
        Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));
        Assert.Equal($"access token {made.AccessToken.Number} (compliance)", call.ResponseStream.Current.Entries.Single(entry => entry.Kind == Wire.PolicyAuditKind.TierChanged).Actor);
    }

    [Fact]
    public async Task TokenThatEnds_EndsTheStreamsThatAreOpenWithIt()
    {
        Wire.CreateAccessTokenResponse revoked = await _caller.CreateAccessTokenAsync(_admin, request =>
        {
            request.Scopes.AddRange([Wire.Scope.Read, Wire.Scope.Pay]);
            request.Uncapped = true;
        });
        string expiring = await SecretAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Read);
            request.ValidSeconds = 2;
        });
        using var events = _caller.Api.SubscribeEvents(new Wire.SubscribeEventsRequest(), ApiCaller.Showing(revoked.Secret));
        using var payments = await StreamAsync(revoked.Secret);
        using var received = _caller.Api.SubscribePayments(new Wire.SubscribePaymentsRequest(), ApiCaller.Showing(expiring));
        Task<bool>[] open =
        [
            events.ResponseStream.MoveNext(TestChain.Limit), payments.ResponseStream.MoveNext(TestChain.Limit),
            received.ResponseStream.MoveNext(TestChain.Limit),
        ];

        await _caller.Api.RevokeAccessTokenAsync(new Wire.RevokeAccessTokenRequest { Number = revoked.AccessToken.Number }, ApiCaller.Showing(_admin));

        await Refusals.AssertRefusedAsync(() => open[0], StatusCode.Unauthenticated, "ACCESS_TOKEN_REVOKED");
        await Refusals.AssertRefusedAsync(() => open[1], StatusCode.Unauthenticated, "ACCESS_TOKEN_REVOKED");
        await Refusals.AssertRefusedAsync(() => open[2], StatusCode.Unauthenticated, "ACCESS_TOKEN_EXPIRED");
        Assert.Equal("ACCESS_TOKEN_REVOKED", await _caller.InfoAsync(ApiCaller.Showing(revoked.Secret)));
        Assert.Equal("ACCESS_TOKEN_EXPIRED", await _caller.InfoAsync(ApiCaller.Showing(expiring)));
    }

    /// <summary>A stream that was let in: it has answered.</summary>
    private async Task<AsyncDuplexStreamingCall<Wire.StreamPaymentsRequest, Wire.StreamPaymentsResponse>> StreamAsync(string secret)
    {
        var call = _caller.Api.StreamPayments(ApiCaller.Showing(secret));
        await call.RequestStream.WriteAsync(
            new Wire.StreamPaymentsRequest { Payments = { new Wire.Payment { ChannelId = "0x", Amount = "1" } } });
        Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));
        return call;
    }

    [Fact]
    public async Task OtherWaysIn_AreGuardedToo()
    {
        string pay = await SecretAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Pay);
            request.Uncapped = true;
        });

        // Health tells whether it serves, and that alone.
        HealthCheckResponse health = await new Health.HealthClient(_caller.Channel).CheckAsync(new HealthCheckRequest());
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
        await Refusals.AssertRefusedAsync(
            async () => await new Health.HealthClient(_caller.Channel).CheckAsync(new HealthCheckRequest(), ApiCaller.Showing("cn_1_x")),
            StatusCode.Unauthenticated, "ACCESS_TOKEN_INVALID");

        Assert.Equal("ACCESS_TOKEN_MISSING", await ReflectAsync([]));
        Assert.Equal("SCOPE_MISSING", await ReflectAsync(ApiCaller.Showing(pay)));
        Assert.Equal("OK", await ReflectAsync(ApiCaller.Showing(await ReaderAsync())));

        using HttpClient http = new(new SocketsHttpHandler());
        string[] paths =
        [
            "/", "/channelnode.v1.NodeService/GetInfo", "/channelnode.v1.nodeservice/getinfo", "/CHANNELNODE.V1.NODESERVICE/GETINFO",
            "//channelnode.v1.NodeService/GetInfo", "/channelnode.v1.NodeService/GetInfo/", "/channelnode.v1.NodeService//GetInfo",
            "/channelnode.v1.NodeService/./GetInfo", "/x/../channelnode.v1.NodeService/GetInfo", "/channelnode.v1.NodeService/GetInfo?a=b",
            "/channelnode.v1.NodeService%2FGetInfo", "/channelnode.v1.NodeService/%47etInfo", "/grpc.health.v1.Health/../channelnode.v1.NodeService/GetInfo",
        ];
        string[] types = ["application/grpc", "application/grpc-web", "application/grpc-web-text", "application/grpc+proto", "application/json"];
        foreach (string path in paths)
            foreach (string type in types)
                foreach (HttpMethod method in (HttpMethod[])[HttpMethod.Post, HttpMethod.Get])
                    Assert.True(await IsKeptOutAsync(http, method, new Uri(_node.Host.ApiUrl + path, AsItIs), type), $"{method} {path} as {type}");
        using HttpRequestMessage old = new(HttpMethod.Get, _node.Host.ApiUrl)
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        Assert.Equal(HttpStatusCode.BadRequest, (await http.SendAsync(old)).StatusCode);
    }

    /// <summary>Told 401, or by gRPC that a token is missing; never anything of the node.</summary>
    private static async Task<bool> IsKeptOutAsync(HttpClient http, HttpMethod method, Uri path, string type)
    {
        using HttpRequestMessage request = new(method, path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = method == HttpMethod.Post ? new ByteArrayContent(new byte[5]) : null,
        };
        if (request.Content is { } content) content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        using HttpResponseMessage response = await http.SendAsync(request);
        byte[] body = await response.Content.ReadAsByteArrayAsync();
        if (response.StatusCode != HttpStatusCode.OK)
            return (int)response.StatusCode is 401 or 405 or 415 && !Encoding.UTF8.GetString(body).Contains("31337");
        string status = response.Headers.TryGetValues("grpc-status", out var early) ? early.First()
            : response.TrailingHeaders.TryGetValues("grpc-status", out var late) ? late.First()
            : "none";
        return status == "16" && body.Length == 0;
    }

    private async Task<string> ReflectAsync(Metadata shown)
    {
        using var call = new ServerReflection.ServerReflectionClient(_caller.Channel).ServerReflectionInfo(shown);
        // It may be refused before anything was said: why is what is heard.
        await call.RequestStream.SayAsync(new ServerReflectionRequest { ListServices = "" });
        try
        {
            await call.ResponseStream.MoveNext(TestChain.Limit);
            return "OK";
        }
        catch (RpcException error)
        {
            return Refusals.NameOf(error);
        }
    }

    [Fact]
    public async Task CallsBeyondATokensLimits_AreRefusedByName_AndCostNobodyElse()
    {
        string narrow = await SecretAsync(request =>
        {
            request.Scopes.AddRange([Wire.Scope.Read, Wire.Scope.Pay]);
            request.Uncapped = true;
            request.StreamsMax = 2;
            request.RequestsPerSecondMax = 5; // Few: also a machine that has other things to do asks as often.
        });
        using var first = await StreamAsync(narrow);
        using var second = await StreamAsync(narrow);
        Task<bool> open = second.ResponseStream.MoveNext(TestChain.Limit);
        Assert.Equal("TOO_MANY_STREAMS", await _caller.InfoAsync(ApiCaller.Showing(narrow)));
        first.Dispose();
        List<string> answers = [];
        for (int tries = 0; tries < 1_000 && !answers.Contains("RATE_LIMITED"); tries++) answers.Add(await _caller.InfoAsync(ApiCaller.Showing(narrow)));

        Assert.Contains("RATE_LIMITED", answers);
        Assert.Empty(answers.Except(["OK", "TOO_MANY_STREAMS", "RATE_LIMITED"]));
        Assert.Equal("OK", await _caller.InfoAsync(ApiCaller.Showing(await ReaderAsync())));
        Assert.False(open.IsCompleted);
    }

    public static TheoryData<string, Action<Wire.CreateAccessTokenRequest>> BadOrders => new()
    {
        { "name", request => request.Name = "" },
        { "name", request => request.Name = new string('x', 65) },
        { "scopes", request => request.Scopes.Clear() },
        { "scopes", request => request.Scopes.Add((Wire.Scope)9) },
        { "methods", request => request.Methods.Add("Getinfo") },
        { "methods", request => request.Methods.Add("Pay") },
        { "from_ips", request => request.FromIps.Add("10.0.0.0/33") },
        { "from_ips", request => request.FromIps.Add("example.org") },
        { "caps", request => request.Caps.Add(new Wire.SpendingCap { PerDay = "1" }) },
        { "uncapped", request => request.Scopes.Add(Wire.Scope.Pay) },
        { "caps", request => Pays(request, new Wire.SpendingCap()) },
        { "caps", request => Pays(request, new Wire.SpendingCap { PerDay = "1" }, new Wire.SpendingCap { Total = "1" }) },
        { "caps.per_day", request => Pays(request, new Wire.SpendingCap { PerDay = "0" }) },
        { "caps.total", request => Pays(request, new Wire.SpendingCap { Total = "-1" }) },
        { "caps.token", request => Pays(request, new Wire.SpendingCap { Token = "ether", Total = "1" }) },
        { "caps", request => Pays(request, new Wire.SpendingCap { PerDay = "1" }).Scopes.Add(Wire.Scope.Admin) },
        { "uncapped", request => Pays(request, new Wire.SpendingCap { PerDay = "1" }).Uncapped = true },
        { "caps", request => Pays(request, new Wire.SpendingCap { DepositPerDay = "1" }) },
        { "caps", request => Funds(request, new Wire.SpendingCap { PerDay = "1" }) },
        { "caps", request => Funds(request, new Wire.SpendingCap { DepositTotal = "1" }).Scopes.Add(Wire.Scope.Admin) },
        { "uncapped", request => Funds(request, new Wire.SpendingCap { DepositTotal = "1" }).Scopes.Add(Wire.Scope.Pay) },
        { "channels_per_day_max", request => request.ChannelsPerDayMax = 1 },
        { "valid_seconds", request => request.ValidSeconds = ulong.MaxValue },
    };

    private static Wire.CreateAccessTokenRequest Pays(Wire.CreateAccessTokenRequest request, params Wire.SpendingCap[] caps)
    {
        request.Scopes.Add(Wire.Scope.Pay);
        request.Caps.AddRange(caps);
        return request;
    }

    private static Wire.CreateAccessTokenRequest Funds(Wire.CreateAccessTokenRequest request, Wire.SpendingCap cap)
    {
        request.Scopes.Add(Wire.Scope.Channels);
        request.Caps.Add(cap);
        return request;
    }

    [Fact]
    public async Task TokenThatMakesNoSense_IsNotMade()
    {
        foreach (object[] row in BadOrders)
        {
            Wire.CreateAccessTokenRequest? asked = null;
            Task<Wire.CreateAccessTokenResponse> making = _caller.CreateAccessTokenAsync(_admin, request =>
            {
                request.Scopes.Add(Wire.Scope.Read);
                ((Action<Wire.CreateAccessTokenRequest>)row[1])(asked = request);
            });
            RpcException? error = await Record.ExceptionAsync(() => making) as RpcException;
            Assert.True(error is not null, $"made: {asked}");
            Assert.Equal(((string)row[0], StatusCode.InvalidArgument), (Refusals.FieldOf(error), error.StatusCode));
        }

        Assert.Single((await _caller.Api.ListAccessTokensAsync(new Wire.ListAccessTokensRequest { All = true }, ApiCaller.Showing(_admin))).AccessTokens);
    }
}
