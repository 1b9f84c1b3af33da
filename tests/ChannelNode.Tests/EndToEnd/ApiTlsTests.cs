using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Cli;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A door that other machines reach: encrypted, by a certificate that its callers can know, or not open at all.</summary>
[Collection(DoorsCollection.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class ApiTlsTests(AnvilFixture anvil) : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private TestChain _chain = null!;

    public async Task InitializeAsync() => _chain = await TestChain.OpenAsync(anvil);

    public async Task DisposeAsync()
    {
        await _chain.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<RefusalException> RefusedAsync(Func<NodeOptions, NodeOptions> change) =>
        await Assert.ThrowsAsync<RefusalException>(() => TestNode.StartAsync(_chain, change));

    private static string UrlOf(TestNode node) => $"https://127.0.0.1:{new Uri(node.Host.ApiUrl).Port}";

    /// <summary>What the door shows, and what it agrees to.</summary>
    private static async Task<(string Fingerprint, SslProtocols Protocol)> ShakeHandsAsync(TestNode node, SslProtocols offered)
    {
        using TcpClient tcp = new("127.0.0.1", new Uri(node.Host.ApiUrl).Port);
        await using SslStream tls = new(tcp.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            EnabledSslProtocols = offered,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
        });
        return (Convert.ToHexStringLower(SHA256.HashData(tls.RemoteCertificate!.GetRawCertData())), tls.SslProtocol);
    }

    [Theory]
    [InlineData("0.0.0.0:0")]
    [InlineData("[::]:0")]
    [InlineData("192.0.2.1:9801")]
    public async Task ApiForOthersInTheClear_IsNotOpened(string listen)
    {
        RefusalException refusal = await RefusedAsync(options => options with { ApiListen = listen });

        Assert.Equal((Refusal.InvalidArgument, "--api-listen"), (refusal.Refusal, refusal.Field));
        Assert.Contains("--api-tls", refusal.Message);
    }

    [Fact]
    public async Task ApiForOthers_IsEncrypted_AndAsksForTokens()
    {
        await using TestNode node = await TestNode.StartAsync(
            _chain, options => options with { ApiListen = "0.0.0.0:0", ApiTls = true, TlsDomains = ["node.example"] });
        string url = UrlOf(node), certificate = Path.Combine(node.DataDirectory, "tls.cert");
        string key = Path.Combine(node.DataDirectory, "tls.key"), admin = Path.Combine(node.DataDirectory, "admin.token");
        foreach (string secret in (string[])[certificate, key, admin])
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(secret));

        Assert.Equal(SslProtocols.Tls13, (await ShakeHandsAsync(node, SslProtocols.None)).Protocol);
        await Assert.ThrowsAnyAsync<Exception>(() => ShakeHandsAsync(node, SslProtocols.Tls12));

        using X509Certificate2 made = X509CertificateLoader.LoadCertificateFromFile(certificate);
        Assert.True(made.MatchesHostname("node.example") && made.MatchesHostname("127.0.0.1") && made.MatchesHostname("localhost"));
        Assert.Equal(ECCurve.NamedCurves.nistP256.Oid.Value, made.GetECDsaPublicKey()!.ExportParameters(false).Curve.Oid.Value);

        CliRun trusted = await CliRun.AsyncOf("info", "--json", "--node", url, "--tls-cert", certificate, "--access-token-file", admin);
        Assert.Equal((0, ""), (trusted.ExitCode, trusted.Error));
        CliRun pinned = await CliRun.AsyncOf(
            "info", "--json", "--node", url, "--tls-fingerprint", node.Host.TlsFingerprint!.ToUpperInvariant(), "--access-token-file", admin);
        Assert.Equal((0, ""), (pinned.ExitCode, pinned.Error));
        CliRun tokenless = await CliRun.AsyncOf("info", "--node", url, "--tls-cert", certificate);
        Assert.Contains("ACCESS_TOKEN_MISSING", tokenless.Error);
        Assert.Contains("--access-token-file", tokenless.Error);
    }

    [Fact]
    public async Task NodeThatIsNotTheOneMeant_IsNotTrusted_AndTheReasonIsNamed()
    {
        await using TestNode node = await TestNode.StartAsync(_chain, options => options with { ApiTls = true });
        string url = UrlOf(node);
        using X509Certificate2 other = Certificates.Make(TimeSpan.FromDays(1));
        (string otherPath, _) = Certificates.Write(other, _folder);

        CliRun plain = await CliRun.AsyncOf("info", "--node", url.Replace("https://", "http://"));
        Assert.EndsWith("; does it run with --api-tls? Then its URL begins with https://\n", plain.Error);
        CliRun unknown = await CliRun.AsyncOf("info", "--node", url);
        Assert.Contains($"{url} is not trusted: no authority vouches for its certificate", unknown.Error);
        CliRun notGiven = await CliRun.AsyncOf("info", "--node", url, "--tls-cert", otherPath);
        Assert.Contains("is neither that of --tls-cert nor signed by it", notGiven.Error);
        CliRun notPinned = await CliRun.AsyncOf("info", "--node", url, "--tls-fingerprint", new string('0', 64));
        Assert.Contains($"has the fingerprint {node.Host.TlsFingerprint}, expected {new string('0', 64)}", notPinned.Error);
        Assert.All((CliRun[])[unknown, notGiven, notPinned], run => Assert.Equal(3, run.ExitCode));

        // The key of tls.cert is what counts: the same node under a name that no certificate has.
        string byName = url.Replace("127.0.0.1", "localhost.localdomain");
        CliRun whole = await CliRun.AsyncOf(
            "info", "--node", url, "--tls-fingerprint", (await ShakeHandsAsync(node, SslProtocols.None)).Fingerprint);
        Assert.Equal(0, whole.ExitCode);
        Assert.NotEqual(url, byName);
    }

    [Fact]
    public async Task GivenCertificate_IsReadAnewWhenItChanges_AndABadOneChangesNothing()
    {
        using X509Certificate2 first = Certificates.Make(TimeSpan.FromDays(1)), second = Certificates.Make(TimeSpan.FromDays(1));
        (string path, string keyPath) = Certificates.Write(first, _folder);
        await using TestNode node = await TestNode.StartAsync(
            _chain, options => options with { ApiTls = true, TlsCertificate = path, TlsKey = keyPath });
        string before = Convert.ToHexStringLower(SHA256.HashData(first.RawData)), after = Convert.ToHexStringLower(SHA256.HashData(second.RawData));
        Assert.Equal(before, (await ShakeHandsAsync(node, SslProtocols.None)).Fingerprint);

        await File.WriteAllTextAsync(path, "-----BEGIN CERTIFICATE-----\nhalf of one");
        await Task.Delay(1_100);
        Assert.Equal(before, (await ShakeHandsAsync(node, SslProtocols.None)).Fingerprint);

        Certificates.Write(second, _folder);
        string shown = before;
        for (int look = 0; look < 300 && shown == before; look++)
        {
            await Task.Delay(100);
            shown = (await ShakeHandsAsync(node, SslProtocols.None)).Fingerprint;
        }

        Assert.Equal(after, shown);
    }

    [Fact]
    public async Task CertificateThatCannotBeUsed_IsNamedAtTheStart()
    {
        using X509Certificate2 good = Certificates.Make(TimeSpan.FromDays(1)), other = Certificates.Make(TimeSpan.FromDays(1));
        using X509Certificate2 expired = Certificates.Make(TimeSpan.FromHours(1), validFrom: -TimeSpan.FromHours(4));
        using X509Certificate2 early = Certificates.Make(TimeSpan.FromDays(1), validFrom: TimeSpan.FromHours(1));
        (string path, string keyPath) = Certificates.Write(good, _folder);
        NodeOptions Given(NodeOptions options) => options with { ApiTls = true, TlsCertificate = path, TlsKey = keyPath };

        async Task SaysAsync(string flag, string words, Func<NodeOptions, NodeOptions> change)
        {
            RefusalException refusal = await RefusedAsync(change);
            Assert.Equal(flag, refusal.Field);
            Assert.Contains(words, refusal.Message);
        }

        await SaysAsync("--tls-key", "is missing", options => Given(options) with { TlsKey = "" });
        await SaysAsync("--tls-cert", "is not there", options => Given(options) with { TlsCertificate = path + ".not" });
        await SaysAsync("--tls-key", "is not there", options => Given(options) with { TlsKey = keyPath + ".not" });
        File.WriteAllText(path, other.ExportCertificatePem());
        await SaysAsync("--tls-key", "is not the key of the certificate", Given);
        File.WriteAllText(path, "no PEM");
        await SaysAsync("--tls-cert", "are not a certificate and its key in PEM", Given);
        Certificates.Write(expired, _folder);
        await SaysAsync("--tls-cert", "expired at", Given);
        Certificates.Write(early, _folder);
        await SaysAsync("--tls-cert", "is not valid before", Given);
    }
}
