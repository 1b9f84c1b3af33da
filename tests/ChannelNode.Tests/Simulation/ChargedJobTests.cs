using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// A deposit that a program asks for under a key is charged to its access token in the write that begins it. Apart, one crash would have it
/// charged and never made, or made without being charged: then its caps would be none.
/// </summary>
public sealed class ChargedJobTests
{
    private const uint Amount = 500;

    private static readonly Party Us = new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1));
    private static readonly Channel Channel = new(
        Sample.Id,
        new ChannelTerms(Us, new Party(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1)), Address.Zero, 3_600, OneWay: false, Sample.Id.Value),
        Side.A);

    /// <summary>One deposit and no more.</summary>
    private static readonly AccessToken Token = new()
    {
        Number = 7,
        Name = "opener",
        Hash = default,
        Scopes = Scopes.Channels,
        Caps = [new SpendingCap(Address.Zero, 0, 0, 0, 0) { DepositTotal = Amount }],
        CreatedAtMs = 1,
    };

    private readonly SimulatedTime _time = new();
    private SimulatedNetwork _network = null!;
    private SimulatedDisk _disk = null!;

    [Fact]
    public void PowerCutAtAnyWrite_LeavesTheDepositBegunAndCharged_OrNeither_AndItIsMadeOnce()
    {
        HashSet<int> begun = [];
        foreach (CutPoint cut in Enum.GetValues<CutPoint>())
        {
            int commits = 0;
            while (IsCutAt(cut, commits, begun)) commits++;
            Assert.InRange(commits, 3, 1_000);
        }

        Assert.Equal([0, 1], begun.Order());
    }

    /// <summary>Nor is it charged again where it is asked for again, or where the token does not cover it.</summary>
    [Fact]
    public void DepositThatIsNotBegun_IsNotCharged()
    {
        SimulatedLife life = Start();
        PaymentBudget budget = new(new TokenLine(Token), []);
        Deposit(life, budget, "one");
        Pass(life, blocks: 8);
        Deposit(life, budget, "one");

        Task above = Deposit(life, budget, "two");

        RefusalException refused = Assert.IsType<RefusalException>(above.Exception?.InnerException);
        Assert.Equal((Refusal.AccessTokenCapExceeded, "deposit_total"), (refused.Refusal, refused.Field));
        Assert.EndsWith("/one", Assert.Single(life.Store.ReadJobs()).Purpose);
        Assert.Equal((UInt128)Amount, Assert.Single(life.Store.ReadSpending()).Total);
    }

    /// <summary>False where the whole deposit took fewer writes.</summary>
    private bool IsCutAt(CutPoint cut, int commits, HashSet<int> begun)
    {
        SimulatedLife life = Start();
        (life.Store.CommitsBeforeCut, life.Store.CutAtNextCommit) = (commits, cut);
        try
        {
            Deposit(life, new PaymentBudget(new TokenLine(Token), life.Store.ReadSpending()), "one");
            Pass(life, blocks: 8);
            return false;
        }
        catch (PowerCutException)
        {
            life.Stop();
            _disk.CutPower(new Random(commits));
        }

        SimulatedStore left = new(_disk);
        Assert.Equal(left.ReadJobs().Select(_ => (UInt128)Amount), left.ReadSpending().Select(spent => spent.Total));
        begun.Add(left.ReadJobs().Count);

        life = Begin();
        Deposit(life, new PaymentBudget(new TokenLine(Token), left.ReadSpending()), "one");
        Pass(life, blocks: 8);
        Assert.Equal(JobStatus.Done, Assert.Single(life.Store.ReadJobs()).Status);
        Assert.Equal((UInt128)Amount, Assert.Single(life.Store.ReadSpending()).Total);
        Assert.Equal((UInt128)Amount, _network.Head.Contract.PotsOf(Channel.Id).PotA);
        return true;
    }

    /// <summary>On a chain and a disk of its own, which holds the channel.</summary>
    private SimulatedLife Start()
    {
        _network = new SimulatedNetwork(new Random(1), _time, [Us.Owner, Us.Signer]);
        _disk = new SimulatedDisk();
        SimulatedStore store = new(_disk);
        IStoreBatch batch = store.NewBatch();
        batch.PutChannel(Channel);
        batch.PutState(Channel.Id, default);
        batch.PutPending(Channel.Id, Pending.Deposit);
        store.Commit(batch, durable: true);
        return Begin();
    }

    private SimulatedLife Begin()
    {
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = new Address(1, 1, 1), PollMs = 2_000 };
        SimulatedLife life = new(
            Us, _disk, new MachineTime(_time, TimeSpan.Zero), _network, new RpcWeather(), new Random(1), options,
            new SimulatedLog(_time, isVerbose: false));
        life.Start();
        Pass(life, blocks: 1);
        return life;
    }

    private static Task Deposit(SimulatedLife life, PaymentBudget budget, string key)
    {
        Task depositing = Task.CompletedTask;
        life.Do(() => depositing = life.Node.Funding.DepositAsync(
            life.Node.Book.Get(Channel.Id), Amount, gasless: false, key, budget, _ => { }, CancellationToken.None));
        life.Run(diskIsSlow: false);
        return depositing;
    }

    private void Pass(SimulatedLife life, int blocks)
    {
        for (; blocks > 0; blocks--)
        {
            _network.Mine();
            long until = _time.NowMs + 12_000;
            for (life.Run(diskIsSlow: false); _time.NextDueMs <= until; life.Run(diskIsSlow: false))
            {
                _time.MoveTo(Math.Max(_time.NowMs, _time.NextDueMs));
                _time.GoOff();
            }

            _time.MoveTo(until);
        }
    }
}
