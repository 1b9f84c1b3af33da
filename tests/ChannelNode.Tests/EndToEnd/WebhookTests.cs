using System.Runtime.Versioning;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc.Webhooks;
using ChannelNode.Tests.Telemetry;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A node that is paid, and sites that it tells: real HTTP servers, which fail as such servers do.</summary>
[Collection(DoorsCollection.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class WebhookTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const string Secret = "a secret of the site's";

    private TestChain _chain = null!;
    private TestNode _payer = null!;
    private TestNode _payee = null!;
    private WebhookReceiver _site = null!;
    private string _secretFile = string.Empty;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _payer = await TestNode.StartAsync(_chain);
        _site = await WebhookReceiver.StartAsync();
        _secretFile = SecretFile(Secret);
    }

    public async Task DisposeAsync()
    {
        await _payer.DisposeAsync();
        if (_payee is not null) await _payee.DisposeAsync();
        await _site.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private static string SecretFile(params string[] secrets)
    {
        string path = Path.GetTempFileName();
        File.WriteAllLines(path, secrets);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    private Task<string> StartAsync(params WebhookOptions[] webhooks) => StartAsync((IReadOnlyList<WebhookOptions>)webhooks);

    private async Task<string> StartAsync(IReadOnlyList<WebhookOptions> webhooks)
    {
        _payee = await TestNode.StartAsync(_chain, options => options with
        {
            Applications = new ApplicationOptions { Webhooks = webhooks, WebhookAlarmSeconds = 1 },
            MetricsListen = "127.0.0.1:0",
        });
        return await _payer.OpenAsync(_payee, "1000");
    }

    [Fact]
    public async Task PaymentsAndEvents_AreDeliveredInOrder_AndVerifyInThreeLanguages()
    {
        string channel = await StartAsync(new WebhookOptions(_site.Url, _secretFile));
        for (int payment = 1; payment <= 3; payment++) await _payer.PayAsync(channel, "5", item: $"item-{payment}");
        await _site.UntilTakenAsync(3);
        Assert.Equal([1UL, 2, 3], _site.TakenPayments);
        IReadOnlyList<Delivered> all = await _site.UntilAsync(all => all.Any(it => !it.IsOfPayments));
        Delivered events = all.First(it => !it.IsOfPayments);
        Assert.Equal("EVENT_KIND_CHANNEL_OPENED", (string?)events.Json["events"]![0]!["kind"]);
        Delivered delivery = all.First(it => it.IsOfPayments);
        Assert.Equal(
            (_payee.Signer.ToString(), _payer.Signer.ToString(), "0", channel, "5", Convert.ToBase64String("item-1"u8)),
            ((string)delivery.Json["node"]!, (string)delivery.Json["payments"]![0]!["payer"]!, (string)delivery.Json["afterCursor"]!,
                (string)delivery.Json["payments"]![0]!["channelId"]!, (string)delivery.Json["payments"]![0]!["amount"]!,
                (string)delivery.Json["payments"]![0]!["itemId"]!));

        string stale = WebhookSecrets.Sign(
            [Encoding.UTF8.GetBytes(Secret)], DateTimeOffset.UtcNow.AddMinutes(-6).ToUnixTimeSeconds(), Encoding.UTF8.GetBytes(delivery.Body));
        (string Secret, string Signature, string Body, string Verdict)[] cases =
        [
            (Secret, delivery.Signature, delivery.Body, "genuine\n"),
            (Secret, delivery.Signature, delivery.Body.Replace("\"5\"", "\"6\""), "not genuine\nexit code 1\n"),
            ("another secret, as long", delivery.Signature, delivery.Body, "not genuine\nexit code 1\n"),
            (Secret, delivery.Signature.Replace("t=", "t=1"), delivery.Body, "not genuine\nexit code 1\n"),
            (Secret, stale, delivery.Body, "not genuine\nexit code 1\n"),
        ];
        foreach ((string secret, string signature, string body, string verdict) in cases)
        {
            Assert.Equal(verdict, await new ExampleProgram().CSharpAsync(body, "webhook", secret, signature));
            Assert.Equal(verdict, await new ExampleProgram().TypeScriptAsync("webhook", body, secret, signature));
            Assert.Equal(verdict, await new ExampleProgram().CurlAsync("verify-webhook", body, secret, signature));
        }
    }

    [Fact]
    public async Task ErrorAndRedirect_AreTriedAgainWithTheSameDelivery_AndNothingOvertakesIt()
    {
        int[] answers = [500, 302, 404, 200];
        int tried = 0;
        _site.Answer = delivered => Task.FromResult(delivered.IsOfPayments && tried < answers.Length ? answers[tried++] : 200);
        string channel = await StartAsync(new WebhookOptions(_site.Url, _secretFile));
        await _payer.PayAsync(channel, "1");
        await _site.UntilAsync(all => all.Any(it => it.IsOfPayments)); // So the others are in a delivery of their own.
        for (int payment = 2; payment <= 5; payment++) await _payer.PayAsync(channel, "1");
        await _site.UntilTakenAsync(5);

        Delivered[] payments = [.. _site.All.Where(it => it.IsOfPayments)];
        Assert.Equal([1, 2, 3, 4], payments.Take(4).Select(it => it.Attempt));
        Assert.Single(payments.Take(4).Select(it => (it.Id, it.Body)).Distinct());
        Assert.False(_site.WasElsewhere);
        Assert.Equal([1UL, 2, 3, 4, 5], _site.TakenPayments);
        Assert.Equal((string?)payments[4].Json["afterCursor"], payments[3].Cursors.Last().ToString());
    }

    [Fact]
    public async Task DeadEndpoint_HoldsUpNobody_AndIsAnAlarm()
    {
        string dead = $"http://127.0.0.1:{Ports.Free()}/secret-path";
        string channel = await StartAsync(new WebhookOptions(dead, _secretFile), new WebhookOptions(_site.Url, _secretFile));
        await _payer.PayAsync(channel, "1");
        await _payer.PayAsync(channel, "1");
        await _site.UntilTakenAsync(2);

        IReadOnlyList<Delivered> all = await _site.UntilAsync(all => all.Any(it => it.Body.Contains("EVENT_KIND_WEBHOOK_FAILING")));
        string alarm = all.First(it => it.Body.Contains("EVENT_KIND_WEBHOOK_FAILING")).Body;
        Assert.Contains("EVENT_SEVERITY_ALARM", alarm);
        Assert.DoesNotContain("secret-path", alarm);
        await AssertHealthAsync(dead.Replace("/secret-path", ""));
    }

    /// <summary>Of one endpoint that takes nothing, and one that takes all.</summary>
    private async Task AssertHealthAsync(string dead)
    {
        Wire.GetStatusResponse status = await _payee.Api.GetStatusAsync(new Wire.GetStatusRequest());
        Wire.WebhookStatus failing = status.Webhooks[0], taking = status.Webhooks[1];
        Assert.Equal((dead, 2ul, 0ul), (failing.Url, failing.PaymentsWaiting, failing.Taken));
        Assert.True(failing is { FailingMs: > 0, Failed: > 0, EventsWaiting: > 0 });
        Assert.Contains("refused", failing.Problem);
        Assert.Equal((0ul, false, "", 0ul), (taking.PaymentsWaiting, taking.HasFailingMs, taking.Problem, taking.Failed));
        Assert.True(taking.Taken > 0);
        Assert.Empty((await _payee.Api.GetStatusAsync(new Wire.GetStatusRequest { Brief = true })).Webhooks);
        string metrics = await MetricsAsync();
        Assert.Matches(Sample("waiting", "topic", "payments", "2"), metrics);
        Assert.Matches(Sample("failing_seconds", "webhook", dead, "[0-9.]*[1-9]"), metrics);
        Assert.Matches(Sample("attempts_total", "outcome", "taken", "0"), metrics);
        Assert.Matches(Sample("attempts_total", "outcome", "failed", "[1-9]"), metrics);
        Assert.All(WatchedNames.OfWebhooks(), name => Assert.Contains($"\n{name}{{", metrics));

        string Sample(string name, string label, string value, string figure) =>
            $"\nchannelnode_webhook_{name}{{(?=[^}}]*webhook=\"{dead}\")(?=[^}}]*{label}=\"{value}\")[^}}]*}} {figure}";
    }

    private async Task<string> MetricsAsync()
    {
        using HttpClient http = new();
        return await http.GetStringAsync($"{_payee.Host.Exports.MetricsUrl}", TestChain.Limit);
    }

    /// <summary>It was mistyped, or its key was changed: what it has not taken is paid for.</summary>
    [Fact]
    public async Task UrlThatTakesTheOnlyOnesPlace_GetsWhatThatOneHasNotTaken()
    {
        List<WebhookOptions> webhooks = [new($"http://127.0.0.1:{Ports.Free()}/typo", _secretFile)];
        string channel = await StartAsync(webhooks);
        for (int payment = 1; payment <= 3; payment++) await _payer.PayAsync(channel, "1");
        await _payee.StopAsync();

        webhooks[0] = new WebhookOptions(_site.Url, _secretFile);
        await _payee.StartAsync();
        await _site.UntilTakenAsync(3);
        Assert.Equal([1UL, 2, 3], _site.TakenPayments);
        Assert.Equal("0", (string?)_site.All.First(it => it.IsOfPayments).Json["afterCursor"]);

        // One more beside it begins with what is new.
        await using WebhookReceiver other = await WebhookReceiver.StartAsync();
        await _payee.StopAsync();
        webhooks.Add(new WebhookOptions(other.Url, _secretFile));
        await _payee.StartAsync();
        await _payer.OpenAsync(_payee, "10"); // At its new address.
        await _payer.PayAsync(channel, "1");
        await other.UntilTakenAsync(4);
        Assert.Equal([4UL], other.TakenPayments);
        await _site.UntilTakenAsync(4);
    }

    [Fact]
    public async Task EndpointThatWasAwayForTooLong_IsToldHowManyItMissed()
    {
        TaskCompletionSource back = new();
        _site.Answer = async delivered =>
        {
            if (!delivered.IsOfPayments) await back.Task;
            return 200;
        };
        string channel = await StartAsync(new WebhookOptions(_site.Url, _secretFile));
        IReadOnlyList<Delivered> held = await _site.UntilAsync(all => all.Any(it => !it.IsOfPayments));
        ulong last = held.First(it => !it.IsOfPayments).Cursors.Last();
        await _payer.OpenAsync(_payee, "10");
        await _payer.OpenAsync(_payee, "10");
        IChannelStore store = _payee.Host.Node.Store;
        store.TrimEvents(TimeSpan.FromMilliseconds(1), 1_000, _payee.Host.Node.Clock.NowMs + 3_600_000);
        ulong dropped = store.ReadDroppedEventCursor();
        Assert.True(dropped > last);
        back.SetResult();

        IReadOnlyList<Delivered> all = await _site.UntilAsync(all => all.Count(it => !it.IsOfPayments) > 1);
        Delivered next = all.Where(it => !it.IsOfPayments).ElementAt(1);
        Assert.Equal((dropped.ToString(), (dropped - last).ToString()), ((string)next.Json["afterCursor"]!, (string)next.Json["missed"]!));
        Assert.Equal(dropped + 1, next.Cursors.First());
    }

    [Fact]
    public async Task TwoSecrets_BothSign_WithoutANewStart()
    {
        string channel = await StartAsync(new WebhookOptions(_site.Url, _secretFile));
        await _payer.PayAsync(channel, "1");
        await _site.UntilTakenAsync(1);
        File.WriteAllLines(_secretFile, ["the next secret, for a while beside", Secret]);
        await _payer.PayAsync(channel, "1");
        await _site.UntilTakenAsync(2);

        Delivered rotated = _site.All.Last(it => it.IsOfPayments);
        Assert.Equal(3, rotated.Signature.Split(',').Length);
        foreach (string secret in (string[])[Secret, "the next secret, for a while beside"])
            Assert.Equal("genuine\n", await new ExampleProgram().CurlAsync("verify-webhook", rotated.Body, secret, rotated.Signature));
    }

    [Theory]
    [InlineData("short", 0x180)]
    [InlineData("", 0x180)]
    [InlineData("long enough for a secret\nlong enough for a secret\nlong enough for a secret", 0x180)]
    [InlineData("long enough for a secret", 0x184)]
    public async Task SecretThatCannotBeUsed_IsSaidAtTheStart(string text, int mode)
    {
        File.WriteAllText(_secretFile, text);
        File.SetUnixFileMode(_secretFile, (UnixFileMode)mode);
        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => TestNode.StartAsync(_chain, options => options with
        {
            Applications = new ApplicationOptions { Webhooks = [new WebhookOptions(_site.Url, _secretFile)] },
        }));
        Assert.Equal((Refusal.InvalidArgument, "--webhook-secret-file"), (refused.Refusal, refused.Field));
    }

    [Fact]
    public async Task KilledNode_GoesOnWhereTheSiteStands_AndLeavesOutNothing()
    {
        TaskCompletionSource<Delivered> held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using NodeProcess node = await NodeProcess.StartAsync(
            _chain, "--webhook-url", _site.Url, "--webhook-secret-file", _secretFile);
        string channel = await _payer.OpenAsync(node.PeerUrl, "1000");
        await node.UntilAsync(channel, it => it.Status == Proto.V1.ChannelStatus.Open);
        await _payer.PayAsync(channel, "1");
        await _site.UntilTakenAsync(1);

        // Killed while the site has a delivery and has not answered: the node cannot know, and tells it again.
        _site.Answer = async delivered =>
        {
            if (!delivered.IsOfPayments || held.Task.IsCompleted) return 200;
            held.SetResult(delivered);
            await answer.Task;
            return 503;
        };
        await _payer.PayAsync(channel, "1");
        await held.Task.WaitAsync(TestChain.Limit);
        await node.KillAsync();
        answer.SetResult();
        await node.StartAsync();
        await _site.UntilTakenAsync(2);

        // Killed with everything told: at most the last, whose cursor may not have been on disk yet, comes again.
        int count = _site.All.Count(it => it.IsOfPayments);
        await node.KillAsync();
        await node.StartAsync();
        await RetryAsync(() => _payer.PayAsync(channel, "1"));
        await _site.UntilTakenAsync(3);
        Assert.Equal([1UL, 2, 3], _site.TakenPayments);
        Assert.DoesNotContain(1UL, _site.All.Where(it => it.IsOfPayments).Skip(count).SelectMany(it => it.Cursors));
    }

    private static async Task RetryAsync(Func<Task> pay)
    {
        for (int tries = 0; tries < 200; tries++)
        {
            try
            {
                await pay();
                return;
            }
            catch (RpcException) when (tries < 199)
            {
                await Task.Delay(50); // The session is not up again.
            }
        }
    }
}
