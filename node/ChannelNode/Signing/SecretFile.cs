using System.Runtime.InteropServices;
using ChannelNode.Engine;
using Microsoft.Win32.SafeHandles;

namespace ChannelNode.Signing;

/// <summary>
/// Files that nobody but their owner may read. They are complete or do not exist: what is written becomes durable under
/// another name first.
/// </summary>
internal static partial class SecretFile
{
    private const string NeedsUnix = "key files need Unix permissions";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute |
        UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>All of a file, or its first <paramref name="bytesMax"/> bytes; refused where others may use it.</summary>
    public static Secret Read(string what, string path, int bytesMax)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException(NeedsUnix);
        Secret content = new(bytesMax);
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            UnixFileMode mode = File.GetUnixFileMode(file.SafeFileHandle);
            if ((mode & (FileTrouble.IsFromServiceManager(path) ? Others & ~UnixFileMode.GroupRead : Others)) != 0)
            {
                throw new KeyFileException(
                    $"{path} may be used by others than its owner (mode {Convert.ToString((int)mode, 8)}): "
                    + $"restrict it with: chmod 600 {path}");
            }

            return content.Take(file.ReadAtLeast(content.Room, bytesMax, throwOnEndOfStream: false));
        }
        catch (Exception failure)
        {
            content.Dispose();
            if (failure is KeyFileException || failure is not (IOException or UnauthorizedAccessException)) throw;
            throw new KeyFileException($"the {what} {path} {FileTrouble.WhyUnread(path, failure)}", failure);
        }
    }

    /// <summary>Never overwrites: throws when <paramref name="path"/> is there already.</summary>
    public static void Create(string what, string path, ReadOnlySpan<byte> content) =>
        Write(what, path, content, Publish);

    /// <summary>In place of the file that is there, which stays as it is until the new one is durable.</summary>
    public static void Replace(string what, string path, ReadOnlySpan<byte> content) =>
        Write(what, path, content, static (unfinished, path) => File.Move(unfinished, path, overwrite: true));

    private static void Write(string what, string path, ReadOnlySpan<byte> content, Action<string, string> publish)
    {
        string unfinished = $"{path}.{Guid.NewGuid():N}";
        try
        {
            string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
            Directory.CreateDirectory(folder);
            WriteDurably(unfinished, content);
            publish(unfinished, path);
            Synchronize(folder);
        }
        catch (Exception failure) when (failure is not KeyFileException && failure is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"the {what} {path} {FileTrouble.WhyUnwritten(path, failure)}", failure);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    private static void WriteDurably(string path, ReadOnlySpan<byte> content)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException(NeedsUnix);
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = OwnerOnly,
        });
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    /// <summary>link(2) is the one call that gives a finished file its name and fails where the name is taken.</summary>
    private static void Publish(string unfinished, string path)
    {
        if (Link(unfinished, path) == 0) return;
        throw new KeyFileException(File.Exists(path)
            ? $"{path} exists already, and a key is never overwritten"
            : $"cannot write the key file {path}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>A name is durable when its folder is. File systems that cannot do that need not.</summary>
    private static void Synchronize(string folder)
    {
        using SafeFileHandle handle = Open(folder, 0);
        if (!handle.IsInvalid) _ = Fsync(handle);
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string created);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle file);
}
