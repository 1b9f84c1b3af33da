using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using ChannelNode.Engine;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Grpc.Webhooks;

/// <summary>
/// Where deliveries go, and how that goes. An attempt counts when the answer is 2xx; anything else, a redirect too, is tried again
/// for as long as it takes, at intervals that grow to ten minutes. Whoever set the URL is believed: any address may be called.
/// </summary>
internal sealed class WebhookEndpoint : IDisposable
{
    private static readonly TimeSpan BackOffFirst = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BackOffMax = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan AttemptMax = TimeSpan.FromSeconds(30);

    private readonly WebhookOptions _options;
    private readonly TimeProvider _time;
    private readonly TimeSpan _alarmAfter;
    private readonly Func<OperatorEvent, CancellationToken, Task> _tell;
    private readonly ILogger _log;
    private readonly HttpClient _http;
    private readonly Lock _lock = new();
    private long _failingSince;
    private bool _isAlarmed;
    private string _problem = string.Empty;
    private long _taken;
    private long _failed;

    public WebhookEndpoint(
        WebhookOptions options, TimeSpan alarmAfter, Func<OperatorEvent, CancellationToken, Task> tell, TimeProvider time, ILogger log)
    {
        (_options, _alarmAfter, _tell, _time, _log) = (options, alarmAfter, tell, time, log);
        WebhookSecrets.Read(options.SecretFile);
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            MaxResponseHeadersLength = 16,
            MaxResponseDrainSize = 64 * 1024,
        })
        { Timeout = AttemptMax };
    }

    /// <summary>For people: what is behind the host may be a secret of the receiver's.</summary>
    public string Place => PlaceOf(_options.Url);

    public static string PlaceOf(string url) => new Uri(url).GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped);

    public WebhookHealth Health(ulong paymentsWaiting, ulong eventsWaiting)
    {
        lock (_lock)
        {
            TimeSpan? failing = _failingSince == 0 ? null : _time.GetElapsedTime(_failingSince);
            return new WebhookHealth(Place, paymentsWaiting, eventsWaiting, failing, _problem, _taken, _failed);
        }
    }

    /// <summary>Returns when the receiver has taken it.</summary>
    public async Task DeliverAsync(string deliveryId, byte[] body, CancellationToken stopping)
    {
        TimeSpan wait = BackOffFirst;
        for (int attempt = 1; ; attempt++)
        {
            string? problem = await TryAsync(deliveryId, attempt, body, stopping);
            if (problem is null) break;
            await NoteAsync(problem, stopping);
            await Task.Delay(wait * Random.Shared.Next(50, 101) / 100, _time, stopping);
            wait = wait * 2 < BackOffMax ? wait * 2 : BackOffMax;
        }

        NoteSuccess();
    }

    /// <summary>Null when it was taken, otherwise why not.</summary>
    private async Task<string?> TryAsync(string deliveryId, int attempt, byte[] body, CancellationToken stopping)
    {
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Post, _options.Url) { Content = new ByteArrayContent(body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.UserAgent.Add(new ProductInfoHeaderValue("channelnode", null));
            request.Headers.Add("ChannelNode-Delivery", deliveryId);
            request.Headers.Add("ChannelNode-Attempt", attempt.ToString(CultureInfo.InvariantCulture));
            request.Headers.Add("ChannelNode-Signature", WebhookSecrets.Sign(
                WebhookSecrets.Read(_options.SecretFile), _time.GetUtcNow().ToUnixTimeSeconds(), body));
            using HttpResponseMessage response =
                await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stopping);
            return response.StatusCode is >= HttpStatusCode.OK and < HttpStatusCode.MultipleChoices
                ? null
                : $"HTTP {(int)response.StatusCode}";
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return $"no answer within {AttemptMax.TotalSeconds:0} s";
        }
        catch (Exception failure) when (failure is HttpRequestException or RefusalException or IOException)
        {
            return failure.Message;
        }
    }

    private async Task NoteAsync(string problem, CancellationToken stopping)
    {
        TimeSpan failing;
        lock (_lock)
        {
            if (_failingSince == 0) _failingSince = _time.GetTimestamp();
            if (_problem != problem) _log.WebhookFails(Place, problem);
            (_problem, _failed) = (problem, _failed + 1);

            failing = _time.GetElapsedTime(_failingSince);
            if (_isAlarmed || failing < _alarmAfter) return;
            _isAlarmed = true;
        }

        await _tell(
            new OperatorEvent(
                EventKind.WebhookFailing, EventSeverity.Alarm,
                $"The webhook at {Place} has taken nothing for {failing.TotalSeconds:0} s ({problem}): what it is to be told waits"),
            stopping);
    }

    private void NoteSuccess()
    {
        lock (_lock)
        {
            if (_failingSince != 0) _log.WebhookWorks(Place, (long)_time.GetElapsedTime(_failingSince).TotalSeconds);
            (_failingSince, _isAlarmed, _problem, _taken) = (0, false, string.Empty, _taken + 1);
        }
    }

    public void Dispose() => _http.Dispose();
}
