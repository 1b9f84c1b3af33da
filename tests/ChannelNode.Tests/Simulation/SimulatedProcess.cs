using ChannelNode.Engine;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// One life of one program, from its start to the next power cut: its engine, on a thread and a clock of its own that end
/// with it.
/// </summary>
internal abstract class SimulatedProcess(SimulatedDisk disk, MachineTime time, RpcWeather weather)
{
    /// <summary>Turns of its ledger that follow one another without any time passing: more are a circle.</summary>
    private const int TurnsAtOnceMax = 10_000;

    private readonly SimulatedThread _thread = new();

    public SimulatedStore Store { get; } = new(disk);

    public abstract SimulatedMachine Machine { get; }

    public abstract Ledger Ledger { get; }

    public abstract ChannelBook Book { get; }

    public abstract JobBook Jobs { get; }

    public abstract ChainView View { get; }

    protected abstract IReadOnlyList<Task> Loops { get; }

    protected MachineTime Time => time;

    /// <summary>It serves: all that happened while it was away is known.</summary>
    public bool HasCaughtUp { get; protected set; }

    /// <summary>Turns of the ledger so far.</summary>
    public int Turns { get; private set; }

    public void Start() => Do(() => _ = BeginAsync());

    protected abstract Task BeginAsync();

    /// <summary>Does something as the program's own, and lets it go on until it waits for time, for the disk or for others.</summary>
    public void Do(Action action) => _thread.Within(() =>
    {
        action();
        Go();
    });

    /// <summary>Goes on until nothing is left to do now. The disk may be so slow that what is to be written waits.</summary>
    public void Run(bool diskIsSlow)
    {
        if (_thread.IsIdle && (diskIsSlow || Ledger.IsIdle)) return;
        _thread.Within(() =>
        {
            Go();
            for (int turns = 0; !diskIsSlow && Ledger.TakeTurn(); turns++)
            {
                if (turns == TurnsAtOnceMax) throw new InvalidOperationException("the ledger never comes to rest");
                Turns++;
                Go();
            }
        });
    }

    private void Go()
    {
        Settle();
        _thread.Run();
        if (weather.IsCut) throw new PowerCutException();
        foreach (Task loop in Loops)
            if (loop.IsFaulted) loop.GetAwaiter().GetResult();
    }

    /// <summary>Before it goes on.</summary>
    protected virtual void Settle() { }

    /// <summary>Nothing of it ever goes on.</summary>
    public void Stop() => time.Stop();
}
