using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ChannelNode.Core;

namespace ChannelNode.Signing;

/// <summary>The key file is missing, readable by others, or not a key. The message is for people and never shows the content.</summary>
internal sealed class KeyFileException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>A file with one private key, 0x and 64 hex digits, that nobody but its owner may read.</summary>
internal static partial class KeyFile
{
    private const int FileBytesMax = 128;
    private const int HexDigits = PrivateKey.Size * 2;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute |
        UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    public static PrivateKey Read(string path)
    {
        Span<byte> text = stackalloc byte[FileBytesMax];
        Span<byte> key = stackalloc byte[PrivateKey.Size];
        try
        {
            int length = ReadFile(path, text);
            if (!TryParse(text[..length], key) || !Secp256k1.IsPrivateKey(key))
                throw new KeyFileException($"{path} does not hold a private key: 0x and 64 hex digits are expected");
            return new PrivateKey(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(text);
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>
    /// Makes a new key and its file, which is complete or does not exist. Never overwrites: throws when
    /// <paramref name="path"/> is there already.
    /// </summary>
    public static PrivateKey Create(string path)
    {
        PrivateKey key = PrivateKey.Generate();
        string unfinished = $"{path}.{Guid.NewGuid():N}";
        try
        {
            string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
            if (folder is not null) Directory.CreateDirectory(folder);
            WriteFile(unfinished, key);
            Publish(unfinished, path);
            return key;
        }
        catch (Exception failure)
        {
            key.Dispose();
            if (failure is not (IOException or UnauthorizedAccessException)) throw;
            throw new KeyFileException($"cannot write the key file {path}: {failure.Message}", failure);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    private static int ReadFile(string path, Span<byte> target)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException("key files need Unix permissions");
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            UnixFileMode mode = File.GetUnixFileMode(file.SafeFileHandle);
            if ((mode & Others) != 0)
            {
                throw new KeyFileException(
                    $"{path} may be used by others than its owner (mode {Convert.ToString((int)mode, 8)}): "
                    + $"restrict it with: chmod 600 {path}");
            }

            return file.ReadAtLeast(target, target.Length, throwOnEndOfStream: false);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"cannot read the key file {path}: {failure.Message}", failure);
        }
    }

    private static bool TryParse(ReadOnlySpan<byte> text, Span<byte> key)
    {
        text = text.Trim(" \t\r\n"u8);
        if (text.StartsWith("0x"u8)) text = text[2..];
        return text.Length == HexDigits && Convert.FromHexString(text, key, out _, out _) == OperationStatus.Done;
    }

    private static void WriteFile(string path, PrivateKey key)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException("key files need Unix permissions");
        Span<byte> text = stackalloc byte[2 + HexDigits + 1];
        try
        {
            "0x"u8.CopyTo(text);
            key.WriteHex(text[2..]);
            text[^1] = (byte)'\n';
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                BufferSize = 0,
                UnixCreateMode = OwnerOnly,
            });
            file.Write(text);
            file.Flush(flushToDisk: true);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(text);
        }
    }

    /// <summary>link(2) is the one call that gives a finished file its name and fails where the name is taken.</summary>
    private static void Publish(string unfinished, string path)
    {
        if (Link(unfinished, path) == 0) return;
        throw new KeyFileException(File.Exists(path)
            ? $"{path} exists already, and a key is never overwritten"
            : $"cannot write the key file {path}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string created);
}
