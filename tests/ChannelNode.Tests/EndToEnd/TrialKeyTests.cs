using System.Text;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using ChannelNode.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>The key that --network anvil makes, and where it makes none.</summary>
public sealed class TrialKeyTests : IDisposable
{
    private const string Password = "correct horse, battery staple";

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-trial-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A folder whose database came from a backup: the key did not, and one that is made would be of no use.</summary>
    [Fact]
    public async Task DatabaseWithoutItsKey_IsRefusedWithWhatToDo_AndNoKeyIsMade()
    {
        Address signer = new(1, 2, 3), contract = new(4, 5, 6);
        RocksChannelStore.Open(_folder, new StoreIdentity(31_337, contract, signer)).Dispose();
        string key = Path.Combine(_folder, "signer.key");
        NodeOptions options = new() { DataDirectory = _folder, KeyFile = key, RpcUrl = "ws://127.0.0.1:1", Contract = contract, IsTrial = true };

        RefusalException refusal = await Assert.ThrowsAsync<RefusalException>(
            () => Trial.PrepareAsync(options, NullLoggerFactory.Instance, CancellationToken.None));

        Assert.Equal(
            $"--key-file: {key} is not there, and the database in {_folder} is of the key of {signer}, which is in no backup: copy that key's file to "
            + $"{key}, or name it by --key-file; for a new node name an empty folder by --data-dir",
            refusal.Message);
        Assert.Equal((Refusal.InvalidArgument, "--key-file", false), (refusal.Refusal, refusal.Field, File.Exists(key)));
    }

    /// <summary>On a chain that is not there: the key is made before it is asked for anything.</summary>
    [Fact]
    public async Task KeyOfATrial_IsAKeystore_WhereAPasswordIsNamed_AndElseInTheOpen()
    {
        string word = Path.Combine(_folder, "word");
        File.WriteAllText(word, Password + "\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(word, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        string secret = await MakeKeyAsync("--password-file", word), open = await MakeKeyAsync();

        JsonElement keystore = JsonDocument.Parse(File.ReadAllText(secret)).RootElement;
        Assert.Equal(3, keystore.GetProperty("version").GetInt32());
        Assert.Equal("scrypt", keystore.GetProperty("crypto").GetProperty("kdf").GetString());
        using PrivateKey key = KeyFile.Read(secret, () => new Secret(Encoding.UTF8.GetBytes(Password)));
        Assert.Equal(KeyFile.AddressSaid(secret), key.Address);
        Assert.False(KeyFile.IsEncrypted(open));
        KeyFile.Read(open).Dispose();
    }

    /// <summary>Answers where it is.</summary>
    private async Task<string> MakeKeyAsync(params string[] more)
    {
        string folder = Path.Combine(_folder, Guid.NewGuid().ToString("N")), file = Path.Combine(folder, "signer.key");
        ProgramRun run = await ProgramRun.AsyncOf(
            ["run", "--network", "anvil", "--rpc-url", $"ws://127.0.0.1:{Ports.Free()}", "--data-dir", folder, .. more]);

        Assert.Contains("CHAIN_UNAVAILABLE", run.Error);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        return file;
    }
}
