using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Grpc.Webhooks;
using ChannelNode.Signing;
using ChannelNode.Storage;

namespace ChannelNode;

/// <summary>
/// What is wrong with the files and folders that settings name: found before anything is made, by 'config check' as by a start.
/// Makes nothing, asks for no password, and opens no database but where its key is missing.
/// </summary>
internal static class Preflight
{
    private const string KeyFlag = "--key-file";
    private const string FolderFlag = "--data-dir";

    /// <summary>While it cannot be read nobody knows what is given in it in place of a default.</summary>
    private const string SettingsFlag = "--config";

    /// <summary>Of a watchtower nothing is made, not even on a chain for trying.</summary>
    public static IReadOnlyList<SettingFault> Of(WatchtowerOptions options) => [.. Of(options.Node with { IsTrial = false }, options.Tls)];

    public static IReadOnlyList<SettingFault> Of(NodeOptions options) =>
    [
        .. Of(options, options.ApiTls || options.PeerTls), .. OfSocket(options), .. OfBackups(options),
        .. options.Applications.Webhooks.SelectMany(webhook => Tried(
            "--webhook-secret-file", () => WebhookSecrets.Read(webhook.SecretFile), "--webhook-url")),
    ];

    private static IEnumerable<SettingFault> Of(NodeOptions options, bool servesTls) =>
        [.. OfFolder(options), .. OfKey(options), .. OfTls(options, servesTls)];

    private static IEnumerable<SettingFault> OfFolder(NodeOptions options)
    {
        if (options.DataDirectory.Length == 0) yield break; // Missing, which is told already.
        if (FileTrouble.WhyUnusable(options.DataDirectory) is { } why)
            yield return new SettingFault(FolderFlag, $"{FolderFlag}: {options.DataDirectory} {why}", "--network", SettingsFlag);
    }

    private static IEnumerable<SettingFault> OfSocket(NodeOptions options)
    {
        if (DoorSocket.WhyUnusable(DoorAddress.Parse(options.ApiListen)) is { } why)
            yield return new SettingFault("--api-listen", $"--api-listen: {options.ApiListen} {why}", SettingsFlag);
    }

    /// <summary>Made by who gives it, never by the node: where a disk is not mounted, backups would fill the one below it.</summary>
    private static IEnumerable<SettingFault> OfBackups(NodeOptions options)
    {
        if (options.BackupTo.Length == 0) yield break;
        string? why = Path.Exists(options.BackupTo)
            ? FileTrouble.WhyUnusable(options.BackupTo)
            : "is not there: backups go to a folder that is there and may be written to";
        if (why is not null)
            yield return new SettingFault("--backup-to", $"--backup-to: {options.BackupTo} {why}", SettingsFlag) { IsBearable = true };
    }

    private static IEnumerable<SettingFault> OfKey(NodeOptions options)
    {
        string[] beside = ["--signer-url", "--network", FolderFlag, SettingsFlag];
        if (options.SignerUrl.Length > 0) return [];
        if (File.Exists(options.KeyFile) || Directory.Exists(options.KeyFile))
        {
            return
            [
                .. Tried(KeyFlag, () => KeyDesk.Check(options.KeyFile), beside),
                .. options.PasswordFile.Length == 0 ? []
                    : Tried("--password-file", () => KeyDesk.CheckPassword(options.KeyFile, options.PasswordFile), [KeyFlag, .. beside]),
            ];
        }

        IEnumerable<SettingFault> password = Missing("--password-file", options.PasswordFile);
        if (!options.IsTrial)
        {
            return
            [
                new SettingFault(
                    KeyFlag, $"{KeyFlag}: {options.KeyFile} {FileTrouble.WhyUnread(options.KeyFile, new FileNotFoundException())}; "
                    + "'channelnode key new' makes one", beside),
                .. password,
            ];
        }

        if (StoreOpening.IsDatabase(options.DataDirectory)) return [.. Tried(KeyFlag, () => Trial.RequireKey(options), beside), .. password];
        string folder = Path.GetDirectoryName(Path.GetFullPath(options.KeyFile)) ?? "/";
        bool isOurs = folder == Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.DataDirectory));
        return !isOurs && FileTrouble.WhyUnusable(folder) is { } why
            ? [new SettingFault(KeyFlag, $"{KeyFlag}: {folder} {why}", beside), .. password]
            : password;
    }

    private static IEnumerable<SettingFault> OfTls(NodeOptions options, bool isServed)
    {
        // One without the other, and both without a door, are told already.
        SettingFault[] missing = [.. Missing("--tls-cert", options.TlsCertificate), .. Missing("--tls-key", options.TlsKey)];
        if (missing.Length > 0 || !isServed || options.TlsCertificate.Length > 0 != options.TlsKey.Length > 0) return missing;
        return Tried("--tls-cert", () => TlsCertificate.Check(options, TimeProvider.System), "--tls-key", FolderFlag);
    }

    /// <summary>Of what is looked at no further.</summary>
    private static IEnumerable<SettingFault> Missing(string flag, string path) => path.Length == 0 || File.Exists(path)
        ? []
        : [new SettingFault(flag, $"{flag}: {path} {FileTrouble.WhyUnread(path, new FileNotFoundException())}", SettingsFlag)];

    /// <summary>The fault by which reading something is refused; none where it is not.</summary>
    private static IEnumerable<SettingFault> Tried(string flag, Action read, params string[] beside)
    {
        try
        {
            read();
            return [];
        }
        catch (RefusalException refusal)
        {
            return [new SettingFault(refusal.Field ?? flag, refusal.Message, [.. beside, flag])];
        }
        catch (IOException error)
        {
            return [new SettingFault(flag, $"{flag}: {error.Message}", beside)];
        }
    }
}
