using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a node posted.</summary>
internal sealed record Delivered(string Signature, string Id, int Attempt, string Body)
{
    public JsonNode Json { get; } = JsonNode.Parse(Body)!;

    public bool IsOfPayments => Json["payments"]!.AsArray().Count > 0;

    public IEnumerable<ulong> Cursors => Json[IsOfPayments ? "payments" : "events"]!.AsArray().Select(it => ulong.Parse((string)it!["cursor"]!));
}

/// <summary>A site's HTTP server that takes deliveries, or answers as a test says.</summary>
internal sealed class WebhookReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly List<Delivered> _all = [];

    private WebhookReceiver(int port)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        _app = builder.Build();
        _app.Run(TakeAsync);
        Url = $"http://127.0.0.1:{port}/hook";
    }

    public string Url { get; }

    /// <summary>The status that a delivery is answered with; 200 unless set.</summary>
    public Func<Delivered, Task<int>> Answer { get; set; } = _ => Task.FromResult(200);

    public IReadOnlyList<Delivered> All
    {
        get
        {
            lock (_all) return [.. _all];
        }
    }

    /// <summary>Whether anything was asked for at another path than its own: a redirect was followed.</summary>
    public bool WasElsewhere { get; private set; }

    /// <summary>Each cursor of what was answered with 200, a first time.</summary>
    public List<ulong> TakenPayments { get; } = [];

    public static async Task<WebhookReceiver> StartAsync(int? port = null)
    {
        WebhookReceiver receiver = new(port ?? Ports.Free());
        await receiver._app.StartAsync();
        return receiver;
    }

    private async Task TakeAsync(HttpContext context)
    {
        if (context.Request.Path != "/hook") WasElsewhere = true;
        using StreamReader reader = new(context.Request.Body);
        IHeaderDictionary headers = context.Request.Headers;
        Delivered delivered = new(
            headers["ChannelNode-Signature"].ToString(), headers["ChannelNode-Delivery"].ToString(),
            int.Parse(headers["ChannelNode-Attempt"].ToString()), await reader.ReadToEndAsync());
        lock (_all) _all.Add(delivered);
        int status = await Answer(delivered);
        if (status == 200 && delivered.IsOfPayments)
        {
            // As the proto tells receivers to: what has a cursor that was handled is skipped.
            lock (_all) TakenPayments.AddRange(delivered.Cursors.Where(cursor => TakenPayments.Count == 0 || cursor > TakenPayments[^1]));
        }

        context.Response.StatusCode = status;
        if (status is >= 300 and < 400) context.Response.Headers.Location = "/elsewhere";
    }

    public async Task<IReadOnlyList<Delivered>> UntilAsync(Func<IReadOnlyList<Delivered>, bool> reached)
    {
        for (int look = 0; look < 600; look++)
        {
            IReadOnlyList<Delivered> all = All;
            if (reached(all)) return all;
            await Task.Delay(50);
        }

        Assert.Fail($"never reached; delivered was:\n{string.Join('\n', All)}");
        return [];
    }

    public Task UntilTakenAsync(ulong cursor) => UntilAsync(_ => TakenPayments.Count > 0 && TakenPayments[^1] >= cursor);

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
