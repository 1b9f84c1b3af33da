using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using ChannelNode.Tests.Cli;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A bearer who narrows his own token: what he may ask for, and what the narrowed one shares with his own.</summary>
[Collection(DoorsCollection.Name)]
public sealed class NarrowedTokenTests(AnvilFixture anvil) : IAsyncLifetime
{
    private static readonly string Largest = ((UInt128.One << 112) - 1).ToString();

    private TestChain _chain = null!;
    private TestNode _node = null!;
    private ApiCaller _caller = null!;
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
        _caller = new ApiCaller(_node.Host.ApiUrl);
    }

    public async Task DisposeAsync()
    {
        _caller.Dispose();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private async Task<string> MakeAsync(Action<Wire.CreateAccessTokenRequest> fill) => (await _caller.CreateAccessTokenAsync(_admin, fill)).Secret;

    private async Task<Wire.NarrowAccessTokenResponse> NarrowAsync(string from, Action<Wire.CreateAccessTokenRequest>? fill = null)
    {
        Wire.CreateAccessTokenRequest narrowed = new() { Name = "kiosk" };
        fill?.Invoke(narrowed);
        return await _caller.Api.NarrowAccessTokenAsync(new Wire.NarrowAccessTokenRequest { Narrowed = narrowed }, ApiCaller.Showing(from));
    }

    private async Task<string> RefusedAsync(string from, string field, Action<Wire.CreateAccessTokenRequest> fill, string reason = "INVALID_ARGUMENT")
    {
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => NarrowAsync(from, fill));
        Refusals.AssertIs(error, reason == "CHANNEL_NOT_ALLOWED" ? StatusCode.PermissionDenied : StatusCode.InvalidArgument, reason, field);
        return error.Status.Detail;
    }

    private Task<string> InfoAsync(string secret) => _caller.InfoAsync(ApiCaller.Showing(secret));

    private static IEnumerable<Wire.SpendingCap> Caps(int count) => Enumerable.Range(1, count).Select(number => new Wire.SpendingCap
    {
        Token = "0x" + number.ToString("d40"),
        PerPayment = Largest,
        PerDay = Largest,
        PerPeerPerDay = Largest,
        Total = Largest,
    });

    private static Wire.SpendingCap PerDay(string amount) => new() { PerDay = amount };

    [Fact]
    public async Task WhatIsNotNamed_IsAsInTheBearersOwn_AndMoreThanThatIsRefusedByName()
    {
        string shop = await MakeAsync(request =>
        {
            request.Scopes.AddRange([Wire.Scope.Read, Wire.Scope.Pay]);
            request.Methods.AddRange(["GetInfo", "GetChannel", "Pay"]);
            request.FromIps.AddRange(["127.0.0.0/8", "10.0.0.0/8"]);
            request.Uncapped = true;
        });

        Wire.AccessToken plain = (await NarrowAsync(shop)).AccessToken;
        Assert.Equal((2UL, "kiosk", 0UL), (plain.Parent, plain.Name, plain.ExpiresAtSeconds));
        Assert.Equal([Wire.Scope.Read, Wire.Scope.Pay], plain.Scopes);
        Assert.Equal(["GetInfo", "GetChannel", "Pay"], plain.Methods);
        Assert.Equal(["127.0.0.0/8", "10.0.0.0/8"], plain.FromIps);
        Wire.AccessToken reader = (await NarrowAsync(shop, request => request.Scopes.Add(Wire.Scope.Read))).AccessToken;
        Assert.Equal(["GetInfo", "GetChannel"], reader.Methods);
        Wire.NarrowAccessTokenResponse one = await NarrowAsync(shop, request =>
        {
            request.Methods.Add("GetInfo");
            request.FromIps.Add("127.0.0.1");
        });
        Assert.Equal([Wire.Scope.Read], one.AccessToken.Scopes);
        Assert.Equal("OK", await InfoAsync(one.Secret));

        Assert.Equal("methods is \"ListChannels\", expected methods that token 2 may call: GetInfo, GetChannel, Pay", await RefusedAsync(shop, "methods", request => request.Methods.Add("ListChannels")));
        await RefusedAsync(shop, "methods", request => request.Methods.Add("OpenChannel"));
        Assert.Equal("scopes is \"channels\", expected some of read, pay, of token 2", await RefusedAsync(shop, "scopes", request => request.Scopes.Add(Wire.Scope.Channels)));
        await RefusedAsync(shop, "scopes", request => request.Scopes.Add(Wire.Scope.Admin));
        Assert.Equal(
            "from_ips is \"0.0.0.0/0\", expected some within 127.0.0.0/8, 10.0.0.0/8, of token 2", await RefusedAsync(shop, "from_ips", request => request.FromIps.Add("0.0.0.0/0")));
        await RefusedAsync(shop, "from_ips", request => request.FromIps.Add("10.0.0.0/7"));
        await RefusedAsync(shop, "from_ips", request => request.FromIps.Add("192.0.2.1"));
        foreach (string name in (string[])["", "a\nb", "kiosk\u202enimda", new string('x', 65)]) await RefusedAsync(shop, "name", request => request.Name = name);
        await RefusedAsync(shop, "caps", request => request.Caps.Add(Caps(5)));
        await RefusedAsync(shop, "channel_ids", request => request.ChannelIds.Add(Enumerable.Repeat("0x" + new string('7', 64), 65)));
        Assert.Equal("caps is \"caps of a token for read, pay\", expected the scope channels, whose deposits they limit", await RefusedAsync(
            shop, "caps", request => request.Caps.Add(new Wire.SpendingCap { DepositPerDay = "1" })));
        Assert.Equal("methods is \"NarrowAccessToken\", expected others too, or scopes: these are for every token", await RefusedAsync(
            shop, "methods", request => request.Methods.Add("NarrowAccessToken")));
        await RefusedAsync(shop, "uncapped", request =>
        {
            request.Caps.Add(PerDay("1"));
            request.Uncapped = true;
        });
        await RefusedAsync(one.Secret, "scopes", request => request.Scopes.Add(Wire.Scope.Pay));
        await RefusedAsync(one.Secret, "from_ips", request => request.FromIps.Add("127.0.0.2"));
    }

    /// <summary>He could make tokens that are not narrowed.</summary>
    [Fact]
    public async Task AdminsToken_IsNarrowedToAnythingButAnAdmins()
    {
        Assert.Contains("never for admin", await RefusedAsync(_admin, "scopes", request => request.Scopes.Add(Wire.Scope.Admin)), StringComparison.Ordinal);
        await RefusedAsync(_admin, "scopes", request => request.Methods.Add("CreateAccessToken"));
        await RefusedAsync(_admin, "scopes", _ => { });

        string narrowed = (await NarrowAsync(_admin, request => request.Scopes.AddRange([Wire.Scope.Read, Wire.Scope.Pay, Wire.Scope.Channels]))).Secret;

        Assert.Equal("OK", await InfoAsync(narrowed));
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => _caller.CreateAccessTokenAsync(narrowed, request => request.Scopes.Add(Wire.Scope.Read)));
        Assert.Equal("SCOPE_MISSING", Refusals.NameOf(refused));
        refused = await Assert.ThrowsAsync<RpcException>(
            async () => await _caller.Api.RevokeAccessTokenAsync(new Wire.RevokeAccessTokenRequest { Number = 1 }, ApiCaller.Showing(narrowed)));
        Assert.Equal("SCOPE_MISSING", Refusals.NameOf(refused));
    }

    [Fact]
    public async Task Payments_AreOfBothTokens_AndChannelsTheOnesThatBothAreFor()
    {
        await using TestNode bob = await TestNode.StartAsync(_chain), carol = await TestNode.StartAsync(_chain);
        string own = await _node.OpenAsync(bob, "1000"), other = await _node.OpenAsync(carol, "1000");
        string shop = await MakeAsync(request =>
        {
            request.Scopes.AddRange([Wire.Scope.Read, Wire.Scope.Pay]);
            request.Caps.Add(PerDay("100"));
        });
        string kiosk = (await NarrowAsync(shop, request => request.ChannelIds.Add(own))).Secret;
        async Task<string> PayAsync(string secret, string channel, string amount)
        {
            try
            {
                await _caller.Api.PayAsync(new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = channel, Amount = amount } }, ApiCaller.Showing(secret));
                return "OK";
            }
            catch (RpcException error)
            {
                return $"{Refusals.NameOf(error)} {error.Status.Detail}";
            }
        }

        Assert.Equal("OK", await PayAsync(kiosk, own, "60"));
        Assert.StartsWith("CHANNEL_NOT_ALLOWED", await PayAsync(kiosk, other, "1"), StringComparison.Ordinal);
        Assert.Equal("OK", await PayAsync(shop, other, "30"));
        Assert.Equal(
            "ACCESS_TOKEN_CAP_EXCEEDED per_day of token 2 (which token 3 was narrowed from) would be exceeded",
            (await PayAsync(kiosk, own, "11")).Split(';')[0]);
        Assert.Equal("OK", await PayAsync(kiosk, own, "10"));
        Assert.Equal("channel_ids is " + other + ", expected one that token 3 is for", await RefusedAsync(
            kiosk, "channel_ids", request => request.ChannelIds.Add(other), "CHANNEL_NOT_ALLOWED"));
        string dollar = "0x" + new string('1', 40);
        Assert.Equal($"caps.token is \"{dollar}\", expected one of those that token 2 is for: 0x{new string('0', 40)}", await RefusedAsync(
            kiosk, "caps.token", request => request.Caps.Add(new Wire.SpendingCap { Token = dollar, Total = "1" })));
        string nobodys = "0x" + new string('7', 64);
        Assert.Equal("channel_ids is " + nobodys + ", expected one that token 3 is for", await RefusedAsync(
            kiosk, "channel_ids", request => request.ChannelIds.Add(nobodys), "CHANNEL_NOT_ALLOWED"));
        Wire.ListChannelsResponse listed = await _caller.Api.ListChannelsAsync(new Wire.ListChannelsRequest(), ApiCaller.Showing(kiosk));
        Assert.Equal([own], listed.Channels.Select(channel => channel.ChannelId));

        string child = (await NarrowAsync(kiosk)).Secret; // For the same channel, without naming it.
        Assert.StartsWith("CHANNEL_NOT_ALLOWED", await PayAsync(child, other, "1"), StringComparison.Ordinal);
        RpcException whole = await Assert.ThrowsAsync<RpcException>(async () => await _caller.Api.GetStatusAsync(new Wire.GetStatusRequest(), ApiCaller.Showing(child)));
        Refusals.AssertIs(whole, StatusCode.PermissionDenied, "CHANNEL_NOT_ALLOWED", "channel_ids");
        Wire.GetAccessTokenResponse seen = await _caller.Api.GetAccessTokenAsync(new Wire.GetAccessTokenRequest(), ApiCaller.Showing(shop));
        Assert.Equal(("100", "100"), (seen.AccessToken.Spent.Single().DaySpent, seen.AccessToken.Caps.Single().PerDay));
        Assert.Equal([3UL, 4UL], seen.Narrowed.Select(token => token.Number));
    }

    /// <summary>Else a bearer had as many calls as he makes tokens.</summary>
    [Fact]
    public async Task CallsAndMessages_AreLimitedByEachThatItWasNarrowedFrom()
    {
        string shop = await MakeAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Read);
            request.StreamsMax = 3;
            request.MessageBytesMax = 2_048;
        });
        string kiosk = (await NarrowAsync(shop, request => request.MessageBytesMax = 4_096)).Secret, desk = (await NarrowAsync(shop)).Secret;
        using var first = _caller.Api.SubscribeEvents(new Wire.SubscribeEventsRequest(), ApiCaller.Showing(kiosk));
        using var second = _caller.Api.SubscribeEvents(new Wire.SubscribeEventsRequest(), ApiCaller.Showing(desk));
        await first.ResponseHeadersAsync;
        await second.ResponseHeadersAsync;

        Assert.Equal("TOO_MANY_STREAMS", await InfoAsync(kiosk));
        Assert.Equal("OK", await InfoAsync(shop)); // One is left for who may take them back.
        using var third = _caller.Api.SubscribeEvents(new Wire.SubscribeEventsRequest(), ApiCaller.Showing(shop));
        await third.ResponseHeadersAsync;
        Assert.Equal("TOO_MANY_STREAMS", await InfoAsync(shop));
        third.Dispose();
        first.Dispose();
        while (await InfoAsync(kiosk) != "OK") await Task.Delay(10, TestChain.Limit); // Its end is on its way.

        RpcException large = await Assert.ThrowsAsync<RpcException>(
            async () => await _caller.Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = new string('x', 3_000) }, ApiCaller.Showing(kiosk)));
        Refusals.AssertIs(large, StatusCode.ResourceExhausted, "TOO_MANY_BYTES", "message");
        Assert.EndsWith("expected at most 2048, the limit of token 2 (which token 3 was narrowed from)", large.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CallsInASecond_LeaveOneToWhoMayTakeThemBack()
    {
        string shop = await MakeAsync(request =>
        {
            request.Scopes.Add(Wire.Scope.Read);
            request.RequestsPerSecondMax = 20;
        });
        string kiosk = (await NarrowAsync(shop)).Secret;
        string[] heard;
        do heard = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => InfoAsync(kiosk)));
        while (!heard.Contains("RATE_LIMITED"));

        Assert.Equal("OK", await InfoAsync(shop));
    }

    /// <summary>Who only reads would else be told what others may.</summary>
    [Fact]
    public async Task AuditLog_TellsWhatTokensMayToWhoMayListThem()
    {
        string reader = await MakeAsync(request => request.Scopes.Add(Wire.Scope.Read));
        await NarrowAsync(reader, request => request.FromIps.Add("127.0.0.1"));
        async Task<string[]> ToldAsync(string secret)
        {
            List<string> told = [];
            using var stream = _caller.Api.ReadPolicyAudit(new Wire.ReadPolicyAuditRequest(), ApiCaller.Showing(secret));
            while (await stream.ResponseStream.MoveNext(TestChain.Limit)) told.AddRange(stream.ResponseStream.Current.Entries.Select(entry => entry.Detail));
            return [.. told];
        }

        Assert.Equal(["token 1", "token 2", "token 3"], await ToldAsync(reader));
        Assert.Equal(
            ["token 1 (admin): scopes admin", "token 2 (test): scopes read", "token 3 (kiosk): narrowed from token 2; scopes read; from_ips 127.0.0.1/32"],
            await ToldAsync(_admin));
    }

    /// <summary>However much each of them is for, none of these makes an answer too large.</summary>
    [Fact]
    public async Task ManyTokens_AreListedInParts()
    {
        for (int made = 0; made < 250; made++)
        {
            await MakeAsync(request =>
            {
                request.Scopes.Add(Wire.Scope.Pay);
                request.Caps.Add(Caps(32));
            });
        }

        Wire.ListAccessTokensRequest ask = new();
        List<ulong> numbers = [];
        int parts = 0;
        do
        {
            Wire.ListAccessTokensResponse part = await _caller.Api.ListAccessTokensAsync(ask, ApiCaller.Showing(_admin));
            numbers.AddRange(part.AccessTokens.Select(token => token.Number));
            (ask.AfterNumber, parts) = (part.NextAfterNumber, parts + 1);
            Assert.Equal(parts == 1, ask.AfterNumber == numbers[^1]);
            Assert.InRange(part.CalculateSize(), 1, (1 << 20) + 4_096); // With what frames each.
        }
        while (ask.AfterNumber != 0);

        Assert.Equal(Enumerable.Range(1, 251).Select(number => (ulong)number), numbers);
        List<Wire.PolicyAuditEntry> log = [];
        using var stream = _caller.Api.ReadPolicyAudit(new Wire.ReadPolicyAuditRequest(), ApiCaller.Showing(_admin));
        while (await stream.ResponseStream.MoveNext(TestChain.Limit))
        {
            log.AddRange(stream.ResponseStream.Current.Entries);
            Assert.True(stream.ResponseStream.Current.CalculateSize() < (1 << 20) + 1_000);
        }

        Assert.Equal(Enumerable.Range(1, 251).Select(number => (ulong)number), log.Select(entry => entry.Cursor));
    }

    [Fact]
    public async Task BearerTakesBackWhatHeNarrowed_AndItsOpenCallsEnd()
    {
        string shop = await MakeAsync(request => request.Scopes.Add(Wire.Scope.Read)), other = await MakeAsync(request => request.Scopes.Add(Wire.Scope.Read));
        Wire.NarrowAccessTokenResponse kiosk = await NarrowAsync(shop);
        string child = (await NarrowAsync(kiosk.Secret)).Secret;
        using var stream = _caller.Api.SubscribeEvents(new Wire.SubscribeEventsRequest(), ApiCaller.Showing(child));
        await stream.ResponseHeadersAsync;
        async Task<Wire.AccessToken> RevokeAsync(string secret, ulong number) => (await _caller.Api.RevokeNarrowedAccessTokenAsync(
            new Wire.RevokeNarrowedAccessTokenRequest { Number = number }, ApiCaller.Showing(secret))).AccessToken;

        foreach (string secret in (string[])[other, child, kiosk.Secret, _admin])
            await Refusals.AssertRefusedAsync(() => RevokeAsync(secret, kiosk.AccessToken.Number), StatusCode.NotFound, "UNKNOWN_ACCESS_TOKEN");
        Wire.AccessToken revoked = await RevokeAsync(shop, kiosk.AccessToken.Number);

        Assert.Equal("kiosk", revoked.Name);
        Assert.NotEqual(0, revoked.RevokedAtMs);
        Assert.Equal(revoked, await RevokeAsync(shop, kiosk.AccessToken.Number));
        RpcException ended = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await stream.ResponseStream.MoveNext(TestChain.Limit)) { }
        });
        Assert.Equal("ACCESS_TOKEN_REVOKED", Refusals.NameOf(ended));
        Assert.Equal(["ACCESS_TOKEN_REVOKED", "ACCESS_TOKEN_REVOKED", "OK"], [await InfoAsync(kiosk.Secret), await InfoAsync(child), await InfoAsync(shop)]);
        Wire.ListAccessTokensResponse good = await _caller.Api.ListAccessTokensAsync(new Wire.ListAccessTokensRequest(), ApiCaller.Showing(_admin));
        Assert.Equal([1UL, 2UL, 3UL], good.AccessTokens.Select(token => token.Number));
        Wire.ListAccessTokensResponse all = await _caller.Api.ListAccessTokensAsync(new Wire.ListAccessTokensRequest { All = true }, ApiCaller.Showing(_admin));
        Assert.Equal([0UL, 0UL, 0UL, 2UL, 4UL], all.AccessTokens.Select(token => token.Parent));
    }

    [Fact]
    public async Task ByJson_TheBodyIsTheTokenThatIsAskedFor()
    {
        string shop = await MakeAsync(request => request.Scopes.Add(Wire.Scope.Read));
        using HttpClient http = new() { BaseAddress = new Uri(_node.Host.JsonUrl) };
        async Task<JsonNode> PostAsync(string path, string body, string secret)
        {
            using HttpRequestMessage request = new(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);
            using HttpResponseMessage response = await http.SendAsync(request);
            return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        }

        JsonNode made = await PostAsync("/v1/access-token/narrowed", """{"name": "kiosk", "validSeconds": "60"}""", shop);
        string secret = (string)made["secret"]!;
        Assert.Equal("OK", await InfoAsync(secret));
        Assert.Equal(("2", "kiosk"), ((string?)made["accessToken"]!["parent"], (string?)made["accessToken"]!["name"]));
        await PostAsync("/v1/access-token/narrowed/3:revoke", "{}", shop);
        Assert.Equal("ACCESS_TOKEN_REVOKED", await InfoAsync(secret));
    }

    [Fact]
    public async Task ByTheCommandLine_FromItsMakingToItsEnd()
    {
        string folder = Directory.CreateTempSubdirectory("channelnode-").FullName, file = Path.Combine(folder, "shop.token");
        await File.WriteAllTextAsync(file, await MakeAsync(request =>
        {
            request.Scopes.AddRange([Wire.Scope.Read, Wire.Scope.Pay]);
            request.Caps.Add(PerDay("100"));
        }) + "\n");
        string[] of = ["--node", _node.Host.ApiUrl, "--access-token-file", file];
        string narrowed = Path.Combine(folder, "kiosk.token");

        CliRun made = await CliRun.AsyncOf(
            ["token", "narrow", .. of, "--name", "kiosk", "--scope", "pay", "--cap", "ether:total=5 wei", "--valid-hours", "24", "--to", narrowed]);
        Assert.Equal($"access token 3 written to {narrowed}; keep it secret\n", made.Output);
        CliRun shown = await CliRun.AsyncOf(["token", "narrow", .. of, "--name", "desk", "--json"]);
        Assert.StartsWith("cn_4_", (string?)JsonNode.Parse(shown.Output)!["secret"], StringComparison.Ordinal);
        CliRun own = await CliRun.AsyncOf("token", "show", "--node", _node.Host.ApiUrl, "--access-token-file", narrowed);
        Assert.Contains("ether:total=5 wei; all that limits token 2", own.Output, StringComparison.Ordinal);
        Assert.Contains("2 narrowed from it: see 'channelnode token list --narrowed'", (await CliRun.AsyncOf(["token", "show", .. of])).Output, StringComparison.Ordinal);
        CliRun list = await CliRun.AsyncOf(["token", "list", "--narrowed", .. of]);
        Assert.Contains(list.OutputLines, line => line.Contains(" desk ", StringComparison.Ordinal) && line.Contains("as token 2", StringComparison.Ordinal));
        Assert.Contains("--all: goes without --narrowed", (await CliRun.AsyncOf(["token", "list", "--narrowed", "--all", .. of])).Error, StringComparison.Ordinal);
        CliRun revoked = await CliRun.AsyncOf(["token", "revoke", "3", "--narrowed", .. of]);
        Assert.Equal("access token 3 \"kiosk\" is good for nothing any more\n", revoked.Output);
        Assert.StartsWith("error: SCOPE_MISSING: token 2 has read, pay, expected admin", (await CliRun.AsyncOf(["token", "revoke", "4", .. of])).Error, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }
}
