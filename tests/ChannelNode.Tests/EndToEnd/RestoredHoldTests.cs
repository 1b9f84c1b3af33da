using ChannelNode.Backups;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// A hostile peer that has a close of the lost node's, signed after the backup: it pays the restored one, which has forgotten the close,
/// and has it mined. The chain is its own, because an hour passes.
/// </summary>
public sealed class RestoredHoldTests : IAsyncLifetime
{
    private const ulong Deposit = 1_000;

    private readonly PrivateKey _key = PrivateKey.Generate();
    private readonly Address _owner = RawChannel.FreshAddress();
    private AnvilFixture _anvil = null!;
    private TestChain _chain = null!;
    private TestNode _node = null!;
    private EthereumChain _cheat = null!;
    private RawPeer _peer = null!;
    private ChannelId _id;
    private Channel _channel = null!;
    private CooperativeClose _close;
    private Signature _nodesSignature;

    public async Task InitializeAsync()
    {
        _anvil = await AnvilFixture.StartAsync();
        _chain = await TestChain.OpenAsync(_anvil);
        _node = await TestNode.StartAsync(_chain, options => options with { Owner = _owner });
        _cheat = await _chain.ConnectAsync(_key);
        await ConnectAsync();
        (_id, _channel) = await OpenAsync(1);
        await PayAsync(_id, 100, 100);

        await RestoreAsync(async () =>
        {
            (_close, _nodesSignature) = await AskToCloseAsync(101, 1);
        });
        await ConnectAsync();
        await ReestablishAsync(_id, sent: 100);
    }

    public async Task DisposeAsync()
    {
        await _peer.DisposeAsync();
        await _cheat.DisposeAsync();
        await _node.DisposeAsync();
        await _chain.DisposeAsync();
        await _anvil.DisposeAsync();
        _key.Dispose();
    }

    [Fact]
    public async Task PeerWithAForgottenClose_TakesNothingBack_ForNothingWasAccepted()
    {
        Wire.UpdateRefusal refused = await RefusedAsync(_id, 400, 300);
        Assert.Equal(Wire.Refusal.RestoredHeld, refused.Reason);
        await CheckItSaysUntilWhenAsync(refused.UntilSeconds);

        await _node.StopAsync();
        await _node.StartAsync();
        await ConnectAsync();
        Assert.Equal(refused, await RefusedAsync(_id, 400, 300)); // A restart changes nothing, not even until when.

        await MineTheCloseAsync();

        // What the node had before the backup, and the unit that a close counts: all that it ever acknowledged since it was restored.
        await _node.UntilAsync(_id.ToString(), channel => channel.Status == Wire.ChannelStatus.Closed);
        Assert.Equal("101", (await _node.ChannelAsync(_id.ToString())).Received);
        Assert.Equal((UInt128)100, await _chain.EtherOfAsync(_owner));
    }

    [Fact]
    public async Task WhenNoForgottenCloseCanBeMined_PaymentsAreTakenAgainByThemselves_AndTheCloseIsWorthless()
    {
        ulong until = (await RefusedAsync(_id, 400, 300)).UntilSeconds;

        // At its last second nothing has changed, however deep the block.
        await _anvil.RpcAsync<object?>("evm_setNextBlockTimestamp", until - 10);
        await _anvil.MineAsync(6);
        await FollowedAsync();
        Assert.Equal(Wire.Refusal.RestoredHeld, (await RefusedAsync(_id, 400, 300)).Reason);

        // Nor by a block that is later and may still vanish.
        await _anvil.RpcAsync<object?>("evm_setNextBlockTimestamp", until + 1);
        await _anvil.MineAsync(5);
        await FollowedAsync();
        Assert.Equal(Wire.Refusal.RestoredHeld, (await RefusedAsync(_id, 400, 300)).Reason);

        await _anvil.MineAsync();
        await FollowedAsync();
        await PayAsync(_id, 400, 300);
        Assert.Equal(0ul, (await _node.ChannelAsync(_id.ToString())).RestoredHeldUntilSeconds);
        RefusalException late = await Assert.ThrowsAsync<RefusalException>(MineTheCloseAsync);
        Assert.Equal(Refusal.CloseExpired, late.Refusal);

        await _node.StopAsync();
        await _node.StartAsync();
        await ConnectAsync();
        await PayAsync(_id, 500, 100); // For good.
    }

    [Fact]
    public async Task NewChannels_AreNotHeld_ButThoseThatOnlySeemNewAre()
    {
        (ChannelId fresh, _) = await OpenAsync(2);
        await PayAsync(fresh, 60, 60);

        // Agreed after the next backup, and closed by consent on paper: to the node that is restored from it the terms are new.
        ChannelId older = default;
        await RestoreAsync(async () =>
        {
            (older, _) = await OpenAsync(3);
            await PayAsync(older, 10, 10);
        });
        await ConnectAsync();
        Assert.Equal(older, (await ProposeAsync(3)).Id);
        await _node.UntilAsync(older.ToString(), channel => channel.Status == Wire.ChannelStatus.Open);

        Assert.Equal(Wire.Refusal.RestoredHeld, (await RefusedAsync(older, 70, 70)).Reason);
        Assert.Equal(Wire.Refusal.RestoredHeld, (await RefusedAsync(fresh, 70, 10)).Reason); // The newer backup holds it.
    }

    /// <summary>The node asks where the channels of its backup stand meanwhile.</summary>
    private async Task<Channel> ProposeAsync(ulong salt)
    {
        ChannelTerms terms = new(_peer.Us, _peer.Them, Address.Zero, 600, false, new Bytes32(7, 7, 7, salt));
        await _peer.SayAsync(new Wire.PeerMessage { ChannelProposal = new Wire.ChannelProposal { Terms = RawPeer.Write(terms) } });
        Wire.ChannelProposalReply? reply = null;
        while (reply is null) reply = (await _peer.HearAsync()).ChannelProposalReply;
        Assert.Equal(Wire.Refusal.Unspecified, reply.Refusal);
        return new Channel(_peer.Scheme.IdOf(terms), terms, Side.A);
    }

    private async Task<(ChannelId Id, Channel Channel)> OpenAsync(ulong salt)
    {
        Channel channel = await ProposeAsync(salt);
        await _cheat.DepositAsync(channel, Side.A, Deposit, null, TestChain.Limit);
        await _node.UntilAsync(channel.Id.ToString(), it => it.Status == Wire.ChannelStatus.Open);
        return (channel.Id, channel);
    }

    private async Task ConnectAsync()
    {
        if (_peer is not null) await _peer.DisposeAsync();
        _peer = new RawPeer(_node.PeerUrl, _chain.ChainId, _chain.Contract, _key);
        await _peer.ConnectAsync();
    }

    /// <summary>The node is lost, with all that is done after its backup.</summary>
    private async Task RestoreAsync(Func<Task> afterTheBackup)
    {
        using MemoryStream backup = new();
        using AgeIdentity identity = AgeIdentity.Generate();
        await RestoredPayeeTests.BackUpAsync(_node, identity, backup);
        await afterTheBackup();
        await _node.StopAsync();
        await RestoredPayeeTests.RestoreAsync(_node, identity, backup);
        await _node.StartAsync();
    }

    private async Task ReestablishAsync(ChannelId id, UInt128 sent)
    {
        await _peer.SayAsync(new Wire.PeerMessage
        {
            ChannelReestablish = new Wire.ChannelReestablish
            {
                ChannelId = PeerFixture.Bytes(id),
                Sent = RawPeer.Bytes(sent),
                Received = RawPeer.Bytes(0),
            },
        });
        await _node.UntilAsync(id.ToString(), channel => !channel.RestoredUnconfirmed);
    }

    private async Task PayAsync(ChannelId id, UInt128 sent, UInt128 amount)
    {
        Wire.Frame answer = await ExchangeAsync(id, sent, amount);
        Assert.Empty(answer.Refusals);
        Assert.Equal(RawPeer.Bytes(sent), Assert.Single(answer.Acknowledgements).Received);
    }

    private async Task<Wire.UpdateRefusal> RefusedAsync(ChannelId id, UInt128 sent, UInt128 amount)
    {
        Wire.Frame answer = await ExchangeAsync(id, sent, amount);
        Assert.Empty(answer.Acknowledgements);
        return Assert.Single(answer.Refusals);
    }

    /// <summary>The node may say where channels stand in between.</summary>
    private async Task<Wire.Frame> ExchangeAsync(ChannelId id, UInt128 sent, UInt128 amount)
    {
        await _peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame { Updates = { _peer.Update(id, sent, 0, amount) } } });
        while (true)
        {
            Wire.PeerMessage heard = await _peer.HearAsync();
            if (heard.Frame is { } frame && frame.Refusals.Count + frame.Acknowledgements.Count > 0) return frame;
        }
    }

    /// <summary>As far ahead as any node agrees to.</summary>
    private async Task<(CooperativeClose, Signature)> AskToCloseAsync(UInt128 sentA, UInt128 sentB)
    {
        CooperativeClose close = new(
            _id, sentA, sentB, Math.Min(await _anvil.NowSecondsAsync(), (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds()) + 3_600);
        await _peer.SayAsync(new Wire.PeerMessage
        {
            CloseProposal = new Wire.CloseProposal
            {
                ChannelId = PeerFixture.Bytes(_id),
                SentA = RawPeer.Bytes(sentA),
                SentB = RawPeer.Bytes(sentB),
                DeadlineSeconds = close.DeadlineSeconds,
            },
        });
        Wire.CloseProposalReply reply = (await _peer.HearAsync()).CloseProposalReply;
        Assert.Equal(Wire.Refusal.Unspecified, reply.Refusal);
        return (close, Signature.Read(reply.Signature.Span));
    }

    private async Task MineTheCloseAsync()
    {
        SignatureScheme scheme = _peer.Scheme;
        await _cheat.CloseAsync(
            _channel, _close, scheme.Sign(_close), scheme.Presentable(_close, _nodesSignature, _channel.Theirs.Signer), null, TestChain.Limit);
    }

    private async Task FollowedAsync() =>
        await _node.Host.Node.View.WhenFollowedAsync(await _anvil.HeadAsync(), TestChain.Limit);

    private async Task CheckItSaysUntilWhenAsync(ulong until)
    {
        Assert.InRange(until, _close.DeadlineSeconds + 1, _close.DeadlineSeconds + 600);
        Wire.GetInfoResponse info = await _node.Api.GetInfoAsync(new Wire.GetInfoRequest());
        Assert.Equal(until, info.Restoration.HeldUntilSeconds);
        Assert.Equal(until, (await _node.ChannelAsync(_id.ToString())).RestoredHeldUntilSeconds);
        using var call = _node.Api.SubscribeEvents(new Wire.SubscribeEventsRequest
        {
            AfterCursor = info.DroppedEventCursor,
            Kinds = { Wire.EventKind.DatabaseRestored },
        });
        Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));
        Assert.Contains($"until the chain is past {RestoredHold.Words(until)}", Assert.Single(call.ResponseStream.Current.Events).Sentence);
    }
}
