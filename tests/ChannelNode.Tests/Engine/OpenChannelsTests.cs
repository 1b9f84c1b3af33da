using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>Channels of each peer that are not closed, counted while they change.</summary>
public sealed class OpenChannelsTests
{
    private static readonly Address Peer = Sample.PartyB.Signer;

    private static ChannelId IdOf(ulong number) => new(new Bytes32(number, 0, 0, 0));

    private static StoredChannel Stored(ulong number, bool isClosed = false) =>
        new(Sample.Channel() with { Id = IdOf(number) }, isClosed ? Sample.Funded(0, 0) : Sample.Funded(7, 0));

    private sealed record Page(Action<OpenChannels>? Then, params StoredChannel[] Channels);

    /// <summary>The pages one after the other; between two of them something happens.</summary>
    private static OpenChannels New(params Page[] pages)
    {
        OpenChannels? open = null;
        open = new OpenChannels(_ => Read(), NullLogger.Instance);
        return open;

        IEnumerable<IReadOnlyList<StoredChannel>> Read()
        {
            foreach (Page page in pages)
            {
                yield return page.Channels;
                page.Then?.Invoke(open!);
            }
        }
    }

    private static async Task<int> CountAsync(OpenChannels open)
    {
        Assert.True(open.HasFewerThan(1, Peer, 1)); // Nobody knows yet.
        await open.WhenLookedAsync();
        return Enumerable.Range(1, 100).First(max => open.HasFewerThan(max, Peer, 100)) - 1;
    }

    [Fact]
    public async Task ChannelsThatAreNotClosed_AreCounted_AndWhatChangesLater()
    {
        OpenChannels open = New(
            new Page(null, Stored(1), Stored(2, isClosed: true), Stored(3)),
            new Page(null, Stored(4)));

        Assert.Equal(3, await CountAsync(open));
        open.Set(IdOf(4), Peer, isOpen: false);
        open.Set(IdOf(5), Peer, isOpen: true);
        open.Set(IdOf(6), Sample.PartyA.Signer, isOpen: true);
        open.Set(IdOf(2), Peer, isOpen: true); // A deposit has opened it again.
        Assert.False(open.HasFewerThan(4, Peer, 100));
        Assert.True(open.HasFewerThan(5, Peer, 100));
        Assert.True(open.HasFewerThan(2, Sample.PartyA.Signer, 100));
    }

    [Fact]
    public async Task ChannelsThatChangeWhileTheyAreLookedThrough_CountOnce()
    {
        Page first = new(Meanwhile, Stored(10), Stored(20), Stored(30, isClosed: true));
        OpenChannels open = New(first, new Page(null, Stored(40), Stored(50)));

        Assert.Equal(6, await CountAsync(open)); // 15, 20, 30, 45, 50, 90

        static void Meanwhile(OpenChannels it)
        {
            it.Set(IdOf(10), Peer, isOpen: false); // Seen already.
            it.Set(IdOf(30), Peer, isOpen: true);
            it.Set(IdOf(15), Peer, isOpen: true); // New, before what was reached.
            it.Set(IdOf(40), Peer, isOpen: false); // To come, and read before that.
            it.Set(IdOf(45), Peer, isOpen: true); // New, not in the page to come.
            it.Set(IdOf(90), Peer, isOpen: true); // New, behind all.
            it.Set(IdOf(95), Peer, isOpen: true);
            it.Set(IdOf(95), Peer, isOpen: false);
        }
    }

    /// <summary>Then the limit does not hold, which somebody must know.</summary>
    [Fact]
    public async Task LookThatFails_IsLoggedOnce_AndEndsWhatWaitsForIt()
    {
        LoggedLines lines = new();
        OpenChannels open = new(_ => throw new IOException("the disk"), lines);

        Assert.True(open.HasFewerThan(1, Peer, 1));
        await Assert.ThrowsAsync<IOException>(open.WhenLookedAsync);
        Assert.True(open.HasFewerThan(1, Peer, 1));

        Assert.Equal(
            ["The channels of each peer could not be counted: until the next start a peer may have more than --channels-per-peer-max"], lines.All);
    }

    [Fact]
    public void WhileThereAreFewerChannelsThanOneMayHave_NothingIsRead()
    {
        OpenChannels open = new(_ => throw new InvalidOperationException("read"), NullLogger.Instance);

        Assert.True(open.HasFewerThan(10, Peer, 9));
        Assert.True(open.WhenLookedAsync().IsCompletedSuccessfully);
    }
}
