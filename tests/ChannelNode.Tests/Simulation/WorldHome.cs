using ChannelNode.Core;

namespace ChannelNode.Tests.Simulation;

/// <summary>Where a program lives, and all that outlives it.</summary>
internal abstract class WorldHome(string name, Address account, SimulatedDisk disk)
{
    public string Name => name;

    /// <summary>Its key's, from which it sends transactions.</summary>
    public Address Account => account;

    public SimulatedDisk Disk => disk;

    public RpcWeather Weather { get; } = new();

    /// <summary>Null while it is down.</summary>
    public abstract SimulatedProcess? Process { get; }

    public bool IsUp => Process is { HasCaughtUp: true };

    /// <summary>Time at which it is started again.</summary>
    public long DownUntilMs { get; set; }

    public long PoorUntilMs { get; set; }

    public long SlowDiskUntilMs { get; set; }

    /// <summary>Turns of this life that were checked.</summary>
    public int TurnsChecked { get; set; } = -1;
}
