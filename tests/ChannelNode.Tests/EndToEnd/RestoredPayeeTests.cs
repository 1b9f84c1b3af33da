using ChannelNode.Backups;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A payee that loses its database and is restored: what it accepted since the backup, its peers still owe it.</summary>
public sealed class RestoredPayeeTests
{
    [Fact]
    public async Task RestoredFromAnOlderBackup_IsToldAgainWhatItLost_UnderNewCursors_AndClosesWithAllOfIt()
    {
        await using AnvilFixture anvil = await AnvilFixture.StartAsync();
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode alice = await TestNode.StartAsync(chain);
        int port = Ports.Free(); // Where alice finds it again.
        await using TestNode bob = await TestNode.StartAsync(chain, options => options with { PeerListen = $"127.0.0.1:{port}" });
        string id = await alice.OpenAsync(bob, "1000");
        await alice.PayAsync(id, "100", item: "one");
        using MemoryStream backup = new();
        using AgeIdentity identity = AgeIdentity.Generate();
        Wire.BackupSummary made = await BackUpAsync(bob, identity, backup);
        Assert.Equal((1ul, 1ul), (made.Channels, made.ReceivedCursor));
        await alice.PayAsync(id, "200", item: "two");
        await alice.PayAsync(id, "300", item: "three");
        await bob.StopAsync();
        await RestoreAsync(bob, identity, backup);
        await bob.StartAsync();

        // Nobody pays in the channel: the restored node asks by itself, as soon as its peer is there. It takes what it is told again when
        // no close can be mined any more that it may have forgotten; until then the peer knows why it does not, and until when.
        await bob.UntilAsync(id, channel => !channel.RestoredUnconfirmed);
        Wire.Channel refused = await alice.UntilAsync(id, channel => channel.PeerRefusal == Wire.Refusal.RestoredHeld);
        Assert.Equal((await bob.ChannelAsync(id)).RestoredHeldUntilSeconds, refused.PeerRefusalUntilSeconds);
        await CheckNoIsExplainedAsync(alice, bob, id, $"when the chain is past {RestoredHold.Words(refused.PeerRefusalUntilSeconds)}");
        await bob.StopAsync(); // Also where it was away when that time was over.
        await chain.PassTimeAsync(HeldSeconds);
        await anvil.MineAsync(6);
        await bob.StartAsync();
        Wire.Channel again = await bob.UntilAsync(id, channel => channel.Received == "600" && !channel.RestoredUnconfirmed);

        Wire.GetInfoResponse info = await bob.Api.GetInfoAsync(new Wire.GetInfoRequest());
        Assert.Equal(0ul, info.Restoration.UnconfirmedChannels);
        Assert.Equal(1ul, info.Restoration.KnownCursor);
        await CheckSubscribersAsync(bob, info.Restoration.FirstCursor);
        Assert.Equal("600", again.OurBalance);
        using (var call = bob.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }))
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
        Assert.Equal(("0", "0"), ((await bob.ChannelAsync(id)).OurPot, (await bob.ChannelAsync(id)).TheirPot));
    }

    /// <summary>What the peer offers again counts what the lost node had paid: it is taken only by who knows that.</summary>
    [Fact]
    public async Task RestoredFromAnOlderBackup_InAChannelThatBothPayIn_TakesOverWhatItHadSigned_AndHasAllThatItHadAccepted()
    {
        await using AnvilFixture anvil = await AnvilFixture.StartAsync();
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode alice = await TestNode.StartAsync(chain);
        int port = Ports.Free();
        await using TestNode bob = await TestNode.StartAsync(chain, options => options with { PeerListen = $"127.0.0.1:{port}" });
        string id = await alice.OpenAsync(bob, "1000");
        await alice.PayAsync(id, "500", item: "one");
        await bob.PayAsync(id, "10", item: "change");
        using MemoryStream backup = new();
        using AgeIdentity identity = AgeIdentity.Generate();
        await BackUpAsync(bob, identity, backup);
        await alice.PayAsync(id, "200", item: "two");
        await bob.PayAsync(id, "30", item: "more change");
        await bob.StopAsync();
        await RestoreAsync(bob, identity, backup);
        await bob.StartAsync();

        Wire.Channel shown = await bob.UntilAsync(id, channel => channel.Sent == "40" && !channel.RestoredUnconfirmed);
        Assert.Equal(("30", "500"), (shown.SentUnrecorded, shown.Received));
        RpcException unknown = await Assert.ThrowsAsync<RpcException>(() => bob.PayAsync(id, "1"));
        Assert.Contains("30 wei were paid in it after the backup", unknown.Status.Detail);
        Wire.ResumeChannelResponse resumed = await bob.Api.ResumeChannelAsync(new Wire.ResumeChannelRequest { ChannelId = id, SentUnrecorded = "30" });
        Assert.Equal("0", resumed.Channel.SentUnrecorded);
        RpcException held = await Assert.ThrowsAsync<RpcException>(() => bob.PayAsync(id, "1"));
        Assert.Equal("RESTORED_HELD", held.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>()!.Reason);
        await bob.StopAsync();
        await chain.PassTimeAsync(HeldSeconds);
        await anvil.MineAsync(6);
        await bob.StartAsync();

        await bob.UntilAsync(id, channel => channel.Received == "700" && channel.Sent == "40" && channel.SentUnrecorded == "0");
        await bob.PayAsync(id, "2", item: "after");
        await alice.PayAsync(id, "1", item: "next");
        await alice.UntilAsync(id, channel => channel.Received == "42" && channel.OurBalance == "341");
        using (var call = bob.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }))
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
        Assert.Equal(("0", "0"), ((await bob.ChannelAsync(id)).OurPot, (await bob.ChannelAsync(id)).TheirPot));
    }

    /// <summary>A busy site loses so many in a second, and has its backup of a day ago.</summary>
    [Fact]
    public async Task RestoredFromABackup_AfterMorePaymentsThanAnUpdateHolds_IsPaidAllOfIt()
    {
        const int lost = 20_000;
        await using AnvilFixture anvil = await AnvilFixture.StartAsync();
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode alice = await TestNode.StartAsync(chain);
        int port = Ports.Free();
        await using TestNode bob = await TestNode.StartAsync(chain, options => options with { PeerListen = $"127.0.0.1:{port}" });
        string id = await alice.OpenAsync(bob, "100000");
        await alice.PayAsync(id, "100", item: "one");
        using MemoryStream backup = new();
        using AgeIdentity identity = AgeIdentity.Generate();
        await BackUpAsync(bob, identity, backup);
        await PayManyAsync(alice, id, lost);
        await bob.StopAsync();
        await RestoreAsync(bob, identity, backup);
        await bob.StartAsync();
        await alice.UntilAsync(id, channel => channel.PeerRefusal == Wire.Refusal.RestoredHeld);
        await bob.StopAsync();
        await chain.PassTimeAsync(HeldSeconds);
        await anvil.MineAsync(6);
        await bob.StartAsync();

        await bob.UntilAsync(id, channel => channel.Received == (100 + lost).ToString() && !channel.RestoredUnconfirmed);
        Wire.GetInfoResponse info = await bob.Api.GetInfoAsync(new Wire.GetInfoRequest());
        Assert.Equal([(info.Restoration.FirstCursor, "")], await ReceivedAsync(bob, afterCursor: 1));
        await alice.PayAsync(id, "1", item: "next");
        using (var call = bob.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id }))
            while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
        Assert.Equal("0", (await bob.ChannelAsync(id)).OurPot);
    }

    private static async Task PayManyAsync(TestNode payer, string id, int count)
    {
        using var call = payer.Api.StreamPayments();
        for (int left = count; left > 0; left -= 1_000)
        {
            Wire.StreamPaymentsRequest some = new();
            for (int number = 0; number < 1_000; number++) some.Payments.Add(new Wire.Payment { ChannelId = id, Amount = "1" });
            await call.RequestStream.WriteAsync(some);
        }

        await call.RequestStream.CompleteAsync();
        int paid = 0;
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
            paid += call.ResponseStream.Current.Results.Count(result => result.Refusal == Wire.Refusal.Unspecified);
        Assert.Equal(count, paid);
    }

    private static async Task CheckNoIsExplainedAsync(TestNode payer, TestNode restored, string id, string until)
    {
        RpcException payment = await Assert.ThrowsAsync<RpcException>(() => payer.PayAsync(id, "1"));
        Assert.Contains($"(RESTORED_HELD: its database was restored from a backup, and takes payments again {until}). This payment was not made", payment.Status.Detail);
        foreach ((TestNode asked, string whose) in ((TestNode, string)[])[(payer, "the peer's database"), (restored, "this database")])
        {
            using var call = asked.Api.CloseChannel(new Wire.CloseChannelRequest { ChannelId = id });
            RpcException close = await Assert.ThrowsAsync<RpcException>(async () =>
            {
                while (await call.ResponseStream.MoveNext(TestChain.Limit)) { }
            });
            Assert.Equal("PAYMENTS_IN_FLIGHT", close.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>()!.Reason);
            Assert.Contains($"{whose} was restored from a backup", close.Status.Detail);
            Assert.Contains(until, close.Status.Detail);
        }
    }

    /// <summary>More than the longest deadline of a close, and what clocks may differ.</summary>
    internal const uint HeldSeconds = 3_600 + 300 + 60;

    private static async Task CheckSubscribersAsync(TestNode bob, ulong firstCursor)
    {
        // Who had handled the first goes on and is told the others once more; of cursors of the lost database nothing is told.
        Assert.Equal(
            [(firstCursor, "two"), (firstCursor + 1, "three")], await ReceivedAsync(bob, afterCursor: 1));
        Assert.Equal([(firstCursor + 1, "three")], await ReceivedAsync(bob, afterCursor: firstCursor));
        Assert.Equal(3, (await ReceivedAsync(bob, afterCursor: 0)).Count);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => ReceivedAsync(bob, afterCursor: 3));
        Assert.Equal("CURSOR_UNKNOWN", refused.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>()!.Reason);
        Assert.Contains($"or {firstCursor - 1} for all since the restoration", refused.Status.Detail);
    }

    private static async Task<List<(ulong Cursor, string Item)>> ReceivedAsync(TestNode node, ulong afterCursor)
    {
        using var call = node.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { AfterCursor = afterCursor, KeptOnly = true });
        List<(ulong, string)> told = [];
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
            told.AddRange(call.ResponseStream.Current.Payments.Select(payment => (payment.Cursor, payment.ItemId.ToStringUtf8())));
        return told;
    }

    internal static async Task<Wire.BackupSummary> BackUpAsync(TestNode node, AgeIdentity identity, MemoryStream backup)
    {
        using var call = node.Api.CreateBackup(new Wire.CreateBackupRequest { Recipients = { identity.Recipient.Text } });
        Wire.BackupSummary? summary = null;
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
        {
            backup.Write(call.ResponseStream.Current.Data.Span);
            summary = call.ResponseStream.Current.Summary;
        }

        return summary!;
    }

    internal static async Task RestoreAsync(TestNode node, AgeIdentity identity, MemoryStream backup)
    {
        Directory.Delete(node.DataDirectory, recursive: true);
        Directory.CreateDirectory(node.DataDirectory);
        backup.Position = 0;
        BackupManifest manifest = await BackupArchive.ReadAsync(backup, [identity], node.DataDirectory, null, CancellationToken.None);
        using RocksChannelStore store = RocksChannelStore.Open(node.DataDirectory, RocksChannelStore.ReadIdentity(node.DataDirectory));
        store.MarkRestored(manifest.CreatedAt.ToUnixTimeMilliseconds() + 1, manifest.CreatedAt.ToUnixTimeMilliseconds());
    }
}
