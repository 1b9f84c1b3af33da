using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Simulation;

public sealed class ForgottenJobsTests
{
    private static readonly Party Us = new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1));
    private static readonly Channel Channel = new(
        Sample.Id,
        new ChannelTerms(Us, new Party(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1)), Address.Zero, 3_600, OneWay: false, Sample.Id.Value),
        Side.A);

    private readonly SimulatedTime _time = new();

    /// <summary>No block takes its newest transaction, for weeks: what was done before is forgotten all the same.</summary>
    [Fact]
    public void JobsThatEndedLongAgo_AreForgotten_WhileAnotherIsUnderWay()
    {
        SimulatedNetwork network = new(new Random(1), _time, [Us.Owner, Us.Signer]);
        SimulatedDisk disk = new();
        SimulatedStore store = new(disk);
        IStoreBatch batch = store.NewBatch();
        batch.PutChannel(Channel);
        batch.PutState(Channel.Id, default);
        batch.PutPending(Channel.Id, Pending.Deposit);
        store.Commit(batch, durable: true);
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = new Address(1, 1, 1), PollMs = 2_000, JobsKeptHours = 1 };
        SimulatedLife life = new(
            Us, disk, new MachineTime(_time, TimeSpan.Zero), network, new RpcWeather(), new Random(1), options, new SimulatedLog(_time, isVerbose: false));
        life.Start();
        Pass(life, 3);
        Deposit(life, "done");
        for (int block = 0; block < 10; block++)
        {
            network.Mine();
            Pass(life, 12);
        }

        Job done = Assert.Single(life.Node.Jobs.All).Job;
        Assert.Equal(JobStatus.Done, done.Status);
        network.Censored = Us.Signer;
        Deposit(life, "stuck");
        _time.MoveTo(_time.NowMs + (long)TimeSpan.FromHours(options.JobsKeptHours).TotalMilliseconds);
        Pass(life, 15 * 60);

        Job left = Assert.Single(life.Node.Jobs.All).Job;
        Assert.Equal((done.Number + 1, JobStatus.Sent), (left.Number, left.Status));
        Assert.Equal(left.Number, Assert.Single(life.Store.ReadJobs()).Number);
    }

    private void Deposit(SimulatedLife life, string key)
    {
        life.Do(() => _ = life.Node.Funding.DepositAsync(
            life.Node.Book.Get(Channel.Id), 500, gasless: false, key, budget: null, _ => { }, CancellationToken.None));
        Pass(life, 1);
    }

    private void Pass(SimulatedLife life, int seconds)
    {
        for (long until = _time.NowMs + (seconds * 1_000); ; life.Run(diskIsSlow: false))
        {
            life.Run(diskIsSlow: false);
            if (_time.NextDueMs > until) break;
            _time.MoveTo(Math.Max(_time.NowMs, _time.NextDueMs));
            _time.GoOff();
        }

        life.Run(diskIsSlow: false);
    }
}
