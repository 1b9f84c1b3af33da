using System.CommandLine;
using ChannelNode.Core;

namespace ChannelNode.Cli;

/// <summary>key new, import, export-address, change-password</summary>
internal static class KeyCommand
{
    public const string DefaultFile = "channelnode.key";

    private const string Ways = "else CHANNELNODE_PASSWORD is taken, else you are asked";

    public static CliCommand Create(CommandShell shell) =>
        new(
            "key", "The key that signs for this node: its file, an Ethereum keystore (version 3) that geth and cast read too.",
            "channelnode key new")
        {
            New(shell), Import(shell), ExportAddress(shell), ChangePassword(shell),
        };

    public static Option<string> PasswordFile() => new("--password-file")
    {
        Description = $"File with the key file's password, which only its owner may read; {Ways}",
        HelpName = "path",
    };

    private static CliCommand New(CommandShell shell)
    {
        Option<string> file = Target(), passwordFile = PasswordFile();
        Option<bool> plain = Plain();
        var command = new CliCommand(
            "new", "Makes a key, writes it to a keystore under a password and prints its address.",
            "channelnode key new --file alice.key --password-file alice.password") { file, passwordFile, plain };
        return shell.Does(command, (parsed, terminal, _) =>
        {
            string path = parsed.GetValue(file)!;
            Address address = shell.Actions.Keys.Create(path, parsed.GetValue(plain), parsed.GetValue(passwordFile) ?? "");
            string kept = parsed.GetValue(plain) ? "keep it, and show it to nobody: it has no password" : "keep it and its password";
            Say(terminal, address, path, $"key written to {path}; {kept}: without {(parsed.GetValue(plain) ? "it" : "them")} a channel cannot be used");
            return Task.FromResult(ExitCode.Done);
        });
    }

    private static CliCommand Import(CommandShell shell)
    {
        Option<string> file = Target(), passwordFile = PasswordFile();
        Option<bool> plain = Plain();
        var from = new Option<string>("--from")
        {
            Description = "File with the key as 64 hex digits; it stays. You are asked for the key when not given",
            HelpName = "path",
        };
        var command = new CliCommand(
            "import", "Writes a key that exists already to a keystore under a password and prints its address.",
            "channelnode key import --from old.hex --file alice.key") { from, file, passwordFile, plain };
        return shell.Does(command, (parsed, terminal, _) =>
        {
            string path = parsed.GetValue(file)!;
            Address address = shell.Actions.Keys.Import(
                path, parsed.GetValue(from) ?? "", parsed.GetValue(plain), parsed.GetValue(passwordFile) ?? "");
            Say(terminal, address, path, $"key written to {path}");
            return Task.FromResult(ExitCode.Done);
        });
    }

    private static CliCommand ExportAddress(CommandShell shell)
    {
        Option<string> file = Existing(), passwordFile = PasswordFile();
        var verify = new Option<bool>("--verify")
        {
            Description = "Open the keystore and compare its key, which takes the password, instead of believing the file",
        };
        var command = new CliCommand(
            "export-address", "Prints the address of a key file.", "channelnode key export-address --file alice.key --verify")
        { file, verify, passwordFile };
        return shell.Does(command, (parsed, terminal, _) =>
        {
            string path = parsed.GetValue(file)!;
            (Address address, bool proven) =
                shell.Actions.Keys.AddressOf(path, parsed.GetValue(verify), parsed.GetValue(passwordFile) ?? "");
            if (terminal.Json) terminal.Document(new { address = address.ToString(), file = path, verified = proven });
            else terminal.Line($"{address}{(proven ? "" : "  as the file says; --verify proves it")}");
            return Task.FromResult(ExitCode.Done);
        });
    }

    private static CliCommand ChangePassword(CommandShell shell)
    {
        Option<string> file = Existing(), passwordFile = PasswordFile();
        var newPasswordFile = new Option<string>("--new-password-file")
        {
            Description = "File with the new password; else CHANNELNODE_NEW_PASSWORD is taken, else you are asked",
            HelpName = "path",
        };
        var command = new CliCommand(
            "change-password",
            "Puts a key file under a new password; one in the open becomes a keystore. The old file is replaced only by a "
            + "complete one that opens. Copies and backups of it keep the old password.",
            "channelnode key change-password --file alice.key") { file, passwordFile, newPasswordFile };
        return shell.Does(command, (parsed, terminal, _) =>
        {
            string path = parsed.GetValue(file)!;
            Address address = shell.Actions.Keys.ChangePassword(
                path, parsed.GetValue(passwordFile) ?? "", parsed.GetValue(newPasswordFile) ?? "");
            Say(terminal, address, path, $"{path} has its new password");
            return Task.FromResult(ExitCode.Done);
        });
    }

    private static void Say(Terminal terminal, Address address, string path, string text)
    {
        if (terminal.Json) terminal.Document(new { address = address.ToString(), file = path });
        else terminal.Line($"{address}  {text}");
    }

    private static Option<string> Target() => File("Where to write it; must not exist");

    private static Option<string> Existing() => File("The key file");

    private static Option<string> File(string description) => new("--file")
    {
        Description = description,
        HelpName = "path",
        DefaultValueFactory = _ => DefaultFile,
    };

    private static Option<bool> Plain() => new("--plain")
    {
        Description = "Write it in the open, as 64 hex digits, and ask for no password: for tests",
    };
}
