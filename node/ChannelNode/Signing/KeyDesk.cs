using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Signing;

/// <summary>What is done with key files, by people and at a node's start. An empty name of a password file: none is given.</summary>
internal static class KeyDesk
{
    /// <summary>The signer of a node: its key, or the program that holds it.</summary>
    public static async Task<ISigner> OpenAsync(KeySource source, TimeProvider time, ILogger log, CancellationToken cancel) =>
        source.SignerUrl.Length == 0
            ? Open(source.File, source.PasswordFile)
            : await ExternalSigner.ConnectAsync(source, time, log, cancel);

    private static PrivateKey Open(string path, string passwordFile)
    {
        CoreDumps.Forbid(hide: false);
        return KeyFile.Read(path, () =>
        {
            CoreDumps.Forbid(hide: true);
            return Passwords.ToOpen(path, passwordFile);
        });
    }

    /// <summary>Throws where the file could not be opened, whatever the password.</summary>
    public static void Check(string path)
    {
        if (IsPassedOn(path)) return;
        CoreDumps.Forbid(hide: false);
        if (KeyFile.IsEncrypted(path)) _ = KeyFile.AddressSaid(path);
        else KeyFile.Read(path).Dispose();
    }

    /// <summary>Throws where a password that is needed cannot be read. Whether it is the right one takes the time to try it.</summary>
    public static void CheckPassword(string path, string passwordFile)
    {
        if (!IsPassedOn(path) && !IsPassedOn(passwordFile) && IsKeystore(path)) KeyFile.ReadPassword(passwordFile).Dispose();
    }

    private static bool IsKeystore(string path)
    {
        try
        {
            return KeyFile.IsEncrypted(path);
        }
        catch (KeyFileException)
        {
            return false; // Told of the key file.
        }
    }

    /// <summary>What a shell passes on, such as /dev/fd/63, can be read once only.</summary>
    private static bool IsPassedOn(string path) =>
        Path.GetFullPath(path) is var full && (full.StartsWith("/dev/", StringComparison.Ordinal) || full.StartsWith("/proc/", StringComparison.Ordinal));

    public static Address Create(string path, bool plain, string passwordFile)
    {
        CoreDumps.Forbid(hide: !plain);
        using Secret? password = NewPassword(path, plain, passwordFile);
        using PrivateKey key = KeyFile.Create(path, password);
        return key.Address;
    }

    /// <summary>A key in hex, from a file (which stays), or from the terminal where none is named.</summary>
    public static Address Import(string path, string from, bool plain, string passwordFile)
    {
        CoreDumps.Forbid(hide: true);
        using PrivateKey key = ReadHex(from);
        using Secret? password = NewPassword(path, plain, passwordFile);
        KeyFile.Write(path, key, password);
        return key.Address;
    }

    /// <summary>As a keystore says, without its password; or proven by its key, which takes the password.</summary>
    public static (Address Address, bool IsProven) AddressOf(string path, bool prove, string passwordFile)
    {
        if (!prove && KeyFile.AddressSaid(path) is { } said) return (said, false);
        using PrivateKey key = Open(path, passwordFile);
        return (key.Address, true);
    }

    public static Address ChangePassword(string path, string passwordFile, string newPasswordFile)
    {
        using PrivateKey key = Open(path, passwordFile);
        CoreDumps.Forbid(hide: true);
        using Secret password = Passwords.ForNew(path, newPasswordFile, "--new-password-file", Passwords.NewVariable);
        KeyFile.ChangePassword(path, key, password);
        return key.Address;
    }

    private static PrivateKey ReadHex(string from)
    {
        if (from.Length > 0)
        {
            return KeyFile.IsEncrypted(from)
                ? throw new KeyFileException($"{from} is a keystore already: it is used as it is, with --key-file")
                : KeyFile.Read(from);
        }

        using Secret typed = Passwords.PromptForKey();
        return KeyFile.ReadPlain("what was typed", typed);
    }

    /// <summary>Asked for before anything is made, so that a wrong one leaves nothing behind.</summary>
    private static Secret? NewPassword(string path, bool plain, string passwordFile)
    {
        if (File.Exists(path)) throw new KeyFileException($"{path} exists already, and a key is never overwritten");
        return plain ? null : Passwords.ForNew(path, passwordFile, "--password-file", Passwords.Variable);
    }
}
