using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A folder whose database came from a backup: the key did not, and one that is made would be of no use.</summary>
public sealed class TrialKeyTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-trial-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

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
}
