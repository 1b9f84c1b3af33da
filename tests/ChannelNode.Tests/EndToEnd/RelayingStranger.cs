using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// Somebody between two nodes: ends the caller's TLS with a certificate of his own, begins one to the node that was meant, and
/// hands every byte on, either way.
/// </summary>
internal sealed class RelayingStranger : IAsyncDisposable
{
    private static readonly List<SslApplicationProtocol> Http2 = [SslApplicationProtocol.Http2];

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly X509Certificate2 _certificate = Certificates.Make(TimeSpan.FromDays(1));
    private readonly int _targetPort;
    private readonly Task _serving;

    public RelayingStranger(string target)
    {
        _targetPort = new Uri(target).Port;
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Url => $"https://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Calls that both sides agreed to encrypt.</summary>
    public int Relayed { get; private set; }

    private async Task ServeAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            TcpClient caller = await _listener.AcceptTcpClientAsync(_stopping.Token);
            _ = RelayAsync(caller);
        }
    }

    private async Task RelayAsync(TcpClient caller)
    {
        using (caller)
        using (TcpClient target = new())
        {
            await using SslStream shown = new(caller.GetStream());
            await shown.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificate = _certificate,
                    ApplicationProtocols = Http2,
                    EnabledSslProtocols = SslProtocols.Tls13,
                },
                _stopping.Token);
            await target.ConnectAsync(IPAddress.Loopback, _targetPort, _stopping.Token);
            await using SslStream meant = new(target.GetStream());
            await meant.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = "localhost",
                    ApplicationProtocols = Http2,
                    EnabledSslProtocols = SslProtocols.Tls13,
                    RemoteCertificateValidationCallback = (_, _, _, _) => true,
                },
                _stopping.Token);
            Relayed++;
            await Task.WhenAny(shown.CopyToAsync(meant, _stopping.Token), meant.CopyToAsync(shown, _stopping.Token));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await Task.WhenAny(_serving);
        _stopping.Dispose();
        _certificate.Dispose();
    }
}

/// <summary>Certificates for 127.0.0.1 that a test wants.</summary>
internal static class Certificates
{
    public static X509Certificate2 Make(TimeSpan validFor, TimeSpan? validFrom = null)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=test", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        DateTimeOffset from = DateTimeOffset.UtcNow + (validFrom ?? -TimeSpan.FromHours(2));
        return request.CreateSelfSigned(from, from + TimeSpan.FromHours(2) + validFor);
    }

    /// <summary>Both files, in PEM; the certificate last, as a careful operator would.</summary>
    public static (string Certificate, string Key) Write(X509Certificate2 certificate, string folder)
    {
        string path = Path.Combine(folder, "given.cert"), keyPath = Path.Combine(folder, "given.key");
        File.WriteAllText(keyPath, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(path, certificate.ExportCertificatePem());
        return (path, keyPath);
    }
}
