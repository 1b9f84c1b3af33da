using System.Formats.Tar;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Backups;

/// <summary>
/// A backup's file: a tar archive, encrypted as age does. <c>age -d -i KEYFILE FILE | tar x</c> unpacks it: manifest.json,
/// and the folder database.
/// </summary>
internal static class BackupArchive
{
    private const string ManifestName = "manifest.json";
    private const string FolderName = "database/";
    private const int ManifestBytesMax = 64 * 1024;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Writes the files of a folder, which must not change meanwhile.</summary>
    public static async Task WriteAsync(
        Stream target, IReadOnlyList<AgeRecipient> recipients, BackupManifest manifest, string folder, CancellationToken cancel)
    {
        await using AgeWriteStream encrypted = new(target, recipients);
        await using (TarWriter tar = new(encrypted, TarEntryFormat.Pax, leaveOpen: true))
        {
            using MemoryStream json = new(manifest.Write());
            await tar.WriteEntryAsync(Entry(ManifestName, json), cancel);
            foreach (string file in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
            {
                await using FileStream content = File.OpenRead(file);
                await tar.WriteEntryAsync(Entry(FolderName + Path.GetFileName(file), content), cancel);
            }
        }

        await encrypted.FinishAsync(cancel);
    }

    private static PaxTarEntry Entry(string name, Stream content) =>
        new(TarEntryType.RegularFile, name) { DataStream = content, Mode = OwnerOnly };

    /// <summary>
    /// Unpacks into an empty folder, every file synced. Throws <see cref="RefusalException"/> when the file is not whole and as
    /// it was written, or is encrypted to others; what is in the folder then is worth nothing. <paramref name="unpacked"/> is called after
    /// each file.
    /// </summary>
    public static async Task<BackupManifest> ReadAsync(
        Stream source, IReadOnlyList<AgeIdentity> identities, string folder, Action? unpacked, CancellationToken cancel)
    {
        await using AgeReadStream plain = new(source, identities);
        BackupManifest? manifest = null;
        try
        {
            await using TarReader tar = new(plain, leaveOpen: true);
            while (await tar.GetNextEntryAsync(copyData: false, cancel) is { } entry)
            {
                if (manifest is null) manifest = await ReadManifestAsync(entry, cancel);
                else await UnpackAsync(entry, folder, cancel);
                unpacked?.Invoke();
            }
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw AgeHeader.Damaged($"it holds no archive ({error.Message})");
        }

        await plain.CheckRestAsync(cancel);
        return manifest ?? throw AgeHeader.Damaged("it holds nothing");
    }

    private static async Task<BackupManifest> ReadManifestAsync(TarEntry entry, CancellationToken cancel)
    {
        if (entry.Name != ManifestName || entry.Length > ManifestBytesMax || entry.DataStream is null)
            throw AgeHeader.Damaged("it does not say what it holds");
        using MemoryStream json = new();
        await entry.DataStream.CopyToAsync(json, cancel);
        return BackupManifest.Read(json.ToArray());
    }

    /// <summary>Only what a backup holds: plain files of one folder. Nothing of a stranger's archive lands elsewhere.</summary>
    private static async Task UnpackAsync(TarEntry entry, string folder, CancellationToken cancel)
    {
        string name = entry.Name.StartsWith(FolderName, StringComparison.Ordinal) ? entry.Name[FolderName.Length..] : string.Empty;
        if (entry.EntryType != TarEntryType.RegularFile || name.Length == 0 || name != Path.GetFileName(name) || name is "." or "..")
            throw AgeHeader.Damaged($"it holds '{entry.Name}', which no backup does");
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        await using FileStream file = new(Path.Combine(folder, name), options);
        if (entry.DataStream is { } content) await content.CopyToAsync(file, cancel);
        file.Flush(flushToDisk: true);
    }
}
