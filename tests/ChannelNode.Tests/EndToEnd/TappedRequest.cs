using System.Buffers.Binary;
using System.Net;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Lets a test write bytes of its own into a call's request, behind what a client library has written.</summary>
internal sealed class TappedRequest() : DelegatingHandler(new SocketsHttpHandler())
{
    private readonly TaskCompletionSource<Stream> _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The head of a gRPC message of <paramref name="length"/> bytes, and so many of them as there are.</summary>
    public async Task BeginMessageAsync(int length, int bytes, CancellationToken cancel = default)
    {
        byte[] head = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(1), length);
        Stream request = await _begun.Task;
        await request.WriteAsync(head, cancel);
        await request.WriteAsync(new byte[bytes], cancel);
        await request.FlushAsync(cancel);
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        request.Content = new Tap(request.Content!, _begun);
        return base.SendAsync(request, cancel);
    }

    private sealed class Tap : HttpContent
    {
        private readonly HttpContent _content;
        private readonly TaskCompletionSource<Stream> _begun;

        public Tap(HttpContent content, TaskCompletionSource<Stream> begun)
        {
            (_content, _begun) = (content, begun);
            foreach ((string name, IEnumerable<string> values) in content.Headers) Headers.TryAddWithoutValidation(name, values);
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            _begun.TrySetResult(stream);
            return _content.CopyToAsync(stream, context);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
