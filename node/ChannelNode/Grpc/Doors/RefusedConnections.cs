using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// Tells the log of connections that a door had no place for: of the first at once, of those that follow once a minute, with their
/// number. For any thread.
/// </summary>
internal sealed class RefusedConnections(DoorCounts counts, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Between = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private ITimer? _timer;
    private long _ofAddressTold;
    private long _ofAllTold;

    /// <summary>One was sent away, and <see cref="DoorCounts"/> has counted it.</summary>
    public void Note()
    {
        lock (_lock)
        {
            if (_timer is not null) return;
            Tell();
            _timer = time.CreateTimer(_ => Look(), null, Between, Timeout.InfiniteTimeSpan);
        }
    }

    private void Look()
    {
        lock (_lock)
        {
            if (Tell()) _timer!.Change(Between, Timeout.InfiniteTimeSpan);
            else
            {
                _timer!.Dispose();
                _timer = null;
            }
        }
    }

    private bool Tell()
    {
        long ofAddress = counts.RefusedOfAddress - _ofAddressTold, ofAll = counts.RefusedOfAll - _ofAllTold;
        if (ofAddress + ofAll == 0) return false;
        log.ConnectionsRefused(counts.Door, ofAddress + ofAll, ofAddress, ofAll);
        _ofAddressTold += ofAddress;
        _ofAllTold += ofAll;
        return true;
    }
}
