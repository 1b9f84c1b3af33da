using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ChannelNode.Cli;

/// <summary>
/// By what a command knows that it talks to its node: a certificate given, a fingerprint given, or the authorities that this
/// machine trusts. Who gives a node's own certificate, or a fingerprint, means its key: under whatever name it is reached,
/// and when it was renewed.
/// </summary>
internal sealed class NodeTrust
{
    private readonly X509Certificate2Collection _given = [];
    private readonly string? _fingerprint;

    private NodeTrust(string? fingerprint) => _fingerprint = fingerprint?.Replace(":", "").ToLowerInvariant();

    /// <summary>What spoke against the last certificate that a node showed; null while nothing did.</summary>
    public string? Fault { get; private set; }

    public static NodeTrust Of(string? certificateFile, string? fingerprint)
    {
        NodeTrust trust = new(fingerprint);
        if (certificateFile is null) return trust;
        try
        {
            trust._given.ImportFromPem(NodeFlags.ReadFile("--tls-cert", certificateFile));
        }
        catch (CryptographicException error)
        {
            throw NodeFlags.Wrong("--tls-cert", $"--tls-cert: {certificateFile} is no certificate in PEM: {error.Message}");
        }

        return trust._given.Count > 0
            ? trust
            : throw NodeFlags.Wrong("--tls-cert", $"--tls-cert: {certificateFile} holds no certificate in PEM");
    }

    public bool Accept(object sender, X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors)
    {
        Fault = shown is null ? "it shows no certificate" : FaultOf(new X509Certificate2(shown), chain, errors);
        return Fault is null;
    }

    private string? FaultOf(X509Certificate2 shown, X509Chain? chain, SslPolicyErrors errors)
    {
        DateTime now = DateTime.UtcNow;
        if (shown.NotAfter.ToUniversalTime() <= now) return $"its certificate expired at {shown.NotAfter.ToUniversalTime():u}";
        if (shown.NotBefore.ToUniversalTime() > now) return $"its certificate is not valid before {shown.NotBefore.ToUniversalTime():u}";
        string key = Convert.ToHexStringLower(SHA256.HashData(shown.PublicKey.ExportSubjectPublicKeyInfo()));
        if (_fingerprint is { } expected)
        {
            bool same = expected == key || expected == Convert.ToHexStringLower(SHA256.HashData(shown.RawData));
            return same ? null : $"its certificate's key has the fingerprint {key}, expected {expected}";
        }

        if (_given.Count == 0) return errors == SslPolicyErrors.None ? null : $"no authority vouches for its certificate ({errors}); "
            + $"give --tls-cert, or --tls-fingerprint {key} if you know that this is its key";
        foreach (X509Certificate2 known in _given)
            if (known.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(shown.PublicKey.ExportSubjectPublicKeyInfo())) return null;
        if (!IsVouchedFor(shown, chain)) return $"its certificate, of the key {key}, is neither that of --tls-cert nor signed by it";
        return (errors & SslPolicyErrors.RemoteCertificateNameMismatch) == 0 ? null : "its certificate is for another name";
    }

    private bool IsVouchedFor(X509Certificate2 shown, X509Chain? between)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.AddRange(_given);
        if (between is not null)
            foreach (X509ChainElement element in between.ChainElements) chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        return chain.Build(shown);
    }
}
