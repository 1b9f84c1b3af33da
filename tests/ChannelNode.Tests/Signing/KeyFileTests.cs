using System.Runtime.Versioning;
using ChannelNode.Core;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.Signing;

[UnsupportedOSPlatform("windows")]
public sealed class KeyFileTests : IDisposable
{
    private const string Digits = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    private const string KeyAddress = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-keys-").FullName;

    private string KeyPath => Path.Combine(_folder, "node.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("0x" + Digits)]
    [InlineData(Digits + "\n")]
    [InlineData("  0x" + Digits + "\r\n")]
    public void Read_OfAKey_HasItsAddress(string text)
    {
        Write(text);

        using PrivateKey key = KeyFile.Read(KeyPath);

        Assert.Equal(KeyAddress, key.Address.ToString());
        Assert.DoesNotContain(Digits, key.ToString(), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0x")]
    [InlineData("0x" + Digits + "00")]
    [InlineData("0x" + "zz0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")]
    [InlineData("0x0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")]
    public void Read_OfNoKey_IsRefusedWithoutShowingTheContent(string text)
    {
        Write(text);

        var thrown = Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath));

        Assert.Contains(KeyPath, thrown.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Digits[2..], thrown.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void Read_OfAFileThatOthersMayUse_IsRefusedAndSaysWhatToDo(UnixFileMode extra)
    {
        Write("0x" + Digits);
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | extra);

        var thrown = Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath));

        Assert.Contains($"chmod 600 {KeyPath}", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OfAMissingFile_NamesIt()
    {
        var thrown = Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath));
        Assert.Contains(KeyPath, thrown.Message, StringComparison.Ordinal);
    }

    /// <summary>Its group's permissions are an access list's mask there; others than its owner and the list's are still kept out.</summary>
    [Fact]
    public void Read_OfACredentialThatSystemdLoads_TakesItsAccessListsMask()
    {
        KeyFile.Create(KeyPath).Dispose();
        Environment.SetEnvironmentVariable("CREDENTIALS_DIRECTORY", _folder);
        try
        {
            File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.GroupRead);
            KeyFile.Read(KeyPath).Dispose();
            File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.OtherRead);
            Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath));
        }
        finally
        {
            Environment.SetEnvironmentVariable("CREDENTIALS_DIRECTORY", null);
        }
    }

    [Fact]
    public void Create_MakesAFileThatOnlyItsOwnerMayReadAndThatReadsBack()
    {
        string path = Path.Combine(_folder, "deeper", "node.key");
        using PrivateKey created = KeyFile.Create(path);
        using PrivateKey read = KeyFile.Read(path);

        Assert.Equal(created.Address, read.Address);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Create_WhereAFileIs_LeavesItAlone()
    {
        Write("something else");

        var thrown = Assert.Throws<KeyFileException>(() => KeyFile.Create(KeyPath));

        Assert.Contains("never overwritten", thrown.Message, StringComparison.Ordinal);
        Assert.Equal("something else", File.ReadAllText(KeyPath));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void Generate_MakesADifferentKeyEachTime()
    {
        using PrivateKey first = PrivateKey.Generate(), second = PrivateKey.Generate();
        Assert.NotEqual(first.Address, second.Address);
        Assert.NotEqual(Address.Zero, first.Address);
    }

    private void Write(string text)
    {
        File.WriteAllText(KeyPath, text);
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
