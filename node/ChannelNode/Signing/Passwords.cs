using System.Security.Cryptography;
using System.Text;

namespace ChannelNode.Signing;

/// <summary>
/// Where passwords come from: a file, else the environment, else whoever sits at the terminal. Never an argument, which every
/// user of the machine can see.
/// </summary>
internal static class Passwords
{
    public const string Variable = "CHANNELNODE_PASSWORD";
    public const string NewVariable = "CHANNELNODE_NEW_PASSWORD";

    /// <summary>For keys that are made here: shorter ones are tried out within days, whatever scrypt costs.</summary>
    private const int NewBytesMin = 8;

    private const int CharsMax = 512;

    /// <summary>To open a file.</summary>
    public static Secret ToOpen(string path, string passwordFile) =>
        Find(passwordFile, "--password-file", Variable) ?? Prompt($"Password of {path}: ", "--password-file", Variable);

    /// <summary>For a new file: asked for twice, and not a short one.</summary>
    public static Secret ForNew(string path, string passwordFile, string flag, string variable)
    {
        Secret password = Find(passwordFile, flag, variable) ?? PromptTwice(path, flag, variable);
        if (password.Length >= NewBytesMin) return password;
        password.Dispose();
        throw new KeyFileException($"a password of fewer than {NewBytesMin} bytes protects nothing: take a longer one");
    }

    /// <summary>A private key in hex, from the terminal.</summary>
    public static Secret PromptForKey() => Prompt("Private key (64 hex digits): ", "--from", null);

    private static Secret? Find(string passwordFile, string flag, string variable)
    {
        if (passwordFile.Length > 0) return KeyFile.ReadPassword(passwordFile);
        if (Environment.GetEnvironmentVariable(variable) is not { Length: > 0 } set) return null;
        int bytes = Encoding.UTF8.GetByteCount(set);
        if (bytes > KeyFile.PasswordBytesMax)
            throw new KeyFileException($"{variable} has {bytes} bytes, at most {KeyFile.PasswordBytesMax} can be; use {flag}");
        Secret password = new(bytes);
        return password.Take(Encoding.UTF8.GetBytes(set, password.Room));
    }

    private static Secret PromptTwice(string path, string flag, string variable)
    {
        Secret password = Prompt($"New password for {path}: ", flag, variable);
        using Secret again = Prompt("The same again: ", flag, variable);
        if (password.Equals(again)) return password;
        password.Dispose();
        throw new KeyFileException("the two passwords are not the same: nothing was written");
    }

    /// <summary>What is typed is not shown.</summary>
    private static Secret Prompt(string question, string flag, string? variable)
    {
        if (Console.IsInputRedirected)
        {
            string ways = variable is null ? $"give {flag}" : $"give {flag} or set {variable}";
            throw new KeyFileException($"{question.TrimEnd(':', ' ')}: there is no terminal to ask for it; {ways}");
        }

        _ = Console.KeyAvailable; // From here on the terminal shows nothing of what is typed.
        Console.Error.Write(question);
        Span<char> typed = stackalloc char[CharsMax];
        try
        {
            int length = ReadLine(typed);
            Console.Error.WriteLine();
            Secret secret = new(Encoding.UTF8.GetMaxByteCount(length));
            return secret.Take(Encoding.UTF8.GetBytes(typed[..length], secret.Room));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(System.Runtime.InteropServices.MemoryMarshal.AsBytes(typed));
        }
    }

    private static int ReadLine(Span<char> typed)
    {
        int length = 0;
        while (true)
        {
            ConsoleKeyInfo key = Console.ReadKey(intercept: true);
            if (key.Key == ConsoleKey.Enter) return length;
            if (key.Key == ConsoleKey.Backspace) length = Math.Max(0, length - 1);
            else if (!char.IsControl(key.KeyChar) && length < typed.Length) typed[length++] = key.KeyChar;
        }
    }
}
