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

    /// <summary>Back too, when blocks are reorganised away: a time that never was must not end a window.</summary>
    public void FollowChain(ulong seconds) => Interlocked.Exchange(ref _chainSeconds, (long)seconds);
}
