using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;

namespace ChannelNode.Tests.Storage;

public sealed class KilledProcessTests : IDisposable
{
    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task EverythingSaidBeforeTheKill_IsThereWhole()
    {
        ulong said = 0;
        for (int life = 1; life <= 3; life++)
        {
            using (StoreChild child = StoreChild.Start(_folder.Database)) said = await KillAfter(child, said + 100);
            AssertWhole(said);
        }
    }

    private static async Task<ulong> KillAfter(StoreChild child, ulong wanted)
    {
        ulong said = 0;
        bool killed = false;
        while (await child.ReadLineAsync() is { } line)
        {
            // The kill may cut the last line short.
            if (!ulong.TryParse(line, out ulong number) || number < said) Assert.True(killed, line);
            else said = number;
            if (said < wanted || killed) continue;
            child.Kill();
            killed = true;
        }
        Assert.True(killed);
        return said;
    }

    private void AssertWhole(ulong said)
    {
        using RocksChannelStore store = _folder.Open();
        ulong cursor = store.ReadReceivedCursor();
        Assert.True(cursor >= said, $"Cursor {cursor}, but {said} was said to be on disk.");
        Assert.Equal(cursor, (ulong)Assert.Single(store.ReadChannels()).State.TheirSent);
        Assert.Equal((int)cursor, store.ReadReceived(0, int.MaxValue).Count);
        Assert.Equal((int)cursor, store.ReadOutgoing(StoreFolder.IdOf(1), 0).Count());
        Assert.Equal(cursor, (ulong)store.FindOutgoing($"key {cursor}")!.Total);
        OutgoingPayment? next = store.FindOutgoing($"key {cursor + 1}");
        Assert.Null(next);
    }
}
