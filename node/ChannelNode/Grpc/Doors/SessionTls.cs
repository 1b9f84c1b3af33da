using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using ChannelNode.Core;
using Microsoft.AspNetCore.Connections.Features;

namespace ChannelNode.Grpc;

/// <summary>What a session has to know of the encryption under it. Not for several sessions.</summary>
internal sealed class SessionTls
{
    private static readonly object Key = new();

    public bool IsCaller { get; private init; }

    /// <summary>A caller over https://.</summary>
    public bool IsEncryptedCall { get; set; }

    /// <summary>The certificate that the caller was shown, and that no authority vouches for.</summary>
    public Bytes32? Seen { get; private set; }

    /// <summary>The certificate that was shown to the caller.</summary>
    public Bytes32? Presented { get; private init; }

    public static SessionTls OfCaller() => new() { IsCaller = true };

    public static SessionTls OfCalled(HttpContext http) => new()
    {
        Presented = http.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(Key, out object? shown) == true
            ? (Bytes32)shown!
            : null,
    };

    /// <summary>Remembers with a connection what was shown to its caller.</summary>
    public static void Present(IDictionary<object, object?> connection, X509Certificate2 certificate) =>
        connection[Key] = TlsPin.OfCertificate(certificate);

    /// <summary>Takes any certificate: which node it is, the session proves, and that this one is the node's.</summary>
    public bool TakeCertificate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null) return false;
        Seen = errors == SslPolicyErrors.None ? null : TlsPin.OfCertificate(certificate);
        return true;
    }
}
