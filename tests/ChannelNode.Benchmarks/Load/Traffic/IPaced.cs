namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>What is sent by a schedule.</summary>
internal interface IPaced
{
    long Count { get; }

    long Sent { get; }

    /// <summary>Sends the next ones as one message. The time of each counts from when it was due, a Stopwatch's time.</summary>
    Task SendDueAsync(ReadOnlySpan<long> dueAt);

    /// <summary>All is answered.</summary>
    Task WhenDoneAsync();
}
