using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Many updates at once, receipts, and sessions that replace one another.</summary>
public sealed class PeerFrameTests(AnvilFixture anvil) : PeerFixture(anvil)
{
    /// <summary>In each channel a good update and a bad one; the good ones count, the bad ones are named.</summary>
    [Fact]
    public async Task GoodAndBadUpdatesOfManyChannelsInOneFrame_AreEachJudgedAlone()
    {
        ChannelId[] ids = [await OpenAsync(), .. new ChannelId[4]];
        for (int index = 1; index < ids.Length; index++) ids[index] = await OpenAnotherAsync();
        await using RawPeer other = NewPeer();
        Wire.Update malformed = Peer.Update(ids[4], 20, 0);
        malformed.Payments = ByteString.CopyFrom(10, 9);

        Wire.Frame answers = await Peer.ExchangeAsync(
            Peer.Update(ids[0], 10, 0, 10), other.Update(ids[0], 20, 0, 10),
            Peer.Update(ids[1], 10, 0, 10), Peer.Update(ids[1], 9, 0),
            Peer.Update(ids[2], 10, 0, 10), Peer.Update(ids[2], Deposit + 1, 0),
            Peer.Update(ids[3], 10, 0, 10), Peer.Update(default, 10, 0, 10),
            Peer.Update(ids[4], 10, 0, 10), malformed);
        while (answers.Refusals.Count < 5 || answers.Acknowledgements.Count < 5) answers.MergeFrom((await Peer.HearAsync()).Frame);

        Assert.All(answers.Acknowledgements, said => Assert.Equal(RawPeer.Bytes(10), said.Received));
        Assert.Equal(ids.Select(Bytes).ToHashSet(), answers.Acknowledgements.Select(said => said.ChannelId).ToHashSet());
        (ByteString, Wire.Refusal)[] expected =
        [
            (Bytes(ids[0]), Wire.Refusal.WrongSigner), (Bytes(ids[1]), Wire.Refusal.StaleSent),
            (Bytes(ids[2]), Wire.Refusal.InsufficientBalance), (Bytes(default), Wire.Refusal.UnknownChannel),
            (Bytes(ids[4]), Wire.Refusal.InvalidArgument),
        ];
        Assert.Equal(expected.ToHashSet(), answers.Refusals.Select(said => (said.ChannelId, said.Reason)).ToHashSet());
        Assert.Equal(5ul, (await Node.Api.GetInfoAsync(new Wire.GetInfoRequest())).ReceivedCursor);
    }

    [Fact]
    public async Task UpdateThatAsksForAReceipt_IsAcknowledgedWithTheNodesOwnSignature()
    {
        ChannelId id = await OpenAsync();
        Wire.Update update = Peer.Update(id, 30, 0, 30);
        update.Receipt = true;

        Wire.Acknowledgement receipt = Assert.Single((await Peer.ExchangeAsync(update)).Acknowledgements);

        Assert.Equal((RawPeer.Bytes(0), RawPeer.Bytes(30)), (receipt.Sent, receipt.Received));
        Assert.True(Peer.Scheme.Verify(
            new BalanceUpdate(id, 0, 30), Signature.Read(receipt.Signature.Span), Peer.Them.Signer));
    }

    [Fact]
    public async Task ReceiptInAOneWayChannel_IsAPlainAcknowledgement()
    {
        ChannelId id = await OpenAsync(oneWay: true);
        Wire.Update update = Peer.Update(id, 30, 0, 30);
        update.Receipt = true;

        Wire.Acknowledgement answer = Assert.Single((await Peer.ExchangeAsync(update)).Acknowledgements);

        Assert.Equal((RawPeer.Bytes(30), ByteString.Empty), (answer.Received, answer.Signature));
    }

    /// <summary>The peer pays over both sessions at once; the older one ends, and no payment counts twice or is lost.</summary>
    [Fact]
    public async Task NewSessionThatReplacesAnOlderOneMidStream_LeavesTotalsExact()
    {
        ChannelId id = await OpenAsync();
        RawPeer older = Peer;
        Task paying = PayUntilEndedAsync(older, id);
        Peer = NewPeer(older.Key);
        await Peer.ConnectAsync();
        await PayUntilAsync(Peer, id, 300);
        await paying;
        await older.DisposeAsync();

        await Node.UntilAsync(id.ToString(), channel => channel.Received == "300");
        using var call = Node.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { Runs = true });
        UInt128 total = 0;
        ulong cursor = 0;
        while (total < 300 && await call.ResponseStream.MoveNext(TestChain.Limit))
        {
            foreach (Wire.ReceivedRun run in call.ResponseStream.Current.Runs)
            {
                Assert.Equal((cursor + 1, total.ToString()), (run.FirstCursor, run.TotalBefore));
                for (ReadOnlyMemory<byte> rest = run.Payments.Memory; !rest.IsEmpty;) total += PaymentList.Take(ref rest).Amount;
                cursor += run.Count;
            }
        }

        Assert.Equal((300, 300ul), ((int)total, cursor));
    }

    /// <summary>One update for each unit, told from the start: what the node knows already is harmless.</summary>
    private static async Task PayUntilAsync(RawPeer peer, ChannelId id, int total)
    {
        for (int sent = 1; sent <= total; sent += 10)
        {
            Wire.Frame frame = new();
            for (int unit = 0; unit < 10; unit++) frame.Updates.Add(peer.Update(id, (UInt128)(sent + unit), 0, 1));
            await peer.SayAsync(new Wire.PeerMessage { Frame = frame });
        }
    }

    private static async Task PayUntilEndedAsync(RawPeer peer, ChannelId id)
    {
        try
        {
            await PayUntilAsync(peer, id, 300);
        }
        catch (Exception ended) when (CallWriting.IsOfEndedCall(ended))
        {
            // Replaced.
        }
    }

    private async Task<ChannelId> OpenAnotherAsync()
    {
        ChannelTerms terms = await Peer.ProposeAsync(Terms());
        ChannelId id = Peer.Scheme.IdOf(terms);
        await Chain.DepositAsync(new Channel(id, terms, Side.A), Side.A, Deposit);
        await Node.UntilAsync(id.ToString(), channel => channel.Status == Wire.ChannelStatus.Open);
        return id;
    }
}
