using System.Runtime.Versioning;
using System.Security.Cryptography.X509Certificates;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Simulation;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Grpc;

/// <summary>A certificate that a node makes for itself, over the years.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class TlsCertificateTests : IDisposable
{
    private const long DayMs = 86_400_000;

    private readonly SimulatedTime _time = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private TlsCertificate Open(params string[] domains) => TlsCertificate.Open(
        new NodeOptions { DataDirectory = _folder, KeyFile = "", RpcUrl = "", Contract = Address.Zero, TlsDomains = domains },
        [DoorAddress.Parse("127.0.0.1:9801")], _time, NullLogger.Instance);

    private static string SerialOf(TlsCertificate certificate) => certificate.Current.TargetCertificate.SerialNumber;

    [Fact]
    public void CertificateThatWasMade_IsUsedAgain()
    {
        string serial = SerialOf(Open("node.example"));

        Assert.Equal(serial, SerialOf(Open("node.example")));
    }

    [Fact]
    public void CertificateNearItsEnd_IsRenewedWithTheSameKey_WithoutARestart()
    {
        TlsCertificate running = Open();
        (string serial, string key) = (SerialOf(running), running.Fingerprint);
        _time.Advance(366 * DayMs);
        Assert.Equal(serial, SerialOf(running));

        _time.Advance(2 * DayMs);

        Assert.NotEqual(serial, SerialOf(running));
        Assert.Equal(key, running.Fingerprint);
        X509Certificate2 renewed = running.Current.TargetCertificate;
        Assert.True(renewed.NotAfter.ToUniversalTime() > _time.GetUtcNow().UtcDateTime.AddDays(300));
        foreach (string file in (string[])["tls.cert", "tls.key"])
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, file)));
    }

    /// <summary>As Kubernetes mounts a secret: what is renewed is a link to the folder, two links away from the file that is named.</summary>
    [Fact]
    public void CertificateOfAMountedSecret_IsReadAnew_WhenTheFolderBehindItIsAnother()
    {
        foreach (string version in (string[])["one", "two"])
        {
            string made = Path.Combine(_folder, version);
            TlsCertificate.Open(
                new NodeOptions { DataDirectory = Directory.CreateDirectory(made).FullName, KeyFile = "", RpcUrl = "", Contract = Address.Zero },
                [DoorAddress.Parse("127.0.0.1:9801")], _time, NullLogger.Instance);
        }

        string data = Path.Combine(_folder, "..data");
        Directory.CreateSymbolicLink(data, "one");
        foreach (string file in (string[])["tls.cert", "tls.key"])
            File.CreateSymbolicLink(Path.Combine(_folder, file), Path.Combine("..data", file));
        TlsCertificate running = TlsCertificate.Open(
            new NodeOptions
            {
                DataDirectory = _folder,
                KeyFile = "",
                RpcUrl = "",
                Contract = Address.Zero,
                TlsCertificate = Path.Combine(_folder, "tls.cert"),
                TlsKey = Path.Combine(_folder, "tls.key"),
            },
            [DoorAddress.Parse("127.0.0.1:9801")], _time, NullLogger.Instance);
        string serial = SerialOf(running);

        Directory.Delete(data);
        Directory.CreateSymbolicLink(data, "two");
        _time.Advance(DayMs);

        Assert.NotEqual(serial, SerialOf(running));
    }

    [Fact]
    public void NewNames_AreTakenInWithTheSameKey()
    {
        string key = Open().Fingerprint;

        TlsCertificate named = Open("node.example");

        Assert.True(named.Current.TargetCertificate.MatchesHostname("node.example"));
        Assert.Equal(key, named.Fingerprint);
    }

    [Fact]
    public void DamagedCertificate_IsMadeAnew_AndADamagedKeyIsNamed()
    {
        string key = Open().Fingerprint;
        File.WriteAllText(Path.Combine(_folder, "tls.cert"), "nonsense");
        Assert.Equal(key, Open().Fingerprint);

        File.WriteAllText(Path.Combine(_folder, "tls.key"), "nonsense");
        File.Delete(Path.Combine(_folder, "tls.cert"));
        RefusalException refusal = Assert.Throws<RefusalException>(() => Open());
        Assert.Contains("tls.key is no key", refusal.Message);
    }
}
