using System.Net.Sockets;
using System.Text;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Subscribers by HTTP come and go all day, mostly without a word.</summary>
[Collection(DoorsCollection.Name)]
public sealed class JsonHangUpTests(AnvilFixture anvil)
{
    [Theory]
    [InlineData("/v1/payments:subscribe?afterCursor=0", false)]
    [InlineData("/v1/payments:subscribe?afterCursor=0", true)]
    [InlineData("/v1/events:subscribe", false)]
    [InlineData("/v1/events:subscribe", true)]
    public async Task SubscriberThatHangsUp_IsNoTroubleOfTheNode(string path, bool abruptly)
    {
        using LoggedLines log = new();
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(
            chain, options => options with { Applications = options.Applications with { JsonListen = "127.0.0.1:0" } }, logs: log);
        Uri door = new(node.Host.JsonUrl);
        using (TcpClient caller = new(door.Host, door.Port))
        {
            await caller.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {door.Authority}\r\n\r\n"), TestChain.Limit);
            await UntilAsync(log, "Executing endpoint ", ":subscribe");
            if (abruptly) caller.LingerState = new LingerOption(true, 0);
        }

        await UntilAsync(log, "Request finished ", ":subscribe");

        Assert.DoesNotContain(log.Troubles, line => !line.Contains("may do everything by the API"));
        using JsonCaller other = new(node.Host.JsonUrl);
        Assert.Equal(node.Signer.ToString(), (string?)(await other.GetAsync("/v1/info"))["signer"]);
    }

    private static async Task UntilAsync(LoggedLines log, string start, string part)
    {
        CancellationToken limit = TestChain.Limit;
        while (!log.All.Any(line => line.StartsWith(start, StringComparison.Ordinal) && line.Contains(part))) await Task.Delay(10, limit);
    }
}
