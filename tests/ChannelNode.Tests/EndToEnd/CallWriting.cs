using Grpc.Core;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Messages to a call that the other side may end at any moment: why it does is what is heard next.</summary>
internal static class CallWriting
{
    /// <summary>What a write throws to an ended call depends on how far it had come.</summary>
    public static bool IsOfEndedCall(Exception error) =>
        error is RpcException or InvalidOperationException or OperationCanceledException or IOException or HttpRequestException;

    /// <summary>Says it, where it is still listened to.</summary>
    public static async Task SayAsync<T>(this IClientStreamWriter<T> requests, T message)
    {
        try
        {
            await requests.WriteAsync(message);
        }
        catch (Exception error) when (IsOfEndedCall(error))
        {
        }
    }
}
