using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Threading.Channels;
using StreamJsonRpc;
using StreamJsonRpc.Protocol;

namespace ChannelNode.Settlement;

/// <summary>
/// JSON-RPC over plain HTTP for StreamJsonRpc, which has none: each request is a POST of its own, and they overtake
/// each other freely. A POST that fails becomes an error answer with <see cref="TransportFailed"/> to its one request.
/// </summary>
internal sealed class HttpMessageHandler(HttpClient http, Uri url, IJsonRpcMessageFormatter formatter)
    : MessageHandlerBase(formatter)
{
    /// <summary>Error code of answers that no RPC gave; from the range kept for implementations.</summary>
    public const int TransportFailed = -32_099;

    /// <summary>The same of answers that were too large to be read to their end.</summary>
    public const int AnswerTooLarge = -32_098;

    private const int ErrorBodyCharsMax = 200;

    private readonly CancellationTokenSource _disposed = new();
    private readonly Channel<Answer> _answers = Channel.CreateUnbounded<Answer>();

    public override bool CanRead => true;

    public override bool CanWrite => true;

    protected override async ValueTask<JsonRpcMessage?> ReadCoreAsync(CancellationToken cancellationToken)
    {
        try
        {
            Answer answer = await _answers.Reader.ReadAsync(cancellationToken);
            return answer.Body is null ? answer.ToError() : Deserialize(answer);
        }
        catch (ChannelClosedException)
        {
            return null;
        }
    }

    protected override ValueTask WriteCoreAsync(JsonRpcMessage content, CancellationToken cancellationToken)
    {
        var body = new ArrayBufferWriter<byte>();
        Formatter.Serialize(body, content);
        RequestId request = content is JsonRpcRequest sent ? sent.RequestId : default;

        // Not awaited: the base class lets one write through at a time, and requests must not queue behind each other.
        _ = PostAsync(request, body.WrittenMemory);
        return ValueTask.CompletedTask;
    }

    protected override ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _disposed.Cancel();
            _answers.Writer.TryComplete();
        }

        base.Dispose(disposing);
    }

    private async Task PostAsync(RequestId request, ReadOnlyMemory<byte> body)
    {
        Answer answer;
        try
        {
            using var content = new ReadOnlyMemoryContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using HttpResponseMessage response = await http.PostAsync(url, content, _disposed.Token);
            byte[] received = await response.Content.ReadAsByteArrayAsync(_disposed.Token);

            // Some servers answer an RPC error with a status of failure: what is JSON speaks for itself.
            answer = response.IsSuccessStatusCode || IsJsonObject(received)
                ? new Answer(request, received, null)
                : new Answer(request, null, $"HTTP status {(int)response.StatusCode}");
        }
        catch (HttpRequestException failure) when (failure.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            answer = new Answer(request, null, failure.Message, AnswerTooLarge);
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or OperationCanceledException)
        {
            answer = new Answer(request, null, failure.Message);
        }

        _answers.Writer.TryWrite(answer);
    }

    private JsonRpcMessage Deserialize(Answer answer)
    {
        try
        {
            return Formatter.Deserialize(new ReadOnlySequence<byte>(answer.Body!));
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            string text = System.Text.Encoding.UTF8.GetString(answer.Body!);
            string start = text.Length <= ErrorBodyCharsMax ? text : text[..ErrorBodyCharsMax] + "...";
            return new Answer(answer.Request, null, $"the answer is no JSON-RPC: {start}").ToError();
        }
    }

    private static bool IsJsonObject(ReadOnlySpan<byte> body) => body.TrimStart(" \r\n\t"u8).StartsWith("{"u8);

    private sealed record Answer(RequestId Request, byte[]? Body, string? Failure, int Code = TransportFailed)
    {
        public JsonRpcError ToError() => new()
        {
            RequestId = Request,
            Error = new JsonRpcError.ErrorDetail { Code = (JsonRpcErrorCode)Code, Message = Failure },
        };
    }
}
