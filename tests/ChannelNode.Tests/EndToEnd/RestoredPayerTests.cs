using ChannelNode.Signing;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A payer that is backed up while it pays as fast as it can, lost, and restored from what is then an older copy.</summary>
[Collection(RestartsCollection.Name)]
public sealed class RestoredPayerTests(AnvilFixture anvil) : IDisposable
{
    private const int Payments = 300_000;
    private const int BeforeBackup = 3_000;
    private const int BehindBackup = 3_000;

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string KeyFile => Path.Combine(_folder, "backup.key");

    private string Backup => Path.Combine(_folder, "node.backup");

    [Fact]
    public async Task RestoredFromABackupMadeAtFullRate_HasAllThatWasPaidBefore_AndSignsNothingBelowWhatOthersProve()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using NodeProcess payer = await NodeProcess.StartAsync(chain);
        using PrivateKey key = PrivateKey.Generate();
        RecordingPayee payee = new();
        RawPeer peer = new(payer.PeerUrl, chain.ChainId, chain.Contract, key);
        await peer.JoinAsync(payer.Api);
        Task answering = payee.RunAsync(peer);
        string id = await peer.HaveOpenedAsync(payer.Api, 3 * Payments);

        ProgramRun made = await ProgramRun.AsyncOf("backup", "key", "new", "--file", KeyFile);
        ResumedPayments payments = new(id, Payments);
        Task streaming = payments.StreamAsync(payer, pauseMs: 20);
        ulong paidBefore = await BackUpAsync(payer, payments, payee, streaming, made.Output.Split(' ')[0]);
        int atBackup = payee.Payments;
        CancellationToken limit = TestChain.Limit;
        while (payee.Payments < atBackup + BehindBackup && !streaming.IsCompleted) await Task.Delay(1, limit);
        await payer.KillAsync();
        await streaming;
        await answering;
        await peer.DisposeAsync();
        await RestoreAsync(payer);

        Wire.Channel restored = (await payer.Api.GetChannelAsync(new Wire.GetChannelRequest { ChannelId = id })).Channel;
        Assert.InRange(ulong.Parse(restored.Sent), paidBefore, payee.Signed - 1);
        Assert.True(restored.RestoredUnconfirmed);
        await CheckItSaysSoAsync(payer);
        Assert.Equal("RESTORED_UNCONFIRMED", await RefusedAsync(payer, id));

        ulong signed = payee.Signed;
        RawPeer back = new(payer.PeerUrl, chain.ChainId, chain.Contract, key);
        await back.ConnectAsync();
        answering = payee.RunAsync(back); // Tells the largest total that it can prove.
        await payer.UntilAsync(id, channel => channel.PeerProves == signed.ToString());
        Assert.Equal("STATE_LOST", await RefusedAsync(payer, id));
        await payer.KillAsync();
        await answering; // Whatever it had signed below, or for something else, would have thrown.
        Assert.Equal(signed, payee.Signed);
        await back.DisposeAsync();

        payee.Shows = true;
        await payer.StartAsync();
        RawPeer shows = new(payer.PeerUrl, chain.ChainId, chain.Contract, key);
        await shows.ConnectAsync();
        answering = payee.RunAsync(shows);
        await payer.UntilAsync(id, channel => channel.Sent == signed.ToString());
        await GoOnAsync(payer, id, signed - ulong.Parse(restored.Sent));
        Assert.Equal((signed + 5, "after"), (payee.Signed, payee.Items[signed + 5].Item));
        await payer.KillAsync();
        await answering;
        await shows.DisposeAsync();
    }

    /// <summary>What it had signed is taken over; it pays again when its operator says so, and not before, also after a restart.</summary>
    private static async Task GoOnAsync(NodeProcess payer, string id, ulong unrecorded)
    {
        Assert.Equal("STATE_LOST", await RefusedAsync(payer, id));
        ProgramRun shown = await ProgramRun.AsyncOf("channel", "show", id, "--node", payer.ApiUrl);
        Assert.Contains($"{unrecorded} wei sent (totals above ", shown.Output.ReplaceLineEndings(" "));
        ProgramRun resumed = await ProgramRun.AsyncOf("channel", "resume", id, "--yes", "--node", payer.ApiUrl);
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Contains("stay in no book here", resumed.Output);
        Wire.Payment after = new() { ChannelId = id, Amount = "5", ItemId = Google.Protobuf.ByteString.CopyFromUtf8("after") };
        await payer.Api.PayAsync(new Wire.PayRequest { Payment = after }, deadline: DateTime.UtcNow.AddSeconds(60));
    }

    /// <summary>Backs up in the middle of the payments and checks the file; answers the largest total acknowledged before.</summary>
    private async Task<ulong> BackUpAsync(NodeProcess payer, ResumedPayments payments, RecordingPayee payee, Task streaming, string recipient)
    {
        CancellationToken limit = TestChain.Limit;
        while (payee.Payments < BeforeBackup && !streaming.IsCompleted) await Task.Delay(1, limit);
        ulong paid = payments.Totals.Max();

        await File.WriteAllTextAsync(Backup, "an older one");
        ProgramRun backup = await ProgramRun.AsyncOf(
            "backup", "create", "--to", Backup, "--force", "--recipient", recipient, "--node", payer.ApiUrl);
        Assert.True(backup.ExitCode == 0, backup.Error);
        Assert.True(payee.Payments < Payments, "the payments ended before the backup did: it shows nothing");
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Backup));
        Assert.Equal([KeyFile, Backup], Directory.EnumerateFiles(_folder).Order());

        ProgramRun verified = await ProgramRun.AsyncOf("backup", "verify", Backup, "--identity", KeyFile, "--rpc-url", anvil.HttpUrl);
        Assert.True(verified.ExitCode == 0, verified.Output + verified.Error);
        Assert.Contains("1 channel ", verified.Output);
        Assert.Contains("0 differ", verified.Output);
        return paid;
    }

    private async Task RestoreAsync(NodeProcess payer)
    {
        string[] restore = ["backup", "restore", Backup, "--data-dir", payer.DataDirectory, "--identity", KeyFile];
        ProgramRun refused = await ProgramRun.AsyncOf(restore);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("FOLDER_NOT_EMPTY", refused.Error);
        Directory.Delete(payer.DataDirectory, recursive: true);
        ProgramRun restored = await ProgramRun.AsyncOf(restore);
        Assert.True(restored.ExitCode == 0, restored.Error);
        await payer.StartAsync();
    }

    private static async Task CheckItSaysSoAsync(NodeProcess payer)
    {
        Wire.GetInfoResponse info = await payer.Api.GetInfoAsync(new Wire.GetInfoRequest());
        Assert.Equal(1ul, info.Restoration.UnconfirmedChannels);
        Assert.True(info.Restoration.BackupAtMs < info.Restoration.RestoredAtMs);
        using var call = payer.Api.SubscribeEvents(new Wire.SubscribeEventsRequest
        {
            AfterCursor = info.DroppedEventCursor,
            Kinds = { Wire.EventKind.DatabaseRestored },
        });
        Assert.True(await call.ResponseStream.MoveNext(TestChain.Limit));
        Assert.Contains("1 channel is not paid in until its peer has told", Assert.Single(call.ResponseStream.Current.Events).Sentence);
    }

    private static async Task<string> RefusedAsync(NodeProcess payer, string id)
    {
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => payer.Api.PayAsync(
            new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = id, Amount = "1" } }).ResponseAsync);
        return refused.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>()!.Reason;
    }
}
