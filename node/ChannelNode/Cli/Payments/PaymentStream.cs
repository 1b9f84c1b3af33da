using ChannelNode.Proto.V1;
using Grpc.Core;
using StreamingCall = Grpc.Core.AsyncDuplexStreamingCall<
    ChannelNode.Proto.V1.StreamPaymentsRequest, ChannelNode.Proto.V1.StreamPaymentsResponse>;

namespace ChannelNode.Cli;

/// <summary>
/// Makes the payments of a plan over one stream at a time. When the stream breaks, or the node refuses for a reason
/// that may pass, the same payments are asked for again with the same keys.
/// </summary>
internal sealed class PaymentStream(
    NodeService.NodeServiceClient client, PaymentPlan plan, PaymentBook book, int inFlightMax, TimeProvider time,
    Action<int, PaymentResult> settled) : IDisposable
{
    /// <summary>Payments of one message, as the API allows.</summary>
    private const int BatchMax = 1_024;

    private readonly BackOff _backOff = new(time);
    private readonly SemaphoreSlim _room = new(0);
    private bool _isHeard;

    /// <summary>Ends when all payments are settled; throws what ends it before.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        while (!book.Done)
        {
            cancel.ThrowIfCancellationRequested();
            try
            {
                await RunOneStreamAsync(cancel);
            }
            catch (RpcException broken) when (!cancel.IsCancellationRequested && MayPass(broken))
            {
                LastBreak = broken;
            }
            catch (RpcException refused) when (!_isHeard && LastBreak is null && IsOfTheDoor(refused))
            {
                book.NothingTaken();
                throw;
            }
            if (book.Done) return;
            book.TakeBack();
            _backOff.Failed();
            await Task.Delay(_backOff.Left, time, cancel);
        }
    }

    /// <summary>Of the call as such: nothing of it was looked at. A token may end later, too: what was sent with it then may be paid.</summary>
    private static bool IsOfTheDoor(RpcException refused) =>
        Failure.ErrorInfoOf(refused)?.Reason is "ACCESS_TOKEN_MISSING" or "ACCESS_TOKEN_INVALID" or "SCOPE_MISSING" or "ADDRESS_NOT_ALLOWED";

    /// <summary>Why the newest broken stream broke; null when none did, or since one works again.</summary>
    public RpcException? LastBreak { get; private set; }

    public void Dispose() => _room.Dispose();

    private async Task RunOneStreamAsync(CancellationToken cancel)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using StreamingCall call = client.StreamPayments(cancellationToken: ended.Token);
        var sent = new List<int>();
        Task sending = SendAsync(call, sent, ended.Token);
        try
        {
            await ReceiveAsync(call, sent, ended.Token);
        }
        finally
        {
            await ended.CancelAsync();
            await sending;
        }
    }

    /// <summary>Never throws: when the stream has ended, the receiving side knows why.</summary>
    private async Task SendAsync(StreamingCall call, List<int> sent, CancellationToken cancel)
    {
        try
        {
            while (!book.Done)
            {
                if (_backOff.Left is { Ticks: > 0 } pause)
                {
                    await _room.WaitAsync(pause + TimeSpan.FromMilliseconds(1), cancel); // An answer may end the pause.
                    continue;
                }
                List<int> batch = book.Take(_backOff.MustProbe() ? 1 : BatchMax, inFlightMax);
                if (batch.Count == 0) await _room.WaitAsync(cancel);
                else await SendAsync(call, sent, batch, cancel);
            }
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception exception) when (exception is OperationCanceledException or RpcException or InvalidOperationException or IOException)
        {
            // InvalidOperationException: the call has completed meanwhile; IOException: the connection was cut while this was written.
        }
    }

    private async Task SendAsync(StreamingCall call, List<int> sent, List<int> batch, CancellationToken cancel)
    {
        var request = new StreamPaymentsRequest();
        foreach (int index in batch) request.Payments.Add(plan.At(index));
        lock (sent) sent.AddRange(batch);
        await call.RequestStream.WriteAsync(request, cancel);
    }

    private async Task ReceiveAsync(StreamingCall call, List<int> sent, CancellationToken cancel)
    {
        while (await call.ResponseStream.MoveNext(cancel))
        {
            LastBreak = null;
            _isHeard = true;
            foreach (PaymentResult result in call.ResponseStream.Current.Results) Take(result, sent);
            if (_room.CurrentCount == 0) _room.Release();
        }
    }

    private void Take(PaymentResult result, List<int> sent)
    {
        int index;
        lock (sent)
        {
            if (result.Index >= (ulong)sent.Count)
                throw new InvalidOperationException($"The node answered payment {result.Index} of {sent.Count}.");
            index = sent[(int)result.Index];
        }
        if (result.Refusal == Refusal.TooManyInFlight) _backOff.Failed(); // There is room again with the next acknowledgement.
        else if (PaymentBook.MayPass(result.Refusal)) _backOff.GotStuck();
        else _backOff.Succeeded();
        if (book.Settle(index, result)) settled(index, result);
    }

    /// <summary>A node that is gone or not ready, rather than one that has understood and said no.</summary>
    private static bool MayPass(RpcException broken) => Failure.ErrorInfoOf(broken) is { } info
        ? info.Reason == Failure.ReasonOf(Refusal.NotReady) || info.Reason == Failure.ReasonOf(Refusal.Draining)
        : broken.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled or StatusCode.Unknown;
}
