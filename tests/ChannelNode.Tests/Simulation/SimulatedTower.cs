using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;

namespace ChannelNode.Tests.Simulation;

/// <summary>One life of one whole watchtower.</summary>
internal sealed class SimulatedTower : SimulatedProcess
{
    public SimulatedTower(
        Address account, SimulatedDisk disk, MachineTime time, SimulatedNetwork network, RpcWeather weather, Random random,
        WatchtowerOptions options, SimulatedLog log)
        : base(disk, time, weather)
    {
        Machine = new SimulatedMachine(
            network, account, weather, random, time, options.Node.ReorgDepthMax, options.Node.Contract, log.Trace);
        Tower = new Watchtower(options, account, Store, Machine, new TestScheme(account), time, log);
    }

    public override SimulatedMachine Machine { get; }

    public Watchtower Tower { get; }

    public override Ledger Ledger => Tower.Ledger;

    public override ChannelBook Book => Tower.Book;

    public override JobBook Jobs => Tower.Jobs;

    public override ChainView View => Tower.View;

    protected override IReadOnlyList<Task> Loops => Tower.Loops;

    protected override async Task BeginAsync()
    {
        await Tower.CatchUpWithoutWriterAsync(CancellationToken.None);
        HasCaughtUp = true;
    }
}
