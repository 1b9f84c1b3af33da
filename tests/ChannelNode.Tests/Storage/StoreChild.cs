using System.Diagnostics;
using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;

namespace ChannelNode.Tests.Storage;

/// <summary>
/// This same assembly as a second process that opens a database, commits durable batches without end and prints the
/// number of each once it is on the disk.
/// </summary>
internal sealed class StoreChild : IDisposable
{
    private const string FolderVariable = "CHANNELNODE_TEST_STORE_CHILD";

    private readonly Process _process;

    private StoreChild(Process process) => _process = process;

    public static StoreChild Start(string folder)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && host.EndsWith("dotnet") ? host : "dotnet")
        {
            ArgumentList = { typeof(StoreChild).Assembly.Location },
            Environment = { [FolderVariable] = folder },
            RedirectStandardOutput = true,
        };
        return new StoreChild(Process.Start(start)!);
    }

    public Task<string?> ReadLineAsync() => _process.StandardOutput.ReadLineAsync();

    public Task<string> ReadToEndAsync() => _process.StandardOutput.ReadToEndAsync();

    /// <summary>SIGKILL: nothing of the child runs any more.</summary>
    public void Kill() => _process.Kill();

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <summary>Runs before the test host's own Main, and instead of it when this process was started as a child.</summary>
    [ModuleInitializer]
    internal static void RunAsChild()
    {
        if (Environment.GetEnvironmentVariable(FolderVariable) is not { } folder) return;
        try
        {
            Write(folder);
        }
        catch (StoreException e)
        {
            Console.WriteLine(e.Message);
        }
        Environment.Exit(0);
    }

    private static void Write(string folder)
    {
        using RocksChannelStore store = RocksChannelStore.Open(folder, StoreFolder.Identity);
        ulong first = store.ReadReceivedCursor() + 1;
        for (ulong i = first; i < first + 1_000_000; i++)
        {
            IStoreBatch batch = store.NewBatch();
            batch.PutChannel(StoreFolder.ChannelOf(1));
            batch.PutState(StoreFolder.IdOf(1), new ChannelState { TheirSent = i });
            batch.PutOutgoing(StoreFolder.Outgoing(1, i, $"key {i}"));
            batch.PutReceived(StoreFolder.Received(i));
            store.Commit(batch, durable: true);
            Console.WriteLine(i);
        }
    }
}
