using System.Buffers;
using System.Security.Cryptography;
using ChannelNode.Core;

namespace ChannelNode.Signing;

/// <summary>
/// A key or password file is missing, readable by others, or not what it should be; or the password is not the one. The
/// message is for people and never shows a secret.
/// </summary>
internal sealed class KeyFileException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>
/// A file with one private key that nobody but its owner may read: a keystore, encrypted, or in the open (0x and 64 hex
/// digits), which is for tests.
/// </summary>
internal static class KeyFile
{
    private const string What = "key file";
    private const int FileBytesMax = 64 * 1024;
    private const int HexDigits = PrivateKey.Size * 2;

    /// <summary>Longer ones are cut: what is read of a password file, and the longest that a prompt takes.</summary>
    public const int PasswordBytesMax = 1_024;

    /// <summary>Asks for a password only where the file is a keystore; without a way to ask, such a file is refused.</summary>
    public static PrivateKey Read(string path, Func<Secret>? password = null)
    {
        using Secret content = SecretFile.Read(What, path, FileBytesMax);
        if (!IsKeystore(content)) return ReadPlain(path, content);
        Keystore keystore = Keystore.Parse(path, content.Bytes.ToArray());
        if (password is null) throw new KeyFileException($"{path} is encrypted, and there is no password for it");
        using Secret given = password();
        return keystore.Decrypt(path, given);
    }

    /// <summary>Whether opening the file takes a password.</summary>
    public static bool IsEncrypted(string path)
    {
        using Secret content = SecretFile.Read(What, path, FileBytesMax);
        return IsKeystore(content);
    }

    /// <summary>What an encrypted file says of whose key it holds, which nothing proves; null where it says nothing.</summary>
    public static Address? AddressSaid(string path)
    {
        using Secret content = SecretFile.Read(What, path, FileBytesMax);
        return IsKeystore(content) ? Keystore.Parse(path, content.Bytes.ToArray()).Address : null;
    }

    /// <summary>
    /// Makes a new key and its file, encrypted where there is a password. Never overwrites: throws when
    /// <paramref name="path"/> is there already.
    /// </summary>
    public static PrivateKey Create(string path, Secret? password = null, KeystoreCost? cost = null)
    {
        PrivateKey key = PrivateKey.Generate();
        try
        {
            Write(path, key, password, cost);
            return key;
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    /// <summary>A file for a key that exists already. Never overwrites.</summary>
    public static void Write(string path, PrivateKey key, Secret? password, KeystoreCost? cost = null)
    {
        if (password is not null)
        {
            SecretFile.Create(What, path, Keystore.Encrypt(key, password, cost ?? KeystoreCost.Standard));
            return;
        }

        using Secret text = new(2 + HexDigits + 1);
        "0x"u8.CopyTo(text.Room);
        key.WriteHex(text.Room[2..]);
        text.Room[^1] = (byte)'\n';
        SecretFile.Create(What, path, text.Room);
    }

    /// <summary>
    /// Puts the same key under another password, or a plain one under its first. The old file goes when the new one is
    /// durable and was opened with the password.
    /// </summary>
    public static void ChangePassword(string path, PrivateKey key, Secret password, KeystoreCost? cost = null)
    {
        byte[] content = Keystore.Encrypt(key, password, cost ?? KeystoreCost.Standard);
        Keystore.Parse(path, content).Decrypt(path, password).Dispose();
        SecretFile.Replace(What, path, content);
    }

    /// <summary>The key that a text shows: 64 hex digits, with or without 0x. <paramref name="from"/> names it in messages.</summary>
    public static PrivateKey ReadPlain(string from, Secret content)
    {
        Span<byte> key = stackalloc byte[PrivateKey.Size];
        try
        {
            if (!TryParse(content.Bytes, key) || !Secp256k1.IsPrivateKey(key))
                throw new KeyFileException($"{from} does not hold a private key: 0x and 64 hex digits are expected, or a keystore");
            return new PrivateKey(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>A file's text without the end of its line.</summary>
    public static Secret ReadPassword(string path)
    {
        using Secret content = SecretFile.Read("password file", path, PasswordBytesMax);
        ReadOnlySpan<byte> text = content.Bytes.TrimEnd("\r\n"u8);
        return text.Length > 0 ? new Secret(text) : throw new KeyFileException($"the password file {path} is empty");
    }

    private static bool IsKeystore(Secret content) => content.Bytes.TrimStart(" \t\r\n"u8).StartsWith("{"u8);

    private static bool TryParse(ReadOnlySpan<byte> text, Span<byte> key)
    {
        text = text.Trim(" \t\r\n"u8);
        if (text.StartsWith("0x"u8)) text = text[2..];
        return text.Length == HexDigits && Convert.FromHexString(text, key, out _, out _) == OperationStatus.Done;
    }
}
