using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>To whom metrics are told, and over what.</summary>
[Collection(DoorsCollection.Name)]
public sealed class MetricsAccessTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;

    public async Task InitializeAsync() => _chain = await TestChain.OpenAsync(anvil);

    public async Task DisposeAsync() => await _chain.DisposeAsync();

    private static string SecretOf(TestNode node) => File.ReadAllText(Path.Combine(node.DataDirectory, "admin.token")).Trim();

    /// <summary>As Prometheus asks: with the node's certificate as the authority, and a bearer's token.</summary>
    private static async Task<(HttpStatusCode Code, string Body)> AskAsync(
        string url, string? secret, X509Certificate2? authority = null, string? host = null)
    {
        using SocketsHttpHandler handler = new() { UseProxy = false };
        handler.SslOptions.EnabledSslProtocols = SslProtocols.None;
        if (authority is not null)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                CustomTrustStore = { authority },
            };
        }

        using HttpClient http = new(handler);
        using HttpRequestMessage request = new(HttpMethod.Get, url);
        if (host is not null) request.Headers.Host = host;
        if (secret is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);
        using HttpResponseMessage response = await http.SendAsync(request, TestChain.Limit);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestChain.Limit));
    }

    [Fact]
    public async Task MetricsForOthersInTheClear_AreNotServed()
    {
        RefusalException refusal = await Assert.ThrowsAsync<RefusalException>(
            () => TestNode.StartAsync(_chain, options => options with { MetricsListen = "0.0.0.0:0" }));

        Assert.Equal((Refusal.InvalidArgument, "--metrics-listen"), (refusal.Refusal, refusal.Field));
        Assert.Contains("--api-tls", refusal.Message);
        refusal = await Assert.ThrowsAsync<RefusalException>(() => TestTower.StartAsync(
            _chain, options => options with { Tls = true, Node = options.Node with { MetricsListen = "0.0.0.0:0" } }));
        Assert.Equal((Refusal.InvalidArgument, "--metrics-listen"), (refusal.Refusal, refusal.Field));
        Assert.Contains("has no access tokens", refusal.Message);
    }

    [Fact]
    public async Task MetricsForOthers_AreEncrypted_AndToldToWhoMayRead()
    {
        await using TestNode node = await TestNode.StartAsync(
            _chain, options => options with { MetricsListen = "0.0.0.0:0", ApiTls = true, AccessTokenRequired = true });
        string url = $"https://127.0.0.1:{new Uri(node.Host.Exports.MetricsUrl!).Port}/metrics", clear = url.Replace("https", "http");
        using X509Certificate2 certificate = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(node.DataDirectory, "tls.cert"));
        using ApiCaller caller = new($"https://127.0.0.1:{new Uri(node.Host.ApiUrl).Port}");

        (HttpStatusCode code, string body) = await AskAsync(url, null, certificate);
        Assert.Equal(HttpStatusCode.Unauthorized, code);
        Assert.StartsWith("ACCESS_TOKEN_MISSING: ", body);
        (code, body) = await AskAsync(url, SecretOf(node)[..^1], certificate);
        Assert.Equal(HttpStatusCode.Unauthorized, code);
        Assert.StartsWith("ACCESS_TOKEN_INVALID: ", body);
        string payer = (await caller.CreateAccessTokenAsync(SecretOf(node), it =>
        {
            it.Scopes.Add(Wire.Scope.Pay);
            it.Uncapped = true;
        })).Secret;
        string reader = (await caller.CreateAccessTokenAsync(SecretOf(node), it => it.Scopes.Add(Wire.Scope.Read))).Secret;
        (code, body) = await AskAsync(url, payer, certificate);
        Assert.Equal(HttpStatusCode.Forbidden, code);
        Assert.StartsWith("SCOPE_MISSING: ", body);

        (code, body) = await AskAsync(url, reader, certificate);
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Contains("channelnode_chain_current", body);
        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(clear, reader));
        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(url, reader)); // Nobody vouches for the certificate.
    }

    [Fact]
    public async Task MetricsOfAWatchtower_AreNotForThePagesOfABrowser()
    {
        int port = Ports.Free();
        await using TestTower tower = await TestTower.StartAsync(
            _chain, options => options with { Node = options.Node with { MetricsListen = $"localhost:{port}" } });
        string url = $"http://127.0.0.1:{port}/metrics";

        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(url, null, host: "attacker.example")).Code);
        (HttpStatusCode code, string body) = await AskAsync(url, null);
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Contains("channelnode_connections{", body);
        Assert.Contains("door=\"metrics\"", body);
    }

    [Fact]
    public async Task MetricsOnThisMachine_AreToldToWhoeverAsks_UnlessTokensAreRequired()
    {
        await using TestNode open = await TestNode.StartAsync(
            _chain, options => options with { MetricsListen = "127.0.0.1:0", ApiTls = true });
        await using TestNode guarded = await TestNode.StartAsync(
            _chain, options => options with { MetricsListen = "127.0.0.1:0", AccessTokenRequired = true });

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(open.Host.Exports.MetricsUrl!, null)).Code);
        foreach (string name in (string[])["attacker.example", "localhost.attacker.example", "127.0.0.1.attacker.example"])
        {
            // A page's own name, bound anew to this machine: what the browser asks there, the page may read.
            (HttpStatusCode code, string body) = await AskAsync(open.Host.Exports.MetricsUrl!, null, host: name);
            Assert.Equal(HttpStatusCode.Forbidden, code);
            Assert.Equal($"HOST_NOT_ALLOWED: host is \"{name}\", expected localhost or an IP address\n", body);
        }

        foreach (string name in (string[])["localhost:9805", "127.0.0.1", "[::1]:9805", "LOCALHOST"])
            Assert.Equal(HttpStatusCode.OK, (await AskAsync(open.Host.Exports.MetricsUrl!, null, host: name)).Code);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(guarded.Host.Exports.MetricsUrl!, null)).Code);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(guarded.Host.Exports.MetricsUrl!, SecretOf(guarded))).Code);
    }
}
