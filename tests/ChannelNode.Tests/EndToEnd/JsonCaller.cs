using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Calls the JSON port as any program without gRPC does.</summary>
internal sealed class JsonCaller(string url) : IDisposable
{
    /// <summary>What is too large is refused before it is sent, however long that takes.</summary>
    public HttpClient Http { get; } = new(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) })
    {
        BaseAddress = new Uri(url),
    };

    public async Task<JsonNode> GetAsync(string path) => await ReadAsync(await Http.GetAsync(path, TestChain.Limit));

    public async Task<JsonNode> PostAsync(string path, string json = "{}") =>
        await ReadAsync(await Http.PostAsync(path, Json(json), TestChain.Limit));

    /// <summary>Each line of a stream, until it ends.</summary>
    public async Task<List<JsonNode>> PostStreamAsync(string path, string json = "{}")
    {
        using HttpResponseMessage response = await Http.PostAsync(path, Json(json), TestChain.Limit);
        string text = await response.Content.ReadAsStringAsync(TestChain.Limit);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
    }

    /// <summary>The lines of a stream, as they come.</summary>
    public async IAsyncEnumerable<JsonNode> FollowAsync(string path)
    {
        using HttpResponseMessage response =
            await Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, TestChain.Limit);
        using StreamReader lines = new(await response.Content.ReadAsStreamAsync(TestChain.Limit));
        while (await lines.ReadLineAsync(TestChain.Limit) is { } line) yield return JsonNode.Parse(line)!;
    }

    public static StringContent Json(string json) => new(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));

    /// <summary>With the number of the HTTP status beside what came.</summary>
    public static async Task<JsonNode> ReadAsync(HttpResponseMessage response)
    {
        using HttpResponseMessage read = response;
        string text = await read.Content.ReadAsStringAsync(TestChain.Limit);
        JsonNode node;
        try
        {
            node = JsonNode.Parse(text)!;
        }
        catch (JsonException)
        {
            node = new JsonObject { ["text"] = text };
        }

        node["http"] = (int)read.StatusCode;
        return node;
    }

    public void Dispose() => Http.Dispose();
}
