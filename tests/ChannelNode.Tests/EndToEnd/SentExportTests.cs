using ChannelNode.Cli;
using ChannelNode.Tests.Cli;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What 'payments export --sent' writes of payments that were really made, and of those that are under way.</summary>
public sealed class SentExportTests(AnvilFixture anvil) : PeerFixture(anvil)
{
    private const string Ether = "0x0000000000000000000000000000000000000000";

    [Fact]
    public async Task PaymentsMade_AreRowsInTheirOrder_AndSayWhatIsAcknowledged()
    {
        RecordingPayee payee = new();
        await Peer.JoinAsync(Node.Api);
        Task answering = payee.RunAsync(Peer);
        string id = await Peer.HaveOpenedAsync(Node.Api, 1_000);
        await Node.PayAsync(id, "5", key: "k-1", item: "article-1");
        await Node.PayAsync(id, "7", item: "=1+2");
        await Node.PayAsync(id, "11", key: "k-1b", item: "a\nb");
        await Node.UntilAsync(id, channel => channel.Acknowledged == "23");
        payee.IsSilent = true;
        Task<Wire.PayResponse> underWay = Node.PayAsync(id, "13", key: "k,2", item: "last");
        await Node.UntilAsync(id, channel => channel.Sent == "36");

        string[] expected =
        [
            "total_sent,acknowledged,channel_id,token,amount,idempotency_key,item_id_hex,item_text",
            $"5,true,{id},{Ether},5,k-1,0x{Hex("article-1")},article-1",
            $"12,true,{id},{Ether},7,,0x{Hex("=1+2")},'=1+2",
            $"23,true,{id},{Ether},11,k-1b,0x{Hex("a\nb")},",
            $"36,false,{id},{Ether},13,\"k,2\",0x{Hex("last")},last",
        ];
        Assert.Equal(string.Concat(expected.Select(row => row + "\r\n")), (await ExportAsync(id)).Output);
        Assert.Equal(string.Concat(expected[..1].Concat(expected[3..]).Select(row => row + "\r\n")), (await ExportAsync(id, "--after", "12")).Output);
        Assert.Equal(
            $"{{\"totalSent\":\"36\",\"acknowledged\":\"false\",\"channelId\":\"{id}\",\"token\":\"{Ether}\",\"amount\":\"13\","
            + $"\"idempotencyKey\":\"k,2\",\"itemIdHex\":\"0x{Hex("last")}\",\"itemText\":\"last\"}}",
            Assert.Single((await ExportAsync(id, "--after", "23", "--format", "jsonl")).OutputLines));

        await Peer.DisposeAsync();
        await answering;
        _ = underWay.ContinueWith(failed => failed.Exception, TaskScheduler.Default); // It ends with the node.
    }

    private async Task<CliRun> ExportAsync(string id, params string[] more)
    {
        CliRun run = await CliRun.AsyncOf(["payments", "export", "--sent", "--channel", id, .. more, "--node", Node.Host.ApiUrl]);
        Assert.Equal(ExitCode.Done, run.ExitCode); // Its error output has how far it was, where the machine is slow.
        return run;
    }

    private static string Hex(string text) => Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(text));
}
