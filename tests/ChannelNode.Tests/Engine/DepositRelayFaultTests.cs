using ChannelNode.Core;
using ChannelNode.Engine;
using Microsoft.Extensions.Logging;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>Nobody waits for what a peer's authorization comes to.</summary>
public sealed class DepositRelayFaultTests
{
    [Fact]
    public async Task FaultOfThisNode_IsLogged_AndThePeerIsAnsweredAllTheSame()
    {
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        Recorder log = new();
        PeerLink link = new(Address.Zero, Address.Zero, options.PeerQueueMax);

        // Without any channels to look in.
        DepositRelay relay = new(null!, null!, null!, new NodeClock(TimeProvider.System), options, null!, log, CancellationToken.None);
        await relay.Answer(link, new PeerMessage.DepositAuthorization(default, 1, new DepositAuthorization(default, 0, 0, default, default)));

        OutgoingFrame said = new();
        Assert.True(link.TryTake(ref said));
        Assert.Equal(Refusal.RelayRefused, Assert.IsType<PeerMessage.DepositAuthorizationReply>(Assert.Single(said.Messages)).Refusal);
        Assert.IsType<NullReferenceException>(Assert.Single(log.Errors));
    }

    private sealed class Recorder : ILogger<DepositRelay>
    {
        public List<Exception?> Errors { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Errors.Add(exception);
    }
}
