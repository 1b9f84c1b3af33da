using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

public sealed class ManySettlesTests
{
    private const int Channels = 200;
    private const int SettlesAtOnce = 64;
    private const int InAToken = 150;

    private static readonly Party Us = new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1));
    private static readonly Party Them = new(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1));

    private readonly SimulatedTime _time = new();
    private readonly SimulatedNetwork _network;
    private readonly SimulatedDisk _disk = new();
    private readonly Channel[] _channels = [.. Enumerable.Range(1, Channels).Select(NewChannel)];
    private readonly SimulatedLife _life;

    public ManySettlesTests()
    {
        _network = new(new Random(1), _time, [Us.Owner, Us.Signer, Them.Owner]);
        SimulatedStore store = new(_disk);
        IStoreBatch batch = store.NewBatch();
        foreach (Channel channel in _channels)
        {
            batch.PutChannel(channel);
            batch.PutState(channel.Id, default);
            batch.PutPending(channel.Id, Pending.Deposit);
        }

        store.Commit(batch, durable: true);
        NodeOptions options = new()
        {
            DataDirectory = "",
            KeyFile = "",
            RpcUrl = "",
            Contract = new Address(1, 1, 1),
            PollMs = 2_000,
            GasBudgetWeiPerDay = ulong.MaxValue,
        };
        _life = new(
            Us, _disk, new MachineTime(_time, TimeSpan.Zero), _network, new RpcWeather(), new Random(1), options,
            new SimulatedLog(_time, isVerbose: false));
    }

    private static Channel NewChannel(int number)
    {
        ChannelId id = new(new Bytes32(0, 0, 0, (ulong)number));
        Address token = number == InAToken + 1 ? new Address(0, 0, 0x70) : Address.Zero;
        return new(id, new ChannelTerms(Us, Them, token, 60, OneWay: false, id.Value), Side.A);
    }

    [Fact]
    public void MoreThanTheAccountCanPay_AreAskedForOneAtATime_AndAllAreDoneOnceItCan()
    {
        Close(_ => 100);
        Give(wei: 0);
        _life.Start();
        Pass(15 * 60);

        ulong asked = _life.Node.Jobs.All.Max(entry => entry.Job.Number);
        Assert.InRange(asked, SettlesAtOnce + 10UL, SettlesAtOnce + 70UL);
        Assert.All(_life.Node.Jobs.All, entry => Assert.True(entry.Job.Refusal is Refusal.InsufficientFunds or Refusal.WindowOpen));

        Give(wei: (UInt128)SimulatedNetwork.Gwei * SimulatedNetwork.Gwei * 1_000);
        Pass(15 * 60);

        Assert.All(_channels, channel => Assert.True(PotsOf(channel).IsEmpty));
        Assert.InRange(_life.Node.Jobs.All.Max(entry => entry.Job.Number), asked + Channels, asked + Channels + 10);
    }

    [Fact]
    public void ThoseThatPayMost_AreDoneFirst()
    {
        Close(index => (UInt128)(1_000 - Math.Abs(index - 77)) * 100_000 * SimulatedNetwork.Gwei);
        BeginWithLittle();

        Assert.InRange(Done().Length, 2, SettlesAtOnce - 1);
        Assert.All(Done(), index => Assert.InRange(Math.Abs(index - 77), 0, (Done().Length + 1) / 2));
    }

    /// <summary>Nobody knows what that is worth; but the others pay less than their gas.</summary>
    [Fact]
    public void OneThatPaysInAToken_IsDoneBeforeThoseThatPayNextToNothing()
    {
        Close(index => (UInt128)(1_000 - index));
        BeginWithLittle();

        Assert.Contains(InAToken, Done());
    }

    private void BeginWithLittle()
    {
        _time.MoveTo(_time.NowMs + 600_000); // All windows are over.
        Give(wei: 2_000_000 * (UInt128)SimulatedNetwork.Gwei);
        _life.Start();
        for (int blocks = 0; blocks < 20 && Done().Length == 0; blocks++) Pass(12);
    }

    private int[] Done() => [.. Enumerable.Range(0, Channels).Where(index => PotsOf(_channels[index]).IsEmpty)];

    private void Close(Func<int, UInt128> amount)
    {
        for (int index = 0; index < Channels; index++)
        {
            (ChannelId id, ChannelTerms terms) = (_channels[index].Id, _channels[index].Terms);
            _network.Send(Us.Owner, amount(index), new ContractCall.Deposit(id, terms, Side.A, amount(index)));
            _network.Send(Us.Owner, 0, new ContractCall.StartClose(id, terms, null, default));
        }

        while (!_channels.All(channel => PotsOf(channel).IsClosing)) _network.Mine();
    }

    private Pots PotsOf(Channel channel) => _network.Head.Contract.PotsOf(channel.Id);

    private void Give(UInt128 wei) => _network.Head.Accounts[Us.Signer] = (_network.Head.NonceOf(Us.Signer), wei);

    /// <summary>With a block every 12 seconds.</summary>
    private void Pass(int seconds)
    {
        for (int passed = 0; passed < seconds; passed += 12)
        {
            _network.Mine();
            long until = _time.NowMs + 12_000;
            for (_life.Run(diskIsSlow: false); _time.NextDueMs <= until; _life.Run(diskIsSlow: false))
            {
                _time.MoveTo(Math.Max(_time.NowMs, _time.NextDueMs));
                _time.GoOff();
            }

            _time.MoveTo(until);
        }
    }
}
