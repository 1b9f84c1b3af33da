using System.Text.Json;
using ChannelNode.Core;

namespace ChannelNode.Settlement;

/// <summary>The RPC answered with an error. What it means depends on the call, so each caller translates it.</summary>
internal sealed class RpcErrorException(string method, int code, string message, byte[] revertData)
    : Exception($"{method}: {message} (code {code})")
{
    private static readonly byte[] None = [];

    public int Code { get; } = code;

    /// <summary>What the RPC said, without our additions.</summary>
    public string Reason { get; } = message;

    /// <summary>What the contract reverted with, where it did and the RPC tells; else empty.</summary>
    public ReadOnlyMemory<byte> RevertData { get; } = revertData;

    /// <summary>Nodes agree that a revert has data in the error's <c>data</c>, but not on how deep.</summary>
    public static byte[] ReadRevertData(object? data) => data is JsonElement element ? Read(element) : None;

    private static byte[] Read(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => Hex.Parse(element.GetString()) ?? None,
        JsonValueKind.Object when element.TryGetProperty("data", out JsonElement inner) => Read(inner),
        _ => None,
    };
}
