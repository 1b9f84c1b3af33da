using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelNode.Core;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.Signing;

[UnsupportedOSPlatform("windows")]
public sealed class KeystoreTests : IDisposable
{
    private const string Password = "correct horse, battery staple: \u00e4\u20ac";

    /// <summary>As geth's --lightkdf, for tests that need no more.</summary>
    private static readonly KeystoreCost Light = new(4_096, 8, 6);

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-keystores-").FullName;

    private string KeyPath => Path.Combine(_folder, "node.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> PublicFiles =>
        [.. Vectors.Read("keystores", "keystores").Select(entry => entry.Text("name"))];

    [Theory]
    [MemberData(nameof(PublicFiles))]
    public void PublicFile_OpensWithItsPassword(string name)
    {
        JsonElement entry = Vectors.Read("keystores", "keystores").Single(entry => entry.Text("name") == name);
        Put(entry.GetProperty("file").GetRawText());

        using PrivateKey key = KeyFile.Read(KeyPath, () => SecretOf(entry.Text("password")));

        if (entry.TryGetProperty("address", out JsonElement address)) Assert.Equal(address.GetString(), key.Address.ToString());
        if (entry.TryGetProperty("key", out JsonElement bytes))
        {
            using PrivateKey published = new(Hex.Parse(bytes.GetString()!));
            Assert.Equal(published.Address, key.Address);
        }
    }

    [Fact]
    public void FileOfCast_IsRead()
    {
        using PrivateKey key = PrivateKey.Generate();
        Cast("wallet", "import", "node.key", "--keystore-dir", _folder, "--private-key", HexOf(key), "--unsafe-password", Password);
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        using PrivateKey read = KeyFile.Read(KeyPath, () => SecretOf(Password));

        Assert.Equal(key.Address, read.Address);
    }

    [Fact]
    public void FileMadeHere_IsReadByCastAndByUs()
    {
        using Secret password = SecretOf(Password);
        using PrivateKey key = KeyFile.Create(KeyPath, password);

        string told = Cast("wallet", "decrypt-keystore", "node.key", "--keystore-dir", _folder, "--unsafe-password", Password);

        Assert.Contains(HexOf(key), told, StringComparison.Ordinal);
        using PrivateKey read = KeyFile.Read(KeyPath, () => SecretOf(Password));
        Assert.Equal(key.Address, read.Address);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyPath));
        Assert.Single(Directory.GetFiles(_folder));
        Assert.DoesNotContain(HexOf(key)[2..], File.ReadAllText(KeyPath), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void TwoFilesOfOneKey_HaveNothingInCommon()
    {
        using PrivateKey key = PrivateKey.Generate();
        using Secret password = SecretOf(Password);

        JsonNode first = JsonNode.Parse(Keystore.Encrypt(key, password, Light))!["crypto"]!;
        JsonNode second = JsonNode.Parse(Keystore.Encrypt(key, password, Light))!["crypto"]!;

        Assert.NotEqual(first["ciphertext"]!.ToString(), second["ciphertext"]!.ToString());
        Assert.NotEqual(first["cipherparams"]!["iv"]!.ToString(), second["cipherparams"]!["iv"]!.ToString());
        Assert.NotEqual(first["kdfparams"]!["salt"]!.ToString(), second["kdfparams"]!["salt"]!.ToString());
    }

    [Theory]
    [InlineData("correct horse, battery stapl")]
    [InlineData("")]
    public void WrongPassword_IsRefusedWithoutShowingIt(string wrong)
    {
        using (Secret password = SecretOf(Password)) KeyFile.Create(KeyPath, password, Light).Dispose();

        KeyFileException refusal = Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath, () => SecretOf(wrong)));

        Assert.Equal($"the password does not open {KeyPath}; or the file is damaged", refusal.Message);
    }

    [Fact]
    public void FileWithAnothersAddress_IsRefused()
    {
        using Secret password = SecretOf(Password);
        using PrivateKey key = PrivateKey.Generate();
        JsonNode file = JsonNode.Parse(Keystore.Encrypt(key, password, Light))!;
        file["address"] = "f39fd6e51aad88f6f4ce6ab8827279cfffb92266";
        Put(file.ToJsonString());

        KeyFileException refusal = Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath, () => SecretOf(Password)));

        Assert.Contains(key.Address.ToString(), refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>Refused before any of it is done: a test that is not would take gigabytes, or hours.</summary>
    [Theory]
    [InlineData("crypto.kdfparams.n", "2097152", "n is '2097152', expected a whole number from 2 to 1048576")]
    [InlineData("crypto.kdfparams.n", "3", "n is '3', expected a power of two")]
    [InlineData("crypto.kdfparams.n", "0", "n is '0', expected a whole number from 2 to 1048576")]
    [InlineData("crypto.kdfparams.n", "-4096", "n is '-4096', expected a whole number from 2 to 1048576")]
    [InlineData("crypto.kdfparams.n", "1e300", "n is '1e300', expected a whole number from 2 to 1048576")]
    [InlineData("crypto.kdfparams.n", "1048576", "128 * n * r is '1073741824 bytes', expected at most 536870912 bytes")]
    [InlineData("crypto.kdfparams.r", "1000000", "r is '1000000', expected a whole number from 1 to 32")]
    [InlineData("crypto.kdfparams.p", "17", "p is '17', expected a whole number from 1 to 16")]
    [InlineData("crypto.kdfparams.dklen", "16", "dklen is '16', expected a whole number from 32 to 128")]
    [InlineData("crypto.kdfparams.salt", "\"zz\"", "salt is 'zz', expected 2 to 512 hex digits")]
    [InlineData("crypto.kdfparams", "null", "kdfparams is '', expected an object")]
    [InlineData("crypto.kdf", "\"argon2\"", "kdf is 'argon2', expected scrypt or pbkdf2")]
    [InlineData("crypto.cipher", "\"aes-256-gcm\"", "cipher is 'aes-256-gcm', expected aes-128-ctr")]
    [InlineData("crypto.cipherparams.iv", "\"00\"", "iv is '00', expected 32 hex digits")]
    [InlineData("crypto.mac", "\"00\"", "mac is '00', expected 64 hex digits")]
    [InlineData("crypto.ciphertext", "\"00\"", "ciphertext is '00', expected 56 to 64 hex digits")]
    [InlineData("version", "1", "version is '1', expected 3")]
    [InlineData("address", "\"0x12\"", "address is '0x12', expected an address of 40 hex digits")]
    public void HostileField_IsNamedWithItsValueAndLimit(string field, string value, string message)
    {
        using Secret password = SecretOf(Password);
        using PrivateKey key = PrivateKey.Generate();
        JsonNode file = JsonNode.Parse(Keystore.Encrypt(key, password, Light))!;
        string[] path = field.Split('.');
        JsonNode parent = path[..^1].Aggregate(file, (node, name) => node[name]!);
        parent[path[^1]] = JsonNode.Parse(value);
        Put(file.ToJsonString());

        KeyFileException refusal = Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath, () => SecretOf(Password)));

        Assert.Equal($"{KeyPath}: {message}", refusal.Message);
    }

    [Fact]
    public void HostileIterations_AreNamedWithTheirLimit()
    {
        JsonNode file = JsonNode.Parse(Vectors.Read("keystores", "keystores")[0].GetProperty("file").GetRawText())!;
        file["crypto"]!["kdfparams"]!["c"] = 2_000_000_000;
        Put(file.ToJsonString());

        KeyFileException refusal = Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath, () => SecretOf("testpassword")));

        Assert.Equal($"{KeyPath}: c is '2000000000', expected a whole number from 1 to 10000000", refusal.Message);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("{\"version\":3}")]
    [InlineData("{\"version\":3,\"crypto\":[]}")]
    public void BrokenFile_IsRefused(string text)
    {
        Put(text);
        Assert.Throws<KeyFileException>(() => KeyFile.Read(KeyPath, () => SecretOf(Password)));
    }

    [Fact]
    public void FileThatOthersMayRead_IsRefusedBeforeAPasswordIsAskedFor()
    {
        using (Secret password = SecretOf(Password)) KeyFile.Create(KeyPath, password, Light).Dispose();
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);

        KeyFileException refusal = Assert.Throws<KeyFileException>(
            () => KeyFile.Read(KeyPath, () => throw new InvalidOperationException("was asked")));

        Assert.Contains($"chmod 600 {KeyPath}", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PlainFile_AsksForNoPassword()
    {
        using PrivateKey key = KeyFile.Create(KeyPath);
        using PrivateKey read = KeyFile.Read(KeyPath, () => throw new InvalidOperationException("was asked"));
        Assert.Equal(key.Address, read.Address);
    }

    private static Secret SecretOf(string text) => new(Encoding.UTF8.GetBytes(text));

    private static string HexOf(PrivateKey key)
    {
        byte[] bytes = new byte[PrivateKey.Size];
        key.CopyTo(bytes);
        return Hex.Format(bytes);
    }

    private void Put(string text)
    {
        File.WriteAllText(KeyPath, text);
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static string Cast(params string[] arguments)
    {
        ProcessStartInfo start = new(Path.Combine(Vectors.RepositoryRoot, "contracts", "script", "foundry.sh"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add("cast");
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using Process cast = Process.Start(start)!;
        string output = cast.StandardOutput.ReadToEnd(), error = cast.StandardError.ReadToEnd();
        cast.WaitForExit();
        Assert.True(cast.ExitCode == 0, error);
        return output;
    }
}
