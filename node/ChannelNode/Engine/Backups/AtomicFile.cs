using System.Runtime.InteropServices;

namespace ChannelNode.Engine;

/// <summary>
/// A file that appears under its name when it is whole and on the disk, or not at all. Only its owner may read it.
/// </summary>
internal sealed partial class AtomicFile : IAsyncDisposable
{
    /// <summary>How the name ends of one that is being written, or was when its process died.</summary>
    public const string Unfinished = ".part";

    private const int OpenReadOnly = 0;

    private readonly string _path;
    private readonly string _unfinished;

    private readonly bool _replaces;

    private AtomicFile(string path, bool replaces)
    {
        _replaces = replaces;
        _path = Path.GetFullPath(path);
        _unfinished = $"{_path}.{Guid.NewGuid():N}{Unfinished}";
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Options = FileOptions.Asynchronous,
        };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            Content = new FileStream(_unfinished, options);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{path} {FileTrouble.WhyUnwritten(path, error)}", error);
        }
    }

    public FileStream Content { get; }

    /// <param name="replaces">Whether what is there under the name may go; else finishing throws <see cref="IOException"/>.</param>
    public static AtomicFile Create(string path, bool replaces) => new(path, replaces);

    /// <summary>All is written: it is on the disk under its name when this returns.</summary>
    public async Task FinishAsync(CancellationToken cancel)
    {
        await Content.FlushAsync(cancel);
        Content.Flush(flushToDisk: true);
        await Content.DisposeAsync();
        File.Move(_unfinished, _path, _replaces);
        SyncFolder(Path.GetDirectoryName(_path)!);
    }

    /// <summary>What was renamed, made or removed in a folder is on the disk when this returns.</summary>
    public static void SyncFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        int handle = Open(folder, OpenReadOnly);
        if (handle < 0) throw new IOException($"{folder} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}");
        try
        {
            if (Sync(handle) < 0) throw new IOException($"{folder} cannot be synced: {Marshal.GetLastPInvokeErrorMessage()}");
        }
        finally
        {
            _ = Close(handle);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Content.DisposeAsync();
        File.Delete(_unfinished);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int handle);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int handle);
}
