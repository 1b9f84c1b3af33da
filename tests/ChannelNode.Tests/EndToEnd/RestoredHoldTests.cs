using System.Buffers.Binary;
using ChannelNode.Backups;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Google.Protobuf;
using Grpc.Core;
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
            (_close, _nodesSignature) = await AskToCloseAsync(_id, 101, 1);
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

    /// <summary>
    /// Closed at the totals that the restored node knows, the channel would give the peer back what the lost one had accepted, and had
    /// signed to have accepted. So not even where the peer agrees.
    /// </summary>
    [Fact]
    public async Task CloseWhileTheNodeMissesWhatItHadAccepted_IsRefusedByName_AndPaysAllOfItAfterwards()
    {
        (ChannelId id, Channel channel) = await OpenAsync(4);
        await PayAsync(id, 100, 100);
        Wire.Update signed = new();
        await RestoreAsync(async () =>
        {
            await PayAsync(id, 300, 200);
            await ReestablishAsync(id, sent: 300);
            signed = await BePaidAsync(id, 10);
        });
        Assert.Equal((RawPeer.Bytes(10), RawPeer.Bytes(300)), (signed.Sent, signed.Received));
        await ConnectAsync();
        await ReestablishAsync(id, sent: 300, signed);
        await _node.Api.ResumeChannelAsync(new Wire.ResumeChannelRequest { ChannelId = id.ToString(), SentUnrecorded = "10" });

        (_, Wire.CloseProposalReply no) = await ProposeCloseAsync(id, 101, 11);
        Assert.Equal((Wire.Refusal.RestoredHeld, 0), (no.Refusal, no.Signature.Length));
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => BeAskedToCloseAsync(id));
        Refusals.AssertIs(refused, StatusCode.FailedPrecondition, "RESTORED_HELD");
        Assert.Contains("does not have all again yet that this node has signed to have accepted", refused.Status.Detail);

        ulong until = (await _node.ChannelAsync(id.ToString())).RestoredHeldUntilSeconds;
        await _anvil.RpcAsync<object?>("evm_setNextBlockTimestamp", until + 1);
        await _anvil.MineAsync(6);
        await FollowedAsync();
        await PayAsync(id, 300, 200);
        (CooperativeClose close, Signature signature) = await AskToCloseAsync(id, 301, 11, until + 600);
        await MineAsync(channel, close, signature);
        await _node.UntilAsync(id.ToString(), it => it.Status == Wire.ChannelStatus.Closed);
        Assert.Equal((UInt128)(300 - 10), await _chain.EtherOfAsync(_owner));
    }

    /// <summary>The node pays, and its payment is acknowledged; answers what it has signed.</summary>
    private async Task<Wire.Update> BePaidAsync(ChannelId id, UInt128 amount)
    {
        Task<Wire.PayResponse> paying = _node.PayAsync(id.ToString(), amount.ToString());
        Wire.Update? update = null;
        while (update is null) update = (await _peer.HearAsync()).Frame?.Updates.SingleOrDefault();
        Wire.Acknowledgement taken = new() { ChannelId = update.ChannelId, Received = update.Sent };
        await _peer.SayAsync(new Wire.PeerMessage { Frame = new Wire.Frame { Acknowledgements = { taken } } });
        await paying;
        return update;
    }

    /// <summary>The node's operator closes, and the peer signs what it is asked to.</summary>
    private async Task BeAskedToCloseAsync(ChannelId id)
    {
        using var call = _node.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id.ToString() });
        Wire.CloseProposal? asked = null;
        while (asked is null) asked = (await _peer.HearAsync()).CloseProposal;
        CooperativeClose close = new(
            id, BinaryPrimitives.ReadUInt128BigEndian(asked.SentA.Span), BinaryPrimitives.ReadUInt128BigEndian(asked.SentB.Span), asked.DeadlineSeconds);
        await _peer.SayAsync(new Wire.PeerMessage
        {
            CloseProposalReply = new Wire.CloseProposalReply
            {
                ChannelId = asked.ChannelId,
                DeadlineSeconds = asked.DeadlineSeconds,
                Signature = ByteString.CopyFrom(_peer.Scheme.Sign(close).ToArray()),
            },
        });
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
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

    /// <param name="held">The node's own newest update, where the peer shows that.</param>
    private async Task ReestablishAsync(ChannelId id, UInt128 sent, Wire.Update? held = null)
    {
        await _peer.SayAsync(new Wire.PeerMessage
        {
            ChannelReestablish = new Wire.ChannelReestablish
            {
                ChannelId = PeerFixture.Bytes(id),
                Sent = RawPeer.Bytes(sent),
                Received = held?.Sent ?? RawPeer.Bytes(0),
                Held = held is null ? null : new Wire.HeldUpdate { Sent = held.Sent, Received = held.Received, Signature = held.Signature },
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

    private async Task<(CooperativeClose, Signature)> AskToCloseAsync(ChannelId id, UInt128 sentA, UInt128 sentB, ulong? deadline = null)
    {
        (CooperativeClose close, Wire.CloseProposalReply reply) = await ProposeCloseAsync(id, sentA, sentB, deadline);
        Assert.Equal(Wire.Refusal.Unspecified, reply.Refusal);
        return (close, Signature.Read(reply.Signature.Span));
    }

    /// <param name="deadline">Unix time in seconds; as far ahead as any node agrees to where there is none.</param>
    private async Task<(CooperativeClose, Wire.CloseProposalReply)> ProposeCloseAsync(
        ChannelId id, UInt128 sentA, UInt128 sentB, ulong? deadline = null)
    {
        CooperativeClose close = new(
            id, sentA, sentB, deadline ?? Math.Min(await _anvil.NowSecondsAsync(), (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds()) + 3_600);
        await _peer.SayAsync(new Wire.PeerMessage
        {
            CloseProposal = new Wire.CloseProposal
            {
                ChannelId = PeerFixture.Bytes(id),
                SentA = RawPeer.Bytes(sentA),
                SentB = RawPeer.Bytes(sentB),
                DeadlineSeconds = close.DeadlineSeconds,
            },
        });
        Wire.CloseProposalReply? reply = null;
        while (reply is null) reply = (await _peer.HearAsync()).CloseProposalReply;
        return (close, reply);
    }

    private Task MineTheCloseAsync() => MineAsync(_channel, _close, _nodesSignature);

    private Task MineAsync(Channel channel, CooperativeClose close, Signature nodes)
    {
        SignatureScheme scheme = _peer.Scheme;
        return _cheat.CloseAsync(
            channel, close, scheme.Sign(close), scheme.Presentable(close, nodes, channel.Theirs.Signer), null, TestChain.Limit);
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
