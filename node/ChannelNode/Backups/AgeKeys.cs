using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Engine;
using Org.BouncyCastle.Math.EC.Rfc7748;

namespace ChannelNode.Backups;

/// <summary>The secret that opens a backup. Its file is one of age's own: comments, then AGE-SECRET-KEY-1...</summary>
internal sealed class AgeIdentity : IDisposable
{
    public const int KeyBytes = AgeRecipient.KeyBytes;

    private const string Prefix = "age-secret-key-";
    private const long FileBytesMax = 64 * 1024;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly byte[] _secret;

    private AgeIdentity(byte[] secret)
    {
        _secret = secret;
        var publicKey = new byte[KeyBytes];
        X25519.ScalarMultBase(secret, 0, publicKey, 0);
        Recipient = AgeRecipient.Of(publicKey);
    }

    public AgeRecipient Recipient { get; }

    public static AgeIdentity Generate() => new(RandomNumberGenerator.GetBytes(KeyBytes));

    /// <summary>Null for what is none.</summary>
    public static AgeIdentity? TryParse(string text) =>
        Bech32.Decode(Prefix, text) is { Length: KeyBytes } secret ? new AgeIdentity(secret) : null;

    /// <summary>The Diffie-Hellman secret with a public key; false for a point that gives none.</summary>
    public bool TryAgree(ReadOnlySpan<byte> publicKey, Span<byte> shared)
    {
        var result = new byte[KeyBytes];
        bool agreed = X25519.CalculateAgreement(_secret, 0, publicKey.ToArray(), 0, result, 0);
        result.CopyTo(shared);
        CryptographicOperations.ZeroMemory(result);
        return agreed;
    }

    /// <summary>
    /// Makes a key and its file, readable by its owner only and synced when this returns. Never overwrites: throws
    /// <see cref="IOException"/> when <paramref name="path"/> is there already.
    /// </summary>
    public static AgeRecipient CreateFile(string path, DateTimeOffset now)
    {
        using AgeIdentity identity = Generate();
        string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is not null) Directory.CreateDirectory(folder);
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        using FileStream file = new(path, options);
        using (StreamWriter text = new(file, leaveOpen: true) { NewLine = "\n" })
        {
            text.WriteLine($"# created: {now.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}");
            text.WriteLine($"# public key: {identity.Recipient.Text}");
            text.WriteLine(Bech32.Encode(Prefix, identity._secret).ToUpperInvariant());
        }

        file.Flush(flushToDisk: true);
        return identity.Recipient;
    }

    /// <summary>All keys of a file. Throws <see cref="RefusalException"/> when there are none; never shows its content.</summary>
    public static IReadOnlyList<AgeIdentity> ReadFile(string path)
    {
        if (new FileInfo(path) is { Exists: true, Length: > FileBytesMax }) throw NoIdentity(path);
        List<AgeIdentity> identities = [];
        foreach (string line in File.ReadLines(path))
        {
            if (line.StartsWith('#') || string.IsNullOrWhiteSpace(line)) continue;
            identities.Add(TryParse(line.Trim()) ?? throw NoIdentity(path));
        }

        return identities.Count > 0 ? identities : throw NoIdentity(path);
    }

    private static RefusalException NoIdentity(string path) => new(
        Refusal.InvalidArgument, $"identity: {path} does not hold what 'backup key new' or age-keygen writes: AGE-SECRET-KEY-1...")
    {
        Field = "identity",
    };

    public void Dispose() => CryptographicOperations.ZeroMemory(_secret);
}
