using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using ChannelNode.Tests.Cli;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A token's limits are changed while programs use it: by gRPC, JSON and the command line, against a real node.</summary>
[Collection(DoorsCollection.Name)]
public sealed class AccessTokenUpdateTests(AnvilFixture anvil) : IAsyncLifetime
{
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
        _admin = _node.ShowAdminToken();
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private async Task<string> CreateAsync(Action<Wire.CreateAccessTokenRequest> fill)
    {
        Wire.CreateAccessTokenRequest request = new() { Name = "shop" };
        fill(request);
        return (await _node.Api.CreateAccessTokenAsync(request)).Secret;
    }

    private async Task<Wire.AccessToken> UpdateAsync(Wire.UpdateAccessTokenRequest request) => (await _node.Api.UpdateAccessTokenAsync(request)).AccessToken;

    [Fact]
    public async Task OpenStreamOfPayments_GoesOnUnderTheNewCaps()
    {
        await using TestNode bob = await TestNode.StartAsync(_chain);
        string id = await _node.OpenAsync(bob, "1000");
        string secret = await CreateAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Pay);
            request.Caps.Add(new Wire.SpendingCap { PerDay = "10" });
        });
        using ApiCaller caller = new(_node.Host.ApiUrl, secret);
        using var stream = caller.Api.StreamPayments(cancellationToken: TestChain.Limit);
        async Task<Wire.PaymentResult> PayAsync(string amount)
        {
            await stream.RequestStream.WriteAsync(new Wire.StreamPaymentsRequest { Payments = { new Wire.Payment { ChannelId = id, Amount = amount } } });
            Assert.True(await stream.ResponseStream.MoveNext(TestChain.Limit));
            return stream.ResponseStream.Current.Results.Single();
        }

        Assert.Equal("5", (await PayAsync("5")).TotalSent);
        await UpdateAsync(new Wire.UpdateAccessTokenRequest { Number = 2, Caps = { new Wire.SpendingCapChange { PerDay = "6" } } });
        Wire.PaymentResult refused = await PayAsync("2");
        Assert.Equal(("per_day", "7", "6"), (refused.CapExceeded.Field, refused.CapExceeded.Value, refused.CapExceeded.Limit));
        await UpdateAsync(new Wire.UpdateAccessTokenRequest { Number = 2, Caps = { new Wire.SpendingCapChange { PerDay = "none", Total = "8" } } });
        Assert.Equal("8", (await PayAsync("3")).TotalSent);
        Assert.Equal("total", (await PayAsync("1")).CapExceeded.Field);
        Wire.AccessToken token = await UpdateAsync(
            new Wire.UpdateAccessTokenRequest { Number = 2, Uncapped = true, Caps = { new Wire.SpendingCapChange { Total = "none" } } });
        Assert.Equal("208", (await PayAsync("200")).TotalSent);
        Assert.Empty(token.Caps);
        Assert.Equal("8", token.Spent.Single().TotalSpent);
    }

    [Fact]
    public async Task RatesAndSizes_HoldForATokenThatIsInUse()
    {
        string secret = await CreateAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Read);
            request.StreamsMax = 1;
        });
        using ApiCaller caller = new(_node.Host.ApiUrl, secret);
        using var open = caller.Api.SubscribeEvents(new Wire.SubscribeEventsRequest(), cancellationToken: TestChain.Limit);
        await open.ResponseHeadersAsync;

        Assert.Equal("TOO_MANY_STREAMS", await caller.InfoAsync([]));
        await UpdateAsync(new Wire.UpdateAccessTokenRequest { Number = 2, StreamsMax = 2, MessageBytesMax = 1_024 });
        Assert.Equal("OK", await caller.InfoAsync([]));
        Wire.GetChannelRequest large = new() { ChannelId = new string('x', 2_000) };
        RpcException tooLarge = await Assert.ThrowsAsync<RpcException>(async () => await caller.Api.GetChannelAsync(large));
        Refusals.AssertIs(tooLarge, StatusCode.ResourceExhausted, "TOO_MANY_BYTES", "message");
        await UpdateAsync(new Wire.UpdateAccessTokenRequest { Number = 2, StreamsMax = 1 });
        Assert.Equal("TOO_MANY_STREAMS", await caller.InfoAsync([]));
        await UpdateAsync(new Wire.UpdateAccessTokenRequest { Number = 2, StreamsMax = 0 });
        Assert.Equal("OK", await caller.InfoAsync([]));
    }

    [Fact]
    public async Task TokenOfSomeMethods_CannotChangeItself_ThoughItMayOthers()
    {
        string updater = await CreateAsync(request => request.Methods.Add("UpdateAccessToken"));
        await CreateAsync(request => request.Scopes.Add(Wire.Scope.Read));
        Wire.UpdateAccessTokenRequest own = new() { Number = 2, ValidSeconds = 0 }, other = new() { Number = 3, StreamsMax = 5 };
        using ApiCaller caller = new(_node.Host.ApiUrl, updater);

        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () => await caller.Api.UpdateAccessTokenAsync(own));
        Refusals.AssertIs(refused, StatusCode.PermissionDenied, "SCOPE_MISSING", "methods");
        Assert.Equal(5u, (await caller.Api.UpdateAccessTokenAsync(other)).AccessToken.StreamsMax);
        Assert.Equal(6u, (await UpdateAsync(new Wire.UpdateAccessTokenRequest { Number = 1, StreamsMax = 6 })).StreamsMax);
    }

    public static TheoryData<string, Action<Wire.UpdateAccessTokenRequest>> BadChanges => new()
    {
        { "number", _ => { } },
        { "number", request => request.Uncapped = true },
        { "valid_seconds", request => request.ValidSeconds = ulong.MaxValue },
        { "message_bytes_max", request => request.MessageBytesMax = 1_023 },
        { "channels_per_day_max", request => request.ChannelsPerDayMax = 1 },
        { "uncapped", request => request.Caps.Add(new Wire.SpendingCapChange { PerDay = "none" }) },
        { "uncapped", request => Change(request, new Wire.SpendingCapChange { PerDay = "7" }).Uncapped = true },
        { "caps", request => Change(request, new Wire.SpendingCapChange { PerDay = "7" }, new Wire.SpendingCapChange { Total = "7" }) },
        { "caps", request => Change(request, new Wire.SpendingCapChange { DepositTotal = "7" }) },
        { "caps", request => Change(request, new Wire.SpendingCapChange { Token = "0x00000000000000000000000000000000000000aa", Total = "none" }) },
        { "caps.total", request => Change(request, new Wire.SpendingCapChange { Total = "0" }) },
        { "caps.total", request => Change(request, new Wire.SpendingCapChange { Total = "None" }) },
        { "any_channel", request => AnyAnd(request, OneId) },
        { "channel_ids", request => request.ChannelIds.Add("0x12") },
        { "channel_ids", request => request.ChannelIds.AddRange(Enumerable.Repeat(OneId, 65)) },
        { "caps.token", request => Change(request, new Wire.SpendingCapChange { Token = "ether", Total = "1" }) },
    };

    private static string OneId => "0x" + new string('1', 64);

    private static void AnyAnd(Wire.UpdateAccessTokenRequest request, string channel)
    {
        request.AnyChannel = true;
        request.ChannelIds.Add(channel);
    }

    private static Wire.UpdateAccessTokenRequest Change(Wire.UpdateAccessTokenRequest request, params Wire.SpendingCapChange[] caps)
    {
        request.Caps.AddRange(caps);
        return request;
    }

    [Fact]
    public async Task ChangeThatMakesNoSense_ChangesNothing()
    {
        string secret = await CreateAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Pay);
            request.Caps.Add(new Wire.SpendingCap { PerDay = "10" });
        });
        using ApiCaller caller = new(_node.Host.ApiUrl, secret);
        Wire.AccessToken before = (await caller.Api.GetAccessTokenAsync(new Wire.GetAccessTokenRequest())).AccessToken;
        foreach (object[] row in BadChanges)
        {
            Wire.UpdateAccessTokenRequest request = new() { Number = 2 };
            ((Action<Wire.UpdateAccessTokenRequest>)row[1])(request);
            RpcException? error = await Record.ExceptionAsync(() => UpdateAsync(request)) as RpcException;
            Assert.True(error is not null, $"changed: {request}");
            Assert.Equal(((string)row[0], StatusCode.InvalidArgument), (Refusals.FieldOf(error), error.StatusCode));
        }

        Assert.Equal(before, (await caller.Api.GetAccessTokenAsync(new Wire.GetAccessTokenRequest())).AccessToken);
        RpcException denied = await Assert.ThrowsAsync<RpcException>(
            async () => await caller.Api.UpdateAccessTokenAsync(new Wire.UpdateAccessTokenRequest { Number = 2, StreamsMax = 9 }));
        Refusals.AssertIs(denied, StatusCode.PermissionDenied, "SCOPE_MISSING", "scopes");
    }

    [Fact]
    public async Task PatchOverHttp_ChangesWhatItNames()
    {
        await CreateAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Read);
            (request.StreamsMax, request.RequestsPerSecondMax, request.ValidSeconds) = (4, 50, 3_600);
        });
        using JsonCaller json = new(_node.Host.JsonUrl);
        json.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _admin);
        async Task<JsonNode> PatchAsync(ulong number, string body) =>
            await JsonCaller.ReadAsync(await json.Http.PatchAsync($"/v1/access-tokens/{number}", JsonCaller.Json(body), TestChain.Limit));

        JsonNode done = await PatchAsync(2, "{\"streamsMax\":0,\"validSeconds\":\"0\"}");

        JsonNode token = done["accessToken"]!;
        Assert.Equal((200, 0u, 50u, "0"), (
            (int)done["http"]!, (uint)token["streamsMax"]!, (uint)token["requestsPerSecondMax"]!, (string)token["expiresAtSeconds"]!));
        Assert.Equal(400, (int)(await PatchAsync(2, "{}"))["http"]!);
        Assert.Equal(400, (int)(await PatchAsync(2, "{\"scopes\":[\"SCOPE_ADMIN\"]}"))["http"]!);
        Assert.Equal(404, (int)(await PatchAsync(7, "{\"streamsMax\":1}"))["http"]!);
    }

    [Fact]
    public async Task CommandLine_ChangesWhatItNames_AndTheAuditLogSaysWhoAndWhat()
    {
        await CreateAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Pay);
            request.Caps.Add(new Wire.SpendingCap { PerDay = "1000000000000000000", Total = "5" });
            (request.StreamsMax, request.ValidSeconds) = (4, 3_600);
        });
        string[] at = ["--node", _node.Host.ApiUrl, "--access-token-file", Path.Combine(_node.DataDirectory, "admin.token")];

        CliRun run = await CliRun.AsyncOf(
            ["token", "update", "2", "--cap", "ether:per-day=2 ETH,total=none", "--valid-hours", "none", "--message-bytes-max", "64KiB", .. at]);
        CliRun audit = await CliRun.AsyncOf(["policy", "audit", "export", .. at]);

        Assert.Equal(("", 0), (run.Error, run.ExitCode));
        Assert.Contains("ether:per-day=2 ETH; 4 calls at a time; messages of 64 KiB", run.Output);
        Assert.Contains(" for ever ", run.Output);
        Assert.Contains("per_day of ether 1 ETH -> 2 ETH; total of ether 5 wei -> none", audit.Output);
        Assert.Contains("access token 1 (admin)", audit.Output);
        Assert.Contains(
            "number: say what changes of it; for example --cap 'ether:per-day=2 ETH'", (await CliRun.AsyncOf(["token", "update", "2", .. at])).Error);
        Assert.Contains("'ether:per-day=never' has per-day, and 'never' is not an amount", (await CliRun.AsyncOf(
            ["token", "update", "2", "--cap", "ether:per-day=never", .. at])).Error);
        Assert.Contains("has per-day, and 'none' is not an amount", (await CliRun.AsyncOf(
            ["token", "create", "--name", "x", "--scope", "pay", "--cap", "ether:per-day=none", .. at])).Error);
    }
}
