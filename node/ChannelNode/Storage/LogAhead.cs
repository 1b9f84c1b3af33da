using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ChannelNode.Storage;

/// <summary>
/// Keeps the file of RocksDB's log longer than what is in it, by zeros. A synced write at the end of a file has to write its new length too,
/// elsewhere on the disk; one over zeros that an earlier sync took there has not, so it takes a third less. Who reads a log after a crash
/// finds zeros where it ends, as file systems leave them there anyhow, and RocksDB takes them for its end. RocksDB writes from where
/// it stands, not from the file's end; the zeros are appended by the system in one step, so nothing that any thread of RocksDB writes meanwhile
/// lies under them. On Linux, and file systems that are known for that, only. For one thread at a time.
/// </summary>
internal sealed partial class LogAhead(string directory)
{
    private const int StepBytes = 512 << 10;

    /// <summary>More are written before fewer than so many are left.</summary>
    private const int LeastBytes = 64 << 10;

    /// <summary>A larger write takes so long that the file's length hardly counts, and zeros before it would be as much again.</summary>
    private const int LargeBytes = 16 << 10;

    /// <summary>So many small writes in a row are worth zeros.</summary>
    private const int SmallWrites = 16;

    /// <summary>A new log may have so many writes before it is looked for: each look would be a fiftieth of a sync.</summary>
    private const int WritesPerLook = 16;

    /// <summary>What RocksDB puts around a write, and a little for the borders of blocks.</summary>
    private const int FrameBytes = 8;

    private const int WriteOnly = 1, Append = 0x400, CloseOnExec = 0x80000;

    /// <summary>File systems tell times in ticks: what changes twice in one looks as if it had changed once.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private static readonly byte[] Zeros = new byte[StepBytes];

    /// <summary>Others, of networks above all, may ask for the end and write there in two steps.</summary>
    private static readonly string[] AppendingInOneStep = ["ext", "xfs", "btrfs", "f2fs", "zfs", "overlay", "tmpfs"];

    private readonly bool _isSafe = OperatingSystem.IsLinux() && AppendsInOneStep(directory);
    private string? _log;
    private DateTime _folderChanged;

    /// <summary>Where the newest zeros began.</summary>
    private long _begin;
    private long _left;
    private int _small;
    private int _sinceLook;

    /// <summary>To be called when so many bytes have been written to the log. What goes wrong here is of no consequence, and never thrown.</summary>
    public void Wrote(int bytes)
    {
        _left -= bytes + FrameBytes;
        _small = bytes > LargeBytes ? 0 : Math.Min(SmallWrites, _small + 1);
        if (_small < SmallWrites || !_isSafe) return;
        if (++_sinceLook < WritesPerLook && _left >= LeastBytes) return;
        try
        {
            _sinceLook = 0;
            FindLog();
            if (_left < LeastBytes) Extend();
        }
        catch (Exception)
        {
            _left = StepBytes; // A disk that fails is found by the next write.
        }
    }

    private static bool AppendsInOneStep(string directory)
    {
        try
        {
            string format = new DriveInfo(directory).DriveFormat;
            return AppendingInOneStep.Any(known => format.StartsWith(known, StringComparison.Ordinal));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Zeros, or whatever else, behind everything that is in the file at that moment.</summary>
    internal static void AppendTo(string file, ReadOnlySpan<byte> what)
    {
        using SafeFileHandle handle = Open(file, WriteOnly | Append | CloseOnExec);
        if (handle.IsInvalid || Write(handle, what, what.Length) < 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    /// <summary>A look at the folder's time, while no file came or went.</summary>
    private void FindLog()
    {
        DateTime changed = Directory.GetLastWriteTimeUtc(directory);
        if (changed == _folderChanged) return;
        string? newest = Directory.EnumerateFiles(directory, "*.log").MaxBy(NumberOf);
        _folderChanged = (DateTime.UtcNow - changed).Duration() > Tick ? changed : default;
        if (newest == _log) return;
        (_log, _begin, _left) = (newest, 0, 0);
    }

    /// <summary>RocksDB counts its logs; what is somebody else's comes before all of them.</summary>
    private static ulong NumberOf(string log) =>
        ulong.TryParse(Path.GetFileNameWithoutExtension(log), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : 0;

    private void Extend()
    {
        _left = Math.Max(_left, 0) + StepBytes;
        if (_log is null || NumberOf(_log) == 0 || !IsWrittenTo(_log)) return;
        _begin = new FileInfo(_log).Length;
        AppendTo(_log, Zeros);
    }

    /// <summary>Whatever is called a log and is none would else grow for ever.</summary>
    private bool IsWrittenTo(string log)
    {
        using SafeFileHandle file = File.OpenHandle(log, share: FileShare.ReadWrite | FileShare.Delete);
        Span<byte> begun = stackalloc byte[4 << 10];
        return begun[..RandomAccess.Read(file, begun, _begin)].ContainsAnyExcept((byte)0);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, nint count);
}
