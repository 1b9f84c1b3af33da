using ChannelNode.Core;
using ChannelNode.Proto.V1;
using Grpc.Net.Client;

namespace ChannelNode.Cli;

/// <summary>The node that a command talks to.</summary>
internal sealed class NodeConnection : IDisposable
{
    /// <summary>A list of some 100,000 channels.</summary>
    private const int MessageBytesMax = 64 * 1024 * 1024;

    private readonly GrpcChannel _channel;

    public NodeConnection(Uri node)
    {
        _channel = GrpcChannel.ForAddress(node, new GrpcChannelOptions
        {
            // The node speaks HTTP/2 without TLS, which no proxy forwards; one set for the web would only break this.
            HttpHandler = new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = MessageBytesMax,
        });
        Client = new NodeService.NodeServiceClient(_channel);
    }

    public NodeService.NodeServiceClient Client { get; }

    /// <summary>The whole id for a whole id or for the unique beginning of one.</summary>
    public async Task<string> ResolveAsync(string idOrPrefix, CancellationToken cancel)
    {
        if (ChannelId.TryParse(idOrPrefix, out ChannelId id)) return id.ToString();
        string prefix = Fields.WithHexPrefix(idOrPrefix);
        ListChannelsResponse known = await Client.ListChannelsAsync(new ListChannelsRequest(), cancellationToken: cancel);
        var found = known.Channels.Where(channel => channel.ChannelId.StartsWith(prefix, StringComparison.Ordinal)).ToList();
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

    public void Dispose() => _channel.Dispose();
}
