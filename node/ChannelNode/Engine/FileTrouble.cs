using System.Runtime.InteropServices;

namespace ChannelNode.Engine;

/// <summary>
/// Why a file or a folder cannot be used, in the words of who has to mend it rather than of the library that tried. Each answer
/// stands behind the path: "is not there".
/// </summary>
internal static partial class FileTrouble
{
    private const int Writing = 2, Entering = 1;

    /// <summary>
    /// Credentials that systemd loads belong to root and are opened to the service's user alone, by an access list: where the file
    /// system has those, the list's mask stands where the group's permissions would.
    /// </summary>
    public static bool IsFromServiceManager(string path) =>
        Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY") is { Length: > 0 } folder
        && Path.GetDirectoryName(Path.GetFullPath(path)) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));

    /// <summary>What was behind <paramref name="error"/>, which reading the file has thrown.</summary>
    public static string WhyUnread(string path, Exception error)
    {
        if (Directory.Exists(path)) return "is a folder, expected a file";
        return error switch
        {
            FileNotFoundException or DirectoryNotFoundException => "is not there" + WhereItEnds(path),
            UnauthorizedAccessException => $"may not be read by {Environment.UserName}, as whom this runs{ModeOf(path)}",
            _ => $"cannot be read: {error.Message}",
        };
    }

    /// <summary>What was behind <paramref name="error"/>, which writing the file has thrown.</summary>
    public static string WhyUnwritten(string path, Exception error)
    {
        if (Directory.Exists(path)) return "is a folder, expected a file";
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        return error switch
        {
            DirectoryNotFoundException => "cannot be written" + WhereItEnds(path),
            UnauthorizedAccessException =>
                $"cannot be written: {(File.Exists(path) ? path : folder)} may not be written to by {Environment.UserName}, as whom this runs",
            _ => $"cannot be written: {error.Message}",
        };
    }

    /// <summary>A sentence for people about what nobody has put in words yet: the library's, where it is none about a path.</summary>
    public static string Sentence(Exception error)
    {
        string[] parts = error.Message.Split('\'');
        string path = parts.Length == 3 ? parts[1] : "";
        if (path.Length == 0) return error.Message;
        return error switch
        {
            FileNotFoundException or DirectoryNotFoundException => $"{path} {WhyUnread(path, error)}",
            IOException when File.Exists(path) && error.HResult == Errno.Exists => $"{path} is there already: name a file that is not",
            UnauthorizedAccessException when Directory.Exists(path) => $"{path} is a folder, expected a file",
            UnauthorizedAccessException => $"{path} may not be used by {Environment.UserName}, as whom this runs{ModeOf(path)}",
            _ => error.Message,
        };
    }

    /// <summary>Why nothing can be made in a folder, which need not be there yet; null where it can. Makes nothing itself.</summary>
    public static string? WhyUnusable(string folder)
    {
        string full = Path.GetFullPath(folder), there = full;
        while (!Path.Exists(there) && Path.GetDirectoryName(there) is { } above) there = above;
        bool isThere = there == full;
        if (!Directory.Exists(there)) return isThere ? "is a file, expected a folder" : $"cannot be made: {there} is a file";
        if (OperatingSystem.IsWindows() || Access(there, Writing | Entering) == 0) return null;
        string why = Marshal.GetLastPInvokeError() == Errno.ReadOnly
            ? "is on a file system that is read only"
            : $"may not be written to by {Environment.UserName}, as whom this runs{ModeOf(there)}";
        return isThere ? why : $"cannot be made: {there} {why}";
    }

    /// <summary>The folder that is missing, where it is not the file alone.</summary>
    private static string WhereItEnds(string path)
    {
        string? missing = null;
        for (string? at = Path.GetDirectoryName(Path.GetFullPath(path)); at is not null && !Directory.Exists(at); at = Path.GetDirectoryName(at))
        {
            if (File.Exists(at)) return $": {at} is a file";
            missing = at;
        }

        return missing is null ? "" : $": there is no folder {missing}";
    }

    private static string ModeOf(string path)
    {
        if (OperatingSystem.IsWindows() || !Path.Exists(path)) return "";
        return $" (mode {Convert.ToString((int)File.GetUnixFileMode(path), 8)})";
    }

    private static class Errno
    {
        public const int Exists = 17, ReadOnly = 30;
    }

    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);
}
