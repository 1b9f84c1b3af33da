namespace ChannelNode.Storage;

/// <summary>What files take, and what is left where they lie. Bytes.</summary>
internal static class DiskSpace
{
    /// <summary>Files that come and go meanwhile may count or not.</summary>
    public static ulong UsedBy(string directory, string pattern = "*")
    {
        ulong bytes = 0;
        foreach (FileInfo file in new DirectoryInfo(directory).EnumerateFiles(pattern))
        {
            try
            {
                bytes += (ulong)file.Length;
            }
            catch (FileNotFoundException)
            {
                // Dropped while the folder was read.
            }
        }

        return bytes;
    }

    public static (ulong Free, ulong Total) Around(string directory)
    {
        // On Unix any folder stands for the file system that it lies in; on Windows only its root does.
        DriveInfo drive = new(OperatingSystem.IsWindows() ? Path.GetPathRoot(directory)! : directory);
        return ((ulong)drive.AvailableFreeSpace, (ulong)drive.TotalSize);
    }
}
