using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// An expected no on the way in or out of the engine, off the hot path. The message is for people and names the field,
/// the value and the limit.
/// </summary>
internal sealed class RefusalException(Refusal refusal, string message, Exception? inner = null)
    : Exception(message, inner)
{
    public Refusal Refusal { get; } = refusal;

    /// <summary>The field of the request that is at fault, where there is one.</summary>
    public string? Field { get; init; }

    /// <summary>What it was, where a limit speaks against it.</summary>
    public string? Value { get; init; }

    /// <summary>What it may be at most.</summary>
    public string? Limit { get; init; }

    /// <summary>When the same may be asked for again, where waiting helps.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>When the limit begins anew, Unix time in seconds, where it does.</summary>
    public ulong? ResetsAtSeconds { get; init; }

    /// <summary>What else programs want to know: rule, value and limit of a policy. Null where there is nothing.</summary>
    public IReadOnlyDictionary<string, string>? Details { get; init; }
}
