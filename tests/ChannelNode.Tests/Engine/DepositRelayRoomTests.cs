using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.EndToEnd;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>Asking for a deposit to be relayed costs a peer nothing, and this node memory while it looks at it: so there is an end.</summary>
public sealed class DepositRelayRoomTests : IAsyncLifetime
{
    /// <summary>As many are looked at at a time, of all peers.</summary>
    private const int AskedMax = 256;

    private readonly LedgerRig _rig = new();
    private readonly ChannelSlot _slot;
    private readonly DepositRelay _relay;

    public DepositRelayRoomTests()
    {
        Channel channel = Sample.Channel() with { Id = Sample.OtherId };
        channel = channel with { Terms = channel.Terms with { Token = new Address(0, 0, 1) } };
        _slot = new ChannelSlot(channel, Sample.Funded(1_000, 1_000), _rig.Links);
        _rig.Book.Add(_slot);
        NodeOptions options = new()
        {
            DataDirectory = "",
            KeyFile = "",
            RpcUrl = "",
            Contract = Address.Zero,
            RelayDepositsPerHour = 1_000,
        };
        NodeClock clock = new(TimeProvider.System);
        clock.FollowChain(2);
        Policies policies = new(_rig.Policies, _rig.Ledger, _rig.Store, _rig.Scheme, _rig.Links, clock, Sample.PartyA.Signer);
        _relay = new DepositRelay(
            _rig.Book, null!, null!, clock, options, policies, NullLogger<DepositRelay>.Instance, CancellationToken.None);
    }

    /// <summary>The operator's rules refuse each that is looked at, which shows that it was, and asks no chain.</summary>
    public Task InitializeAsync() => _rig.Ledger.RunAsync(
        turn =>
        {
            _rig.Policies.Book.Put(turn, new PolicyFact.Listed(PeerList.Deny, _rig.Link.Signer, ""));
            return true;
        },
        CancellationToken.None);

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    [Fact]
    public async Task Questions_AreRefusedUnseen_WhileAsManyAreLookedAtAsMayBe()
    {
        List<Refusal> atOnce = [];
        await _rig.WhileHeldAsync(async () =>
        {
            for (int asked = 0; asked < AskedMax; asked++) await AskAsync();
            Assert.False(_rig.Link.HasWaiting); // Each is looked at as soon as the writer has time.

            for (int more = 0; more < 3; more++) await AskAsync();
            Take(atOnce);
        });

        Assert.Equal(Enumerable.Repeat(Refusal.RelayRefused, 3), atOnce);
        Assert.Equal(Enumerable.Repeat(Refusal.PolicyRefused, AskedMax), await TakeAsync(AskedMax));
    }

    [Fact]
    public async Task QuestionsThatAreAnswered_MakeRoomForOthers()
    {
        for (int round = 0; round < AskedMax + 10; round++)
        {
            await AskAsync();
            Assert.Equal([Refusal.PolicyRefused], await TakeAsync(1));
        }
    }

    private ValueTask AskAsync() => _relay.Answer(
        _rig.Link,
        new PeerMessage.DepositAuthorization(
            _slot.Channel.Id, 1, new DepositAuthorization(_rig.Link.Owner, 1, ulong.MaxValue, default, default)));

    private void Take(List<Refusal> answers)
    {
        OutgoingFrame said = new();
        if (!_rig.Link.TryTake(ref said)) return;
        answers.AddRange(said.Messages.OfType<PeerMessage.DepositAuthorizationReply>().Select(reply => reply.Refusal));
    }

    private async Task<List<Refusal>> TakeAsync(int count)
    {
        List<Refusal> answers = [];
        for (Take(answers); answers.Count < count; Take(answers))
            await _rig.Link.WaitToTakeAsync().AsTask().WaitAsync(TestChain.Limit);
        return answers;
    }
}
