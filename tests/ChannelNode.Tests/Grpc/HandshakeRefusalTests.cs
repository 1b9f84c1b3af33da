using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Signing;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.Grpc;

/// <summary>A node that has refused the caller hears nothing more: that a part could not be said any more is not why.</summary>
public sealed class HandshakeRefusalTests
{
    public static TheoryData<Exception> EndsOfACall =>
    [
        new RpcException(new Status(StatusCode.Cancelled, "the stream is over")),
        new InvalidOperationException("the call has completed"),
        new IOException("the stream was reset"),
        new HttpRequestException("the connection is gone"),
        new OperationCanceledException("the call was ended"),
    ];

    [Theory]
    [MemberData(nameof(EndsOfACall), DisableDiscoveryEnumeration = true)]
    public async Task PartThatCannotBeSaidAnyMore_IsAnsweredByWhatTheOtherSaidBefore(Exception end)
    {
        using PrivateKey key = PrivateKey.Generate();
        Party us = new(key.Address, key.Address);
        NodeIdentity identity = new(
            31337, key.Address, us, (_, _, _, _, _) => throw new InvalidOperationException("nothing is to be proven"),
            (_, _, _, _) => throw new InvalidOperationException("nothing is to be checked"));
        Refusing other = new(end);
        using MessageRoom.Part part = new MessageRoom(long.MaxValue, funded: null).Enter();
        PeerTransport transport = new(null!, identity, SessionTls.OfCaller(), other, other, part);

        RefusalException why = await Assert.ThrowsAsync<RefusalException>(
            () => transport.HandshakeAsync(null, _ => { }, CancellationToken.None));

        Assert.Equal(Refusal.TooManySessions, why.Refusal);
    }

    /// <summary>Takes nothing, and has said why.</summary>
    private sealed class Refusing(Exception end) : IAsyncStreamReader<PeerEnvelope>, IAsyncStreamWriter<PeerEnvelope>
    {
        public WriteOptions? WriteOptions { get; set; }

        public PeerEnvelope Current => throw new InvalidOperationException("nothing is said");

        public Task WriteAsync(PeerEnvelope message) => Task.FromException(end);

        Task IAsyncStreamWriter<PeerEnvelope>.WriteAsync(PeerEnvelope message, CancellationToken cancellationToken) => Task.FromException(end);

        public Task<bool> MoveNext(CancellationToken cancellationToken) =>
            Task.FromException<bool>(new RefusalException(Refusal.TooManySessions, "its place was needed"));
    }
}
