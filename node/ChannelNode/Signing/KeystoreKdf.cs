using System.Security.Cryptography;

namespace ChannelNode.Signing;

/// <summary>How a keystore makes a key of a password; its parameters are within their limits.</summary>
internal abstract record KeystoreKdf(byte[] Salt)
{
    public abstract void Derive(ReadOnlySpan<byte> password, Span<byte> target);

    public sealed record ByScrypt(byte[] Salt, KeystoreCost Cost) : KeystoreKdf(Salt)
    {
        public override void Derive(ReadOnlySpan<byte> password, Span<byte> target) =>
            Scrypt.DeriveKey(password, Salt, Cost.N, Cost.R, Cost.P, target);
    }

    /// <summary>HMAC-SHA256, so many times.</summary>
    public sealed record ByPbkdf2(byte[] Salt, int Iterations) : KeystoreKdf(Salt)
    {
        public override void Derive(ReadOnlySpan<byte> password, Span<byte> target) =>
            Rfc2898DeriveBytes.Pbkdf2(password, Salt, target, Iterations, HashAlgorithmName.SHA256);
    }
}
