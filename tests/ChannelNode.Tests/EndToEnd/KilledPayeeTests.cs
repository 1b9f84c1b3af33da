using ChannelNode.Core;
using ChannelNode.Signing;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A payee process killed with SIGKILL while a peer pays as fast as it can, and a subscriber that comes back each time.</summary>
[Collection(KillsCollection.Name)]
public sealed class KilledPayeeTests(AnvilFixture anvil)
{
    private const int Channels = 4;
    private const int UpdatesPerFrame = 64;
    private const int WindowUpdates = 4_096;
    private const ulong AcknowledgedBeforeKill = 4_000;

    private readonly ulong[] _sent = new ulong[Channels];
    private readonly ulong[] _acknowledged = new ulong[Channels];
    private readonly List<ChannelId> _ids = [];

    [Fact]
    public async Task KilledUnderLoad_HasEveryAcknowledgedUpdate_AndTellsEachPaymentOnce()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payee = await NodeProcess.StartAsync(chain);
        using PrivateKey key = PrivateKey.Generate();
        RawPeer payer = await ConnectAsync(payee, chain, key);
        await OpenAsync(payee, chain, payer);
        ResumingSubscriber subscriber = new(payee);
        using CancellationTokenSource over = new();
        Task subscribing = subscriber.RunAsync(over.Token);

        for (int kill = 0; kill < Kills.Share(8); kill++)
        {
            await PayUntilKilledAsync(payer, payee);
            await payer.DisposeAsync();
            await payee.StartAsync();
            payer = await ConnectAsync(payee, chain, key);
            await CheckStandsAsync(payer);
        }

        await payer.DisposeAsync();
        ulong received = _sent.Aggregate((sum, each) => sum + each);
        CancellationToken limit = TestChain.Limit;
        while (subscriber.Cursor < received && !subscribing.IsCompleted) await Task.Delay(20, limit);
        await over.CancelAsync();
        await subscribing;
        Assert.Equal(received, subscriber.Cursor);
        Assert.Equal(_sent, _ids.Select(subscriber.ToldOf));
        Assert.True(subscriber.Resumed >= Kills.Share(8));
    }

    private static async Task<RawPeer> ConnectAsync(NodeProcess payee, TestChain chain, PrivateKey key)
    {
        RawPeer peer = new(payee.PeerUrl, chain.ChainId, chain.Contract, key);
        await peer.ConnectAsync();
        return peer;
    }

    private async Task OpenAsync(NodeProcess payee, TestChain chain, RawPeer payer)
    {
        for (ulong salt = 0; salt < Channels; salt++)
        {
            ChannelTerms terms = await payer.ProposeAsync(
                new ChannelTerms(payer.Us, payer.Them, Address.Zero, 600, OneWay: false, new Bytes32(0, 0, 0, salt)));
            ChannelId id = payer.Scheme.IdOf(terms);
            await chain.DepositAsync(new Channel(id, terms, Side.A), Side.A, 1_000_000_000);
            await payee.UntilAsync(id.ToString(), channel => channel.Status == Wire.ChannelStatus.Open);
            _ids.Add(id);
        }
    }

    /// <summary>Pays in all channels and kills the payee in the middle; returns when the last answer was read.</summary>
    private async Task PayUntilKilledAsync(RawPeer payer, NodeProcess payee)
    {
        ulong before = _acknowledged.Aggregate((sum, each) => sum + each);
        TaskCompletionSource enough = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task reading = ReadAsync(payer, () =>
        {
            if (_acknowledged.Aggregate((sum, each) => sum + each) >= before + AcknowledgedBeforeKill) enough.TrySetResult();
        });
        Task paying = PayAsync(payer, reading);
        await enough.Task.WaitAsync(TestChain.Limit);
        await payee.KillAsync();
        await reading;
        await paying;
    }

    private async Task ReadAsync(RawPeer payer, Action afterFrame)
    {
        try
        {
            while (true)
            {
                if ((await payer.HearAsync()).Frame is not { } frame) continue;
                Assert.Empty(frame.Refusals);
                foreach (Wire.Acknowledgement said in frame.Acknowledgements)
                {
                    int index = _ids.IndexOf(ChannelId.Read(said.ChannelId.Span));
                    Volatile.Write(ref _acknowledged[index], Total(said.Received));
                }

                afterFrame();
            }
        }
        catch (Exception error) when (CallWriting.IsOfEndedCall(error))
        {
            // Killed.
        }
    }

    private async Task PayAsync(RawPeer payer, Task reading)
    {
        try
        {
            while (!reading.IsCompleted)
            {
                bool waits = true;
                for (int index = 0; index < Channels; index++)
                {
                    if (_sent[index] + UpdatesPerFrame > Volatile.Read(ref _acknowledged[index]) + WindowUpdates) continue;
                    waits = false;
                    await payer.SayAsync(new Wire.PeerMessage { Frame = NextFrame(payer, index) });
                }

                if (waits) await Task.Delay(1);
            }
        }
        catch (Exception error) when (CallWriting.IsOfEndedCall(error))
        {
            // Killed.
        }
    }

    private Wire.Frame NextFrame(RawPeer payer, int index)
    {
        Wire.Frame frame = new();
        for (int update = 0; update < UpdatesPerFrame; update++)
        {
            ulong number = ++_sent[index];
            frame.Updates.Add(payer.Update(_ids[index], number, 0, RawPeer.Payment(1, ResumingSubscriber.ItemOf(number))));
        }

        return frame;
    }

    /// <summary>The payee is asked where it stands: at what it acknowledged at least. From there the payer goes on.</summary>
    private async Task CheckStandsAsync(RawPeer payer)
    {
        for (int index = 0; index < Channels; index++)
        {
            await payer.SayAsync(new Wire.PeerMessage
            {
                ChannelReestablish = new Wire.ChannelReestablish
                {
                    ChannelId = Google.Protobuf.ByteString.CopyFrom(_ids[index].Value.ToArray()),
                    Sent = RawPeer.Bytes(_sent[index]),
                    Received = RawPeer.Bytes(0),
                },
            });
        }

        for (int told = 0; told < Channels;)
        {
            if ((await payer.HearAsync()).ChannelReestablish is not { } stands) continue;
            int index = _ids.IndexOf(ChannelId.Read(stands.ChannelId.Span));
            Assert.InRange(Total(stands.Received), _acknowledged[index], _sent[index]);
            _sent[index] = _acknowledged[index] = Total(stands.Received);
            told++;
        }
    }

    private static ulong Total(Google.Protobuf.ByteString amount) =>
        (ulong)System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(amount.Span);
}
