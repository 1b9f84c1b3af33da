using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Signing;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1Alpha;
using Xunit;
using Xunit.Abstractions;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>
/// Hostile input for every door of a node and a watchtower, each a process of its own: no crash, no error without a name,
/// memory below a ceiling, and afterwards the node pays as quickly as before. What RPCs there are is read from the descriptors. Another seed by
/// CHANNELNODE_FUZZ_SEED; CHANNELNODE_FUZZ_INPUT=Pay/17 makes only that input of that seed.
/// </summary>
[Collection(DoorsCollection.Name)]
public sealed class FuzzTests(AnvilFixture anvil, ITestOutputHelper output) : IAsyncLifetime
{
    private const int InputsPerRpc = 208;
    private const int ConnectionsPerPort = 300;
    private const int AtATime = 24;
    private const int RoundsBefore = 7;

    /// <summary>Of its rate before: what machines and their other programs do meanwhile is less than this.</summary>
    private const double RateAfterwardsMin = 0.5;

    /// <summary>Until then it has to have paid as quickly once.</summary>
    private static readonly TimeSpan RecoveryMax = TimeSpan.FromMinutes(2);

    /// <summary>About a third of it is what 24 messages of the largest size at a time take; the rest is what .NET keeps for later.</summary>
    private const long ResidentBytesMax = 700L << 20;

    private static readonly int Seed =
        int.TryParse(Environment.GetEnvironmentVariable("CHANNELNODE_FUZZ_SEED"), out int seed) ? seed : Random.Shared.Next();

    private static readonly string? Only = Environment.GetEnvironmentVariable("CHANNELNODE_FUZZ_INPUT");

    private readonly List<string> _wrong = [];
    private readonly int _jsonPort = Ports.Free();
    private TestChain _chain = null!;
    private NodeProcess _node = null!;
    private TestNode _peer = null!;
    private TowerProcess _tower = null!;
    private string _victim = string.Empty;

    public async Task InitializeAsync()
    {
        output.WriteLine($"CHANNELNODE_FUZZ_SEED={Seed}");
        _chain = await TestChain.OpenAsync(anvil);
        _peer = await TestNode.StartAsync(_chain);
        _tower = await TowerProcess.StartAsync(_chain, ProgramProcess.AsShipped);
        _node = await NodeProcess.StartAsync(_chain, ProgramProcess.AsShipped, "--json-listen", $"127.0.0.1:{_jsonPort}");
        _victim = await _node.OpenAsync(_peer.PeerUrl, "1000", oneWay: false);
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        await _tower.DisposeAsync();
        await _peer.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [Fact]
    public async Task HostileInputAtEveryDoor_IsRefusedByName_AndTheNodePaysAsQuicklyAfterwards()
    {
        double before = await (await PayingRounds.OpenAsync(_node, _peer)).UsualAsync(RoundsBefore);
        await RpcsAsync(_node.ApiUrl, Wire.NodeService.Descriptor, Health.Descriptor, ServerReflection.Descriptor);
        await RpcsAsync(_node.PeerUrl, Wire.PeerService.Descriptor);
        await RpcsAsync(_tower.Url, Wire.WatchtowerService.Descriptor);
        await TimesAsync("session", InputsPerRpc, SessionAsync);
        await TimesAsync("bytes", ConnectionsPerPort, (random, index) => BytesAsync(new Uri(_node.PeerUrl).Port, random, index));
        await TimesAsync("api-bytes", ConnectionsPerPort, (random, index) => BytesAsync(new Uri(_node.ApiUrl).Port, random, index));
        await TimesAsync("json-bytes", ConnectionsPerPort, (random, index) => BytesAsync(_jsonPort, random, index));
        await TimesAsync("json", ConnectionsPerPort, JsonAsync);

        Assert.True(_wrong.Count == 0, $"CHANNELNODE_FUZZ_SEED={Seed}: {_wrong.Count} wrong\n{string.Join('\n', _wrong.GroupBy(it => it[..it.IndexOf('/')]).SelectMany(it => it.Take(3)).Take(40))}");
        Assert.True(_node.Process.IsRunning && _tower.Process.IsRunning, $"CHANNELNODE_FUZZ_SEED={Seed}: a process is gone");
        output.WriteLine($"memory at most: node {_node.Process.ResidentBytesMax() >> 20} MiB, tower {_tower.Process.ResidentBytesMax() >> 20} MiB");
        Assert.InRange(_node.Process.ResidentBytesMax(), 1, ResidentBytesMax);
        Assert.InRange(_tower.Process.ResidentBytesMax(), 1, ResidentBytesMax);
        await PayAsync();
        double after = await (await PayingRounds.OpenAsync(_node, _peer)).BestAsync(RateAfterwardsMin * before, RecoveryMax);
        string rates = $"streamed payments a second: {before:N0} before, {after:N0} after, {after / before:P0}";
        output.WriteLine(rates);
        Assert.True(after >= RateAfterwardsMin * before, $"CHANNELNODE_FUZZ_SEED={Seed}: {rates}");
    }

    private async Task RpcsAsync(string url, params ServiceDescriptor[] services)
    {
        using FuzzCalls calls = new(url);
        foreach (MethodDescriptor method in services.SelectMany(service => service.Methods))
        {
            await TimesAsync(method.Name, InputsPerRpc, async (random, index) =>
            {
                // Bytes for a stream that was refused meanwhile make the server close the connection, with all that is on it.
                using FuzzCalls? own = method.IsClientStreaming ? new FuzzCalls(url) : null;
                FuzzInputs inputs = new(random, [_victim, _node.ApiUrl, _peer.PeerUrl]);
                byte[][] messages = [.. Enumerable.Range(0, method.IsClientStreaming ? random.Next(1, 5) : 1)
                    .Select(place => inputs.Make(method.InputType, index + place))];
                return await (own ?? calls).CallAsync(method, messages, isAborted: random.Next(4) == 0);
            });
        }
    }

    /// <summary>Each time with random numbers of its own, so that one alone can be made again.</summary>
    private async Task TimesAsync(string name, int count, Func<Random, int, Task<string?>> attack)
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = AtATime }, async (index, _) =>
        {
            string input = $"{name}/{index}";
            if (Only is not null && Only != input) return;
            Random random = new(HashCodeOf($"{Seed}/{input}"));
            if (await attack(random, index) is not { } problem) return;
            lock (_wrong) _wrong.Add($"CHANNELNODE_FUZZ_INPUT={input}: {problem}");
        });
    }

    /// <summary>The same in every process, unlike that of strings.</summary>
    private static int HashCodeOf(string text) =>
        Encoding.UTF8.GetBytes(text).Aggregate(17, (hash, letter) => unchecked(hash * 31 + letter));

    /// <summary>A peer that has proven who it is, and then says what is right on the wire and wrong in every other way.</summary>
    private async Task<string?> SessionAsync(Random random, int index)
    {
        await using RawPeer peer = new(_node.PeerUrl, _chain.ChainId, _chain.Contract, PrivateKey.Generate());
        try
        {
            await peer.ConnectAsync();
            FuzzInputs inputs = new(random, []);
            for (int said = random.Next(1, 5); said > 0; said--)
                await peer.SayAsync(Wire.PeerMessage.Parser.ParseFrom(inputs.Structured(Wire.PeerMessage.Descriptor, 0)));
            await peer.SayAsync(new Wire.PeerMessage()); // Nothing: that ends every session.
            RpcException end = await peer.HearErrorAsync();
            return end.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>() is { Reason: not "" } ? null : end.Status.ToString();
        }
        catch (Exception ended) when (ended is RpcException { StatusCode: StatusCode.Cancelled } or not RpcException && CallWriting.IsOfEndedCall(ended))
        {
            return null; // Refused before all was said.
        }
    }

    /// <summary>Bytes on a connection: of no protocol, of half of one, or of one gone wrong. Whether anything comes back is the protocol's.</summary>
    private static async Task<string?> BytesAsync(int port, Random random, int index)
    {
        byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();
        FuzzInputs inputs = new(random, []);
        byte[] bytes = (index % 6) switch
        {
            0 => inputs.Bytes(random.Next(1, 4_000)),
            1 => [.. preface, .. inputs.Bytes(random.Next(1, 4_000))],
            2 => [.. preface, .. Frames(random, inputs)],
            3 => preface[..random.Next(1, preface.Length)],
            4 => Encoding.Latin1.GetBytes($"POST /v1/{inputs.Text()} HTTP/1.1\r\nHost: {inputs.Text()}\r\nContent-Length: {inputs.Text()}\r\n\r\n"),
            _ => Encoding.Latin1.GetBytes($"GET / HTTP/1.1\r\n{new string('x', random.Next(1, 100_000))}: y\r\n\r\n"),
        };
        try
        {
            using TcpClient client = new();
            await client.ConnectAsync(IPAddress.Loopback, port);
            await client.GetStream().WriteAsync(bytes);
            if (random.Next(2) == 0) client.Client.Shutdown(SocketShutdown.Send);
            using CancellationTokenSource soon = new(TimeSpan.FromMilliseconds(100));
            _ = await client.GetStream().ReadAsync(new byte[4_096], soon.Token);
        }
        catch (Exception ended) when (ended is IOException or SocketException or OperationCanceledException or InvalidOperationException)
        {
            // Closed, or nothing said.
        }

        return null;
    }

    /// <summary>HTTP/2 frames whose types, flags, streams and lengths are anything.</summary>
    private static byte[] Frames(Random random, FuzzInputs inputs)
    {
        List<byte> frames = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        for (int count = random.Next(1, 30); count > 0; count--)
        {
            byte[] payload = inputs.Bytes(random.Next(0, 60));
            int said = random.Next(8) == 0 ? random.Next(1 << 24) : payload.Length;
            frames.AddRange([(byte)(said >> 16), (byte)(said >> 8), (byte)said, (byte)random.Next(11), (byte)random.Next(256)]);
            frames.AddRange([(byte)random.Next(2), 0, 0, (byte)random.Next(8)]);
            frames.AddRange(payload);
        }

        return [.. frames];
    }

    /// <summary>Bodies and queries for every path that the API has.</summary>
    private async Task<string?> JsonAsync(Random random, int index)
    {
        FuzzInputs inputs = new(random, [_victim]);
        string text = inputs.Text(), id = random.Next(2) == 0 ? _victim : Uri.EscapeDataString(inputs.Text());
        string path = Paths[index % Paths.Length].Replace("{id}", id.Length > 4_000 ? id[..4_000] : id);
        bool isGet = index % 3 == 0;
        if (isGet) path += "?" + Uri.EscapeDataString(text.Length > 2_000 ? text[..2_000] : text) + "=1&pageSize=-1&afterCursor=18446744073709551615";
        byte[] body = random.Next(6) switch
        {
            0 => inputs.Bytes(200),
            1 => Encoding.UTF8.GetBytes(new string('[', 100_000)),
            2 => Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"payment\":", 5_000))),
            3 => Encoding.UTF8.GetBytes($"{{\"amount\":{random.NextInt64()}e{random.Next(400)}}}"),
            4 => Encoding.UTF8.GetBytes($"{{\"amount\":{System.Text.Json.JsonSerializer.Serialize(text)},\"amount\":null,\"peerUrl\":[]}}"),
            _ => [.. "{\"channelIds\":[\""u8, 0xff, 0xfe, .. "\"]}"u8],
        };
        using HttpClient http = new() { BaseAddress = new Uri($"http://127.0.0.1:{_jsonPort}"), Timeout = TimeSpan.FromSeconds(2) };
        using HttpRequestMessage request = new(isGet ? HttpMethod.Get : HttpMethod.Post, path);
        if (!isGet) request.Content = new ByteArrayContent(body) { Headers = { { "Content-Type", "application/json" } } };
        try
        {
            using HttpResponseMessage answer = await http.SendAsync(request);
            string said = await answer.Content.ReadAsStringAsync();
            bool isNamed = said.Contains("\"code\":", StringComparison.Ordinal) || said.Contains("\"code\": ", StringComparison.Ordinal);
            return (int)answer.StatusCode switch
            {
                200 or 409 or 429 or 503 or 504 => null,
                < 500 when isNamed || said.Length == 0 => null, // Empty: Kestrel's own, for what is no HTTP.
                _ => $"{request.Method} {path[..Math.Min(path.Length, 100)]}: {(int)answer.StatusCode} {said}",
            };
        }
        catch (Exception ended) when (ended is HttpRequestException or OperationCanceledException or UriFormatException)
        {
            return null;
        }
    }

    private static readonly string[] Paths =
    [
        "/v1/info", "/v1/channels", "/v1/channels/{id}", "/v1/channels/{id}/payments", "/v1/channels/{id}/deposits", "/v1/channels:deposit",
        "/v1/channels:claim", "/v1/channels/{id}:settle", "/v1/payments:subscribe", "/v1/events:subscribe", "/v1/jobs", "/v1/credits",
        "/v1/credits:withdraw", "/v1/{id}", "/{id}", "/openapi/v1.json", "/channelnode.v1.NodeService/Pay",
    ];

    /// <summary>In a channel of its own: the victim may be closed by now, which its caller was free to ask for.</summary>
    private async Task PayAsync()
    {
        string channel = await _node.OpenAsync(_peer.PeerUrl, "1000", oneWay: false);
        await _peer.UntilAsync(channel, it => it.Status == Wire.ChannelStatus.Open);
        for (int payment = 1; payment <= 20; payment++)
        {
            try
            {
                Wire.PayResponse paid = await _node.Api.PayAsync(
                    new Wire.PayRequest { Payment = new Wire.Payment { ChannelId = channel, Amount = "10" } }, deadline: DateTime.UtcNow.AddSeconds(20));
                Assert.Equal((payment * 10).ToString(CultureInfo.InvariantCulture), paid.TotalSent);
            }
            catch (RpcException error)
            {
                Assert.Fail(
                    $"CHANNELNODE_FUZZ_SEED={Seed}: payment {payment}: {error.Status}\n{await Situation.OfAsync("payer", _node.Api, channel)}"
                    + $"{await Situation.OfAsync("payee", _peer.Api, channel)}{Situation.Of("payee", _peer.Host.Node, channel)}"
                    + $"the payer said\n{_node.LogTail}");
            }
        }
    }
}
