using ChannelNode.Proto.V1;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace ChannelNode.Example;

/// <summary>A node's API, for who has an access token of it ('channelnode token create'), or needs none.</summary>
internal static class NodeApi
{
    /// <param name="url">http://127.0.0.1:9801, or https:// where the node has --api-tls.</param>
    /// <param name="tokenVariable">The environment variable with the token, which every call shows; none where it is not set.</param>
    public static NodeService.NodeServiceClient At(string url, string tokenVariable)
    {
        CallInvoker node = GrpcChannel.ForAddress(url).CreateCallInvoker();
        if (Environment.GetEnvironmentVariable(tokenVariable) is { } token) node = node.Intercept(Show);
        return new NodeService.NodeServiceClient(node);

        Metadata Show(Metadata metadata)
        {
            metadata.Add("authorization", $"Bearer {token}");
            return metadata;
        }
    }
}
