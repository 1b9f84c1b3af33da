using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ChannelNode.Core;

namespace ChannelNode.Grpc;

/// <summary>Certificates as both sides of a session name them.</summary>
internal static class TlsPin
{
    /// <summary>SHA-256 of a public key (SubjectPublicKeyInfo), in hex.</summary>
    public static string OfKey(X509Certificate2 certificate) =>
        Convert.ToHexStringLower(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));

    /// <summary>SHA-256 of a whole certificate, as a session's proofs name it.</summary>
    public static Bytes32 OfCertificate(X509Certificate certificate) =>
        Bytes32.Read(SHA256.HashData(certificate.GetRawCertData()));

    /// <summary>A nonce that is worth something in sessions over this certificate only.</summary>
    public static Bytes32 Bind(Bytes32 nonce, Bytes32 certificate)
    {
        Span<byte> both = stackalloc byte[2 * Bytes32.Size];
        nonce.Write(both);
        certificate.Write(both[Bytes32.Size..]);
        return Bytes32.Read(SHA256.HashData(both));
    }
}
