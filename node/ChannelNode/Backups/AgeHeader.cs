using System.Security.Cryptography;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Backups;

/// <summary>
/// The beginning of an age v1 file: for each recipient the file's key, wrapped, and a MAC over all of it.
/// <code>
/// age-encryption.org/v1
/// -> X25519 (share)          base64 of the ephemeral public key
/// (wrapped key)              base64 of ChaCha20-Poly1305 under HKDF(X25519(ephemeral, recipient))
/// --- (MAC)                  base64 of HMAC-SHA256 under HKDF(file key, "header")
/// </code>
/// See age-encryption.org/v1; the tool of that name opens what this writes.
/// </summary>
internal static class AgeHeader
{
    private const string Version = "age-encryption.org/v1";
    private const string StanzaStart = "-> ";
    private const string Kind = "X25519";
    private const string End = "---";
    private const string MacStart = End + " ";
    private const string WrapInfo = "age-encryption.org/v1/X25519";
    private const int FileKeyBytes = 16;
    private const int KeyBytes = 32;
    private const int TagBytes = 16;
    private const int NonceBytes = 12;
    private const int BodyColumns = 64;
    private const int LineBytesMax = 4_096;
    private const int LinesMax = 1_024;

    /// <summary>Writes a header; answers the file's key.</summary>
    public static byte[] Write(Stream target, IReadOnlyList<AgeRecipient> recipients)
    {
        byte[] fileKey = RandomNumberGenerator.GetBytes(FileKeyBytes);
        StringBuilder text = new(Version + "\n");
        foreach (AgeRecipient recipient in recipients) Wrap(text, recipient, fileKey);
        text.Append(End);
        byte[] mac = MacOf(fileKey, text.ToString());
        text.Append(' ').Append(Base64(mac)).Append('\n');
        target.Write(Encoding.ASCII.GetBytes(text.ToString()));
        return fileKey;
    }

    /// <summary>
    /// Reads up to the end of the header; answers the file's key. Throws <see cref="RefusalException"/>: BackupDamaged for
    /// what is no whole age file, BackupKeyWrong when none of the keys opens it.
    /// </summary>
    public static byte[] Read(Stream source, IReadOnlyList<AgeIdentity> identities)
    {
        if (ReadLine(source) != Version) throw Damaged("it does not begin as an age file does");
        StringBuilder header = new(Version + "\n");
        byte[]? fileKey = null;
        string line = ReadLine(source);
        for (int lines = 0; !line.StartsWith(End, StringComparison.Ordinal); lines++)
        {
            if (!line.StartsWith(StanzaStart, StringComparison.Ordinal) || lines > LinesMax) throw Damaged("its header is not one");
            header.Append(line).Append('\n');
            string[] arguments = line[StanzaStart.Length..].Split(' ');
            string body = ReadBody(source, header);
            line = ReadLine(source);
            if (fileKey is null && arguments is [Kind, var share])
                fileKey = Unwrap(FromBase64(share, KeyBytes), FromBase64(body, FileKeyBytes + TagBytes), identities);
        }

        header.Append(End);
        if (fileKey is null)
        {
            throw new RefusalException(Refusal.BackupKeyWrong, "identity: none of its keys opens this file; it was encrypted to others")
            {
                Field = "identity",
            };
        }

        if (!line.StartsWith(MacStart, StringComparison.Ordinal)
            || !CryptographicOperations.FixedTimeEquals(MacOf(fileKey, header.ToString()), FromBase64(line[MacStart.Length..], KeyBytes)))
            throw Damaged("its header was changed");
        return fileKey;
    }

    private static void Wrap(StringBuilder text, AgeRecipient recipient, byte[] fileKey)
    {
        using AgeIdentity ephemeral = AgeIdentity.Generate();
        byte[] share = ephemeral.Recipient.PublicKey;
        Span<byte> shared = stackalloc byte[KeyBytes];
        if (!ephemeral.TryAgree(recipient.PublicKey, shared))
        {
            throw new RefusalException(Refusal.InvalidArgument, $"recipient {recipient.Text} is a point that nobody has the key of")
            {
                Field = "recipient",
            };
        }

        byte[] wrapped = new byte[FileKeyBytes + TagBytes];
        using ChaCha20Poly1305 cipher = new(WrapKey(shared, share, recipient.PublicKey));
        cipher.Encrypt(new byte[NonceBytes], fileKey, wrapped.AsSpan(0, FileKeyBytes), wrapped.AsSpan(FileKeyBytes));
        text.Append(StanzaStart).Append(Kind).Append(' ').Append(Base64(share)).Append('\n').Append(Base64(wrapped)).Append('\n');
    }

    private static byte[]? Unwrap(byte[] share, byte[] wrapped, IReadOnlyList<AgeIdentity> identities)
    {
        Span<byte> shared = stackalloc byte[KeyBytes];
        foreach (AgeIdentity identity in identities)
        {
            if (!identity.TryAgree(share, shared)) continue;
            byte[] fileKey = new byte[FileKeyBytes];
            using ChaCha20Poly1305 cipher = new(WrapKey(shared, share, identity.Recipient.PublicKey));
            try
            {
                cipher.Decrypt(new byte[NonceBytes], wrapped.AsSpan(0, FileKeyBytes), wrapped.AsSpan(FileKeyBytes), fileKey);
                return fileKey;
            }
            catch (AuthenticationTagMismatchException)
            {
                // For somebody else.
            }
        }

        return null;
    }

    private static byte[] WrapKey(ReadOnlySpan<byte> shared, byte[] share, byte[] recipient) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, shared.ToArray(), KeyBytes, [.. share, .. recipient], Encoding.ASCII.GetBytes(WrapInfo));

    private static byte[] MacOf(byte[] fileKey, string header) => HMACSHA256.HashData(
        HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, KeyBytes, [], "header"u8.ToArray()), Encoding.ASCII.GetBytes(header));

    /// <summary>Lines of 64 letters up to a shorter one.</summary>
    private static string ReadBody(Stream source, StringBuilder header)
    {
        StringBuilder body = new();
        for (int lines = 0; lines < LinesMax; lines++)
        {
            string line = ReadLine(source);
            header.Append(line).Append('\n');
            body.Append(line);
            if (line.Length < BodyColumns) return body.ToString();
        }

        throw Damaged("its header is not one");
    }

    private static string ReadLine(Stream source)
    {
        StringBuilder line = new();
        for (int next = source.ReadByte(); next != '\n'; next = source.ReadByte())
        {
            if (next < 0) throw Damaged("it ends within its header");
            if (next is < 32 or > 126 || line.Length == LineBytesMax) throw Damaged("it does not begin as an age file does");
            line.Append((char)next);
        }

        return line.ToString();
    }

    private static string Base64(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    private static byte[] FromBase64(string text, int length)
    {
        var bytes = new byte[length];
        string padded = text.PadRight((text.Length + 3) / 4 * 4, '=');
        return Convert.TryFromBase64String(padded, bytes, out int found) && found == length && Base64(bytes) == text
            ? bytes
            : throw Damaged("its header holds what is no key");
    }

    public static RefusalException Damaged(string how) => new(Refusal.BackupDamaged, $"the backup is damaged: {how}");
}
