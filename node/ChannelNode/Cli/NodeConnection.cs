using System.Runtime.CompilerServices;
using ChannelNode.Core;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Channel = ChannelNode.Proto.V1.Channel;

namespace ChannelNode.Cli;

/// <summary>The node that a command talks to.</summary>
internal sealed class NodeConnection : IDisposable
{
    private const int PageSize = 1_000;

    private readonly string _url;
    private readonly GrpcChannel _channel;

    public NodeConnection(string url)
    {
        _url = url;
        _channel = GrpcChannel.ForAddress(new Uri(url), new GrpcChannelOptions
        {
            // The node speaks HTTP/2 without TLS, which no proxy forwards; one set for the web would only break this.
            HttpHandler = new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) },
            DisposeHttpClient = true,
        });
        Client = new NodeService.NodeServiceClient(_channel);
    }

    public NodeService.NodeServiceClient Client { get; }

    /// <summary>The failure behind an exception, with the node's URL where no node has answered; null for a bug.</summary>
    public Failure? FailureOf(Exception exception, CancellationToken cancel)
    {
        Failure? failure = Failure.Of(exception, cancel);
        if (failure is not { Reason: Failure.NodeUnreachable } || exception is not RpcException rpc) return failure;
        if (Failure.IsOfAnotherServer(rpc))
            return failure with { Message = $"{_url} is not a node's API (its peers' port?)" };
        string hint = _url.StartsWith("https:", StringComparison.OrdinalIgnoreCase) ? "; a node's API speaks http://" : "";
        return failure with { Message = $"no node answers at {_url}: {failure.Message.TrimEnd('.')}{hint}" };
    }

    /// <summary>The whole id for a whole id or for the unique beginning of one.</summary>
    public async Task<string> ResolveAsync(string idOrPrefix, CancellationToken cancel)
    {
        if (ChannelId.TryParse(idOrPrefix, out ChannelId id)) return id.ToString();
        string prefix = Fields.WithHexPrefix(idOrPrefix);
        var found = await ListAsync(new ListChannelsRequest { ChannelIdPrefix = prefix }, cancel).ToListAsync(cancel);
        return found.Count switch
        {
            1 => found[0].ChannelId,
            0 => throw new CommandException(new(
                ExitCode.Refused, "UNKNOWN_CHANNEL", $"no channel's id begins with {prefix}", "channel")),
            _ => throw new CommandException(new(
                ExitCode.WrongUsage, Failure.InvalidArgument,
                $"channel: {found.Count} channels' ids begin with {prefix}; give more digits", "channel")),
        };
    }

    /// <summary>All pages of a list, one after the other.</summary>
    public async IAsyncEnumerable<Channel> ListAsync(
        ListChannelsRequest request, [EnumeratorCancellation] CancellationToken cancel)
    {
        request.PageSize = PageSize;
        do
        {
            ListChannelsResponse page = await Client.ListChannelsAsync(request, cancellationToken: cancel);
            foreach (Channel channel in page.Channels) yield return channel;
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
    }

    public void Dispose() => _channel.Dispose();
}
