using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Storage;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>The tokens of all channels, which are looked through once.</summary>
public sealed class ChannelTokensTests
{
    private static readonly Address Dollar = StoreFolder.AddressOf(0xDD);
    private static readonly Address Euro = StoreFolder.AddressOf(0xEE);

    private static StoredChannel StoredIn(Address token) =>
        new(Sample.Channel() with { Terms = Sample.Channel().Terms with { Token = token } }, Sample.Funded(7, 0));

    private static IEnumerable<Address> InOrder(ChannelTokens tokens) =>
        tokens.All(CancellationToken.None).OrderBy(token => token.ToString(), StringComparer.Ordinal);

    [Fact]
    public void ChannelsAreLookedThroughOnce_AndALookThatFailedOrWasCancelledAgain()
    {
        int looks = 0;
        ChannelTokens tokens = new(_ => Read());
        tokens.Add(Euro);

        Assert.Throws<OperationCanceledException>(() => tokens.All(new CancellationToken(canceled: true)));
        Assert.Equal(0, looks);
        Assert.Throws<IOException>(() => tokens.All(CancellationToken.None));
        Assert.Equal([Address.Zero, Dollar, Euro], InOrder(tokens));
        Assert.Equal(3, tokens.All(CancellationToken.None).Count);
        Assert.Equal(2, looks);

        IEnumerable<IReadOnlyList<StoredChannel>> Read()
        {
            yield return [StoredIn(Address.Zero), StoredIn(Dollar), StoredIn(Address.Zero)];
            if (++looks == 1) throw new IOException("the disk is away");
            yield return [StoredIn(Dollar)];
        }
    }

    [Fact]
    public async Task ChannelThatComesAfterTheLook_IsNoted()
    {
        await using LedgerRig rig = new();
        StoredChannel before = StoredIn(Dollar), came = StoredIn(Euro);
        IStoreBatch batch = rig.Store.NewBatch();
        batch.PutChannel(before.Channel);
        batch.PutState(before.Channel.Id, before.State);
        rig.Store.Commit(batch, durable: false);
        ChannelBook book = new(rig.Store, new PeerLinks(), 1_024);
        Assert.Equal([Dollar], book.Tokens.All(CancellationToken.None));

        book.Add(new ChannelSlot(came.Channel with { Id = new ChannelId(new Bytes32(1, 2, 3, 4)) }, came.State, book.Links));

        Assert.Equal([Dollar, Euro], InOrder(book.Tokens));
    }

    [Fact]
    public async Task Watchtower_NotesNone()
    {
        await using LedgerRig rig = new();
        ChannelBook book = new(rig.Store, new PeerLinks(), 1_024) { NotesTokens = false };

        book.Add(new ChannelSlot(StoredIn(Euro).Channel, StoredIn(Euro).State, book.Links));

        Assert.Empty(InOrder(book.Tokens));
    }
}
