using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>Where callers need tokens, and none could make any, the operator finds a first one in the data folder.</summary>
internal static class AdminToken
{
    public static async Task WriteAsync(AccessTokenBook tokens, string dataDirectory, ILogger log, CancellationToken cancel)
    {
        if (tokens.HasAdmin) return;
        string path = Path.Combine(dataDirectory, NodeOptions.AdminTokenFile);

        // The file first: a token whose secret nobody has would be the one that there is, for ever.
        await tokens.CreateAsync(new AccessTokenOrder("admin", Scopes.Admin), string.Empty, cancel, secret => SecretFile.Write(path, secret + "\n"));
        log.AdminTokenWritten(path);
    }
}
