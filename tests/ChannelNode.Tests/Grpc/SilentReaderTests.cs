using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Engine;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Grpc;

/// <summary>A peer that reads nothing of what it is told.</summary>
public sealed class SilentReaderTests
{
    [Fact]
    public async Task PeerThatReadsNothing_LosesItsSession_HoweverLittleWaits()
    {
        await using UnaskedNode rig = new();
        PeerLink link = new(Sample.PartyB.Signer, Sample.PartyB.Owner, queueMax: 16);
        PeerSession session = await rig.Node.Peers.AttachAsync(link, CancellationToken.None);
        Unread unread = new();
        using MessageRoom.Part part = new MessageRoom(long.MaxValue, funded: null).Enter();
        PeerTransport transport = new(rig.Node, null!, SessionTls.OfCaller(), unread, unread, part);
        Task running = transport.RunAsync(session, CancellationToken.None);
        link.Send(new PeerMessage.Reestablish(Sample.Id, 0, 0));
        await unread.Written;
        int seconds = 0;
        for (; !running.IsCompleted && seconds < 600; seconds++)
        {
            rig.Time.Advance(1_000);
            await Task.Delay(1);
        }

        Assert.InRange(seconds, 30, 599);
        RefusalException why = await Assert.ThrowsAsync<RefusalException>(() => running);
        Assert.Equal("the peer reads too slowly", why.Message);
        Assert.False(link.IsCurrent);
    }

    /// <summary>Says nothing, and takes nothing.</summary>
    private sealed class Unread : IAsyncStreamReader<PeerEnvelope>, IAsyncStreamWriter<PeerEnvelope>
    {
        private readonly TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Written => _written.Task;

        public WriteOptions? WriteOptions { get; set; }

        public PeerEnvelope Current => throw new InvalidOperationException("nothing is said");

        public Task WriteAsync(PeerEnvelope message) => new TaskCompletionSource().Task;

        Task IAsyncStreamWriter<PeerEnvelope>.WriteAsync(PeerEnvelope message, CancellationToken cancellationToken)
        {
            _written.SetResult();
            return WriteAsync(message);
        }

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return false;
        }
    }
}
