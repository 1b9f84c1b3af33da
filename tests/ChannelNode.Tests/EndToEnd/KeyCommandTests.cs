using System.Runtime.Versioning;
using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What people do with key files, in the program itself: files, variables of the environment, a terminal.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class KeyCommandTests : IDisposable
{
    private const string First = "first password";
    private const string Second = "second password";

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-key-").FullName;

    private string KeyPath => Path.Combine(_folder, "node.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task KeyMadeWithAPasswordFile_OpensAndTakesANewPassword()
    {
        string first = Put("first", First + "\n");
        ProgramRun made = await ProgramRun.AsyncOf("key", "new", "--file", KeyPath, "--password-file", first, "--json");
        string address = Field(made, "address");

        ProgramRun said = await ProgramRun.AsyncOf("key", "export-address", "--file", KeyPath, "--json");
        Assert.Equal((address, "False"), (Field(said, "address"), Field(said, "verified")));

        ProgramRun changed = await ProgramRun.WithAsync(
            new Dictionary<string, string> { [Passwords.Variable] = First, [Passwords.NewVariable] = Second },
            "key", "change-password", "--file", KeyPath, "--json");
        Assert.Equal(address, Field(changed, "address"));

        ProgramRun proven = await ProgramRun.WithAsync(
            new Dictionary<string, string> { [Passwords.Variable] = Second },
            "key", "export-address", "--file", KeyPath, "--verify", "--json");
        Assert.Equal((address, "True"), (Field(proven, "address"), Field(proven, "verified")));

        ProgramRun old = await ProgramRun.AsyncOf("key", "export-address", "--file", KeyPath, "--verify", "--password-file", first);
        Assert.Equal(ExitCode.Refused, old.ExitCode);
        Assert.Contains("the password does not open", old.Error, StringComparison.Ordinal);
        Assert.Equal(["first", "node.key"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task KeyMadeAtATerminal_IsAskedForTwiceAndShowsNothingOfIt()
    {
        ProgramRun made = await ProgramRun.AtTerminalAsync([First, First], "key", "new", "--file", KeyPath);

        Assert.Equal(ExitCode.Done, made.ExitCode);
        Assert.DoesNotContain("first", made.All, StringComparison.OrdinalIgnoreCase);
        using PrivateKey key = KeyFile.Read(KeyPath, () => new Secret("first password"u8));
        Assert.Contains(key.Address.ToString(), made.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PasswordTypedDifferentlyTheSecondTime_MakesNoKey()
    {
        ProgramRun made = await ProgramRun.AtTerminalAsync([First, Second], "key", "new", "--file", KeyPath);

        Assert.Equal(ExitCode.Refused, made.ExitCode);
        Assert.Contains("not the same", made.All, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task WithoutATerminal_NoPasswordIsAFailureThatNamesTheWays()
    {
        ProgramRun made = await ProgramRun.AsyncOf("key", "new", "--file", KeyPath);

        Assert.Equal(ExitCode.Refused, made.ExitCode);
        Assert.Contains("give --password-file or set CHANNELNODE_PASSWORD", made.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task ShortPassword_MakesNoKey()
    {
        ProgramRun made = await ProgramRun.AsyncOf("key", "new", "--file", KeyPath, "--password-file", Put("short", "1234567"));

        Assert.Contains("fewer than 8 bytes", made.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(KeyPath));
    }

    [Fact]
    public async Task PlainKey_IsImportedIntoAKeystoreAndStays()
    {
        string hex = Path.Combine(_folder, "old.hex");
        Address address;
        using (PrivateKey key = KeyFile.Create(hex)) address = key.Address;

        ProgramRun imported = await ProgramRun.AsyncOf(
            "key", "import", "--from", hex, "--file", KeyPath, "--password-file", Put("first", First), "--json");

        Assert.Equal(address.ToString(), Field(imported, "address"));
        using PrivateKey read = KeyFile.Read(KeyPath, () => new Secret("first password"u8));
        Assert.Equal(address, read.Address);
        Assert.True(File.Exists(hex));
    }

    [Fact]
    public async Task FileThatIsThere_IsNeitherOverwrittenByNewNorByImport()
    {
        string hex = Path.Combine(_folder, "old.hex");
        KeyFile.Create(hex).Dispose();
        string before = File.ReadAllText(hex), password = Put("first", First);

        ProgramRun made = await ProgramRun.AsyncOf("key", "new", "--file", hex, "--password-file", password);
        ProgramRun imported = await ProgramRun.AsyncOf("key", "import", "--from", hex, "--file", hex, "--password-file", password);

        Assert.Equal((ExitCode.Refused, ExitCode.Refused), (made.ExitCode, imported.ExitCode));
        Assert.Contains("never overwritten", made.Error, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllText(hex));
    }

    private string Put(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    private static string Field(ProgramRun run, string name)
    {
        Assert.True(run.ExitCode == ExitCode.Done, run.All);
        return JsonDocument.Parse(run.Output).RootElement.GetProperty(name).ToString();
    }
}
