using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// The later of the machine's time and the newest block's: whoever's clock runs behind, a window is never believed to
/// be longer than it is.
/// </summary>
internal sealed class NodeClock(TimeProvider time, uint safetyMarginSeconds)
{
    private long _chainSeconds;

    public long NowMs => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The newest followed block's time.</summary>
    public ulong ChainSeconds => (ulong)Interlocked.Read(ref _chainSeconds);

    public ulong NowSeconds => Math.Max((ulong)time.GetUtcNow().ToUnixTimeSeconds(), ChainSeconds);

    public Clock ForUpdates => new(NowSeconds, safetyMarginSeconds);

    public TimeProvider Time => time;

    public void AdvanceChain(ulong seconds)
    {
        if (seconds > ChainSeconds) Interlocked.Exchange(ref _chainSeconds, (long)seconds);
    }
}
