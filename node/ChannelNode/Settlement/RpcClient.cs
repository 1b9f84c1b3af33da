using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelNode.Core;
using ChannelNode.Engine;
using StreamJsonRpc;
using StreamJsonRpc.Protocol;

namespace ChannelNode.Settlement;

/// <summary>
/// JSON-RPC to the chain over WebSocket or plain HTTP. Connects when first needed and again when the connection was
/// lost. An error answer is an <see cref="RpcErrorException"/>; no answer is a ChainUnavailable refusal. Every method
/// called through here may be repeated without harm. Safe for many threads. Simulations answer in its place.
/// </summary>
internal class RpcClient : IAsyncDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    private readonly Uri _url;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly HttpClient _http;
    private readonly RpcAnswerLimit _limit;
    private readonly SemaphoreSlim _connecting = new(1);
    private Connection? _connection;
    private bool _disposed;

    /// <param name="answerBytesMax">Of one answer, or one message of a WebSocket; what is larger is read no further.</param>
    public RpcClient(string url, TimeProvider time, ILogger log, int answerBytesMax = RpcAnswerLimit.BytesDefault)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? parsed) || parsed.Scheme is not ("ws" or "wss" or "http" or "https"))
        {
            throw new RefusalException(
                Refusal.InvalidArgument, "the RPC url must begin with ws://, wss://, http:// or https://")
            {
                Field = "rpc_url",
            };
        }

        _url = parsed;
        _time = time;
        _log = log;
        _limit = new RpcAnswerLimit(answerBytesMax);
        _http = new HttpClient { Timeout = CallTimeout, MaxResponseContentBufferSize = answerBytesMax };
        CanSubscribe = parsed.Scheme is "ws" or "wss";

        // Providers put access keys into every other part: these are nobody's to read.
        Name = $"{parsed.Scheme}://{parsed.Host}:{parsed.Port}";
    }

    /// <summary>Scheme, host and port, for logs and messages.</summary>
    public string Name { get; }

    public bool CanSubscribe { get; }

    /// <summary>Called when a new head was announced, and when the connection that announces them was lost.</summary>
    public Action? HeadSeen { get; set; }

    public virtual async Task<T> CallAsync<T>(string method, object?[] arguments, CancellationToken cancel)
    {
        Connection? old = _connection;
        try
        {
            return await TryCallAsync<T>(method, arguments, cancel);
        }
        catch (RefusalException failure) when (old is not null && _connection != old && !IsTooLarge(method, failure))
        {
            // The old connection died under the call, or had died unnoticed: a new one deserves one try.
            return await TryCallAsync<T>(method, arguments, cancel);
        }
    }

    /// <summary>Logs are what grows: asked for again as they are they would end the next connection too.</summary>
    private static bool IsTooLarge(string method, RefusalException failure) =>
        RpcAnswerLimit.IsTooLarge(failure) && (method is "eth_getLogs" or "eth_getBlockReceipts");

    /// <summary>Makes sure that this connection announces new heads; false where that cannot be had.</summary>
    public async Task<bool> SubscribeHeadsAsync(CancellationToken cancel)
    {
        if (!CanSubscribe) return false;
        Connection connection = await ConnectAsync(cancel);
        if (connection.IsSubscribed) return true;
        try
        {
            await CallAsync<string>("eth_subscribe", ["newHeads"], cancel);
            connection.IsSubscribed = true;
            return true;
        }
        catch (RpcErrorException refused)
        {
            Log.NotSubscribed(_log, Name, refused.Reason);
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        Connection? connection = Interlocked.Exchange(ref _connection, null);
        connection?.Rpc.Dispose();
        if (connection is not null) await connection.Rpc.Completion.ContinueWith(_ => { }, TaskScheduler.Default);
        _http.Dispose();
    }

    private async Task<T> TryCallAsync<T>(string method, object?[] arguments, CancellationToken cancel)
    {
        Connection connection = await ConnectAsync(cancel);
        try
        {
            return await connection.Rpc
                .InvokeWithCancellationAsync<T>(method, arguments, CancellationToken.None)
                .WaitAsync(CallTimeout, _time, cancel);
        }
        catch (RemoteInvocationException error) when (error.ErrorCode == HttpMessageHandler.AnswerTooLarge)
        {
            throw _limit.TooLarge(Name, method, error);
        }
        catch (RemoteInvocationException error) when (error.ErrorCode != HttpMessageHandler.TransportFailed)
        {
            throw new RpcErrorException(
                method, error.ErrorCode, error.Message, RpcErrorException.ReadRevertData(error.DeserializedErrorData));
        }
        catch (RemoteMethodNotFoundException error)
        {
            throw new RpcErrorException(method, (int)JsonRpcErrorCode.MethodNotFound, error.Message, []);
        }
        catch (Exception failure) when (failure is not OperationCanceledException || !cancel.IsCancellationRequested)
        {
            if (failure is ConnectionLostException or ObjectDisposedException) Forget(connection);
            throw connection.Socket is { IsTooLarge: true } ? _limit.TooLarge(Name, method, failure) : Unavailable(method, failure);
        }
    }

    private async Task<Connection> ConnectAsync(CancellationToken cancel)
    {
        if (_connection is { } living) return living;
        await _connecting.WaitAsync(cancel);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_connection is { } made) return made;
            Connection connection = await OpenAsync(cancel);
            _connection = connection;

            // After the field is set: a connection that is lost at once must not stay there.
            connection.Rpc.Disconnected += (_, lost) => OnDisconnected(connection, lost);
            connection.Rpc.StartListening();
            return connection;
        }
        finally
        {
            _connecting.Release();
        }
    }

    private async Task<Connection> OpenAsync(CancellationToken cancel)
    {
        var formatter = new SystemTextJsonFormatter
        {
            JsonSerializerOptions = new JsonSerializerOptions(JsonSerializerDefaults.Web)
            {
                DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            },
        };
        LimitedWebSocket? socket = CanSubscribe ? new LimitedWebSocket(await OpenSocketAsync(cancel), _limit.BytesMax) : null;
        IJsonRpcMessageHandler handler = socket is not null
            ? new WebSocketMessageHandler(socket, formatter)
            : new HttpMessageHandler(_http, _url, formatter);

        // No cancellation messages: they are StreamJsonRpc's own, and Ethereum nodes answer them with errors.
        var rpc = new RevertAwareJsonRpc(handler) { CancellationStrategy = null };
        rpc.AddLocalRpcMethod("eth_subscription", OnSubscription);
        return new Connection(rpc, socket);
    }

    private async Task<WebSocket> OpenSocketAsync(CancellationToken cancel)
    {
        var socket = new ClientWebSocket();
        socket.Options.KeepAliveInterval = KeepAlive;
        socket.Options.KeepAliveTimeout = KeepAlive;
        using var limit = new CancellationTokenSource(ConnectTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        try
        {
            await socket.ConnectAsync(_url, both.Token);
            return socket;
        }
        catch (Exception failure) when (failure is WebSocketException or OperationCanceledException)
        {
            socket.Dispose();
            cancel.ThrowIfCancellationRequested();
            throw Unavailable("connecting", failure);
        }
    }

    private void OnSubscription(string subscription, JsonElement result) => HeadSeen?.Invoke();

    private void OnDisconnected(Connection connection, JsonRpcDisconnectedEventArgs lost)
    {
        Forget(connection);
        if (_disposed) return;
        Log.ConnectionLost(_log, Name, lost.Description);
        HeadSeen?.Invoke();
    }

    private void Forget(Connection connection) => Interlocked.CompareExchange(ref _connection, null, connection);

    private RefusalException Unavailable(string what, Exception failure) =>
        new(Refusal.ChainUnavailable, $"the chain at {Name} gives no answer to {what}: {WordsOf(failure)}", failure);

    /// <summary>What the socket said, rather than what is made of it.</summary>
    private static string WordsOf(Exception failure) =>
        failure is OperationCanceledException or TimeoutException ? "none came in time" : failure.GetBaseException().Message;

    private sealed class Connection(JsonRpc rpc, LimitedWebSocket? socket)
    {
        public JsonRpc Rpc { get; } = rpc;

        /// <summary>Null over HTTP.</summary>
        public LimitedWebSocket? Socket { get; } = socket;

        public bool IsSubscribed { get; set; }
    }

    /// <summary>Leaves an error's data as the JSON that it is: Ethereum nodes put revert data there.</summary>
    private sealed class RevertAwareJsonRpc(IJsonRpcMessageHandler handler) : JsonRpc(handler)
    {
        protected override Type GetErrorDetailsDataType(JsonRpcError error) => typeof(JsonElement);
    }
}
