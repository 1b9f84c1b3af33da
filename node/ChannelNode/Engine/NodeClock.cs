using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The machine's time, the newest followed block's, and the later of both.
/// </summary>
internal sealed class NodeClock(TimeProvider time)
{
    private long _chainSeconds;

    public long NowMs => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The newest followed block's time.</summary>
    public ulong ChainSeconds => (ulong)Interlocked.Read(ref _chainSeconds);

    public ulong NowSeconds => Math.Max((ulong)time.GetUtcNow().ToUnixTimeSeconds(), ChainSeconds);

    public TimeProvider Time => time;

    public void AdvanceChain(ulong seconds)
    {
        if (seconds > ChainSeconds) Interlocked.Exchange(ref _chainSeconds, (long)seconds);
    }
}
