using Google.Rpc;
using Grpc.Core;
using Xunit;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a gRPC error must say: code, reason, and the field at fault.</summary>
internal static class Refusals
{
    public static void AssertIs(RpcException error, StatusCode code, string reason, string? field = null)
    {
        ErrorInfo info = InfoOf(error);
        Assert.True(
            (reason, code, "channelnode") == (info.Reason, error.StatusCode, info.Domain),
            $"expected {reason} ({code}), not {info.Reason} ({error.StatusCode}) of {info.Domain}: {error.Status.Detail}");
        if (field is not null) Assert.Equal(field, info.Metadata.GetValueOrDefault("field"));
    }

    /// <summary>The refusal's name.</summary>
    public static string NameOf(RpcException error) => InfoOf(error).Reason;

    public static string? FieldOf(RpcException error) => InfoOf(error).Metadata.GetValueOrDefault("field");

    public static IReadOnlyDictionary<string, string> MetadataOf(RpcException error) =>
        new Dictionary<string, string>(InfoOf(error).Metadata);

    private static ErrorInfo InfoOf(RpcException error)
    {
        ErrorInfo? info = error.GetRpcStatus()?.GetDetail<ErrorInfo>();
        Assert.True(info is not null, $"no ErrorInfo in {error.Status}");
        return info;
    }

    public static async Task AssertRefusedAsync(
        Func<Task> call, StatusCode code, string reason, string? field = null) =>
        AssertIs(await Assert.ThrowsAsync<RpcException>(call), code, reason, field);
}
