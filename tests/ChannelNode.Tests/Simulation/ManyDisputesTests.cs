using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Tests.Core;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>A peer begins to close many channels in each of which it has paid a little, and one in which it has paid much.</summary>
public sealed class ManyDisputesTests
{
    /// <summary>That are jobs at a time, of those that are about the same.</summary>
    private const int BegunMax = 256;

    /// <summary>That are under way at a time, of those that are about less than they cost.</summary>
    private const int SentMax = 32;

    private const ulong Little = 1_000;
    private const ulong Much = SimulatedNetwork.Gwei * SimulatedNetwork.Gwei;

    /// <summary>Wei per gas: nothing is sent.</summary>
    private static readonly UInt128 TooDear = 100_000 * SimulatedNetwork.Gwei;

    private static readonly Party Them = new(new Address(0, 0, 0xA0), new Address(0, 0, 0xA1));
    private static readonly Party Us = new(new Address(0, 0, 0xB0), new Address(0, 0, 0xB1));

    private readonly SimulatedTime _time = new();
    private readonly SimulatedNetwork _network;
    private readonly SimulatedDisk _disk = new();
    private readonly RpcWeather _weather = new();

    public ManyDisputesTests() => _network = new(new Random(1), _time, [Us.Signer, Them.Owner]);

    /// <summary>Funded, and known to both with what was paid in them: so much in each.</summary>
    private Channel[] Paid(bool oneWay, params IEnumerable<ulong> amounts)
    {
        SimulatedStore store = new(_disk);
        IStoreBatch batch = store.NewBatch();
        List<Channel> channels = [];
        foreach (ulong amount in amounts)
        {
            ChannelId id = new(new Bytes32(0, 0, 0, (ulong)channels.Count + 1));
            Channel channel = new(id, new ChannelTerms(Them, Us, Address.Zero, 3_600, oneWay, id.Value), Side.B);
            channels.Add(channel);
            _network.Send(Them.Owner, amount, new ContractCall.Deposit(id, channel.Terms, Side.A, amount));
            BalanceUpdate paid = new(id, amount, 0);
            batch.PutChannel(channel);
            batch.PutState(id, new ChannelState { TheirSent = amount, TheirSignature = new TestScheme(Them.Signer).Sign(paid) });
            batch.PutPending(id, Pending.Deposit);
        }

        store.Commit(batch, durable: true);
        _network.Mine();
        return [.. channels];
    }

    /// <summary>As if nothing had been paid.</summary>
    private void Close(Channel channel) =>
        _network.Send(Them.Owner, 0, new ContractCall.StartClose(channel.Id, channel.Terms, null, default));

    private SimulatedLife Start(ulong reserveGwei = 10_000_000)
    {
        NodeOptions options = new()
        {
            DataDirectory = "",
            KeyFile = "",
            RpcUrl = "",
            Contract = new Address(1, 1, 1),
            PollMs = 2_000,
            Confirmations = 2,
            DisputeReserveWeiPerDay = reserveGwei * SimulatedNetwork.Gwei,
        };
        SimulatedLife life = new(
            Us, _disk, new MachineTime(_time, TimeSpan.Zero), _network, _weather, new Random(1), options,
            new SimulatedLog(_time, isVerbose: false));
        life.Start();
        return life;
    }

    [Fact]
    public void OfThoseAboutTheSame_SomeWait_AndOneAboutMuchDoesNotWaitForThem()
    {
        Channel[] channels = Paid(oneWay: false, [.. Enumerable.Repeat(Little, BegunMax + 44), Much]);
        _network.BaseFee = TooDear;
        SimulatedLife life = Start();
        foreach (Channel channel in channels[..^1]) Close(channel);
        MineOneFor(Them.Owner);
        Pass(life, blocks: 2);
        Assert.Equal(BegunMax, life.Jobs.Active.Count);

        Close(channels[^1]);
        MineOneFor(Them.Owner);
        Pass(life, blocks: 2);
        Assert.Equal(BegunMax + 1, life.Jobs.Active.Count);
        _network.BaseFee = SimulatedNetwork.Gwei;
        Pass(life, blocks: 2);

        Assert.Equal((UInt128)Much, _network.Head.Contract.PotsOf(channels[^1].Id).SentA);
        Assert.Equal(0UL, life.Jobs.All.Single(entry => entry.Job.Channels.Contains(channels[^1].Id)).Job.Nonce);
    }

    /// <summary>However much gas there is: blocks have room for others.</summary>
    [Fact]
    public void OfThoseAboutLessThanTheyCost_FewAreSentAtATime_AndAllAreDone()
    {
        Channel[] channels = Paid(oneWay: false, [.. Enumerable.Repeat(Little, SentMax * 2)]);
        SimulatedLife life = Start(reserveGwei: 1_000_000_000);
        foreach (Channel channel in channels) Close(channel);
        _network.Mine();
        _network.Censored = Us.Signer;
        Pass(life, blocks: 3);
        Assert.Equal(SentMax, life.Jobs.Active.Count(entry => entry.Job.Status == JobStatus.Sent));

        _network.Censored = null;
        Pass(life, blocks: 10);

        Assert.All(channels, channel => Assert.Equal((UInt128)Little, _network.Head.Contract.PotsOf(channel.Id).SentA));
    }

    [Fact]
    public void ClaimOfMuch_IsMinedWithoutTheRowsOfLittle()
    {
        Channel[] channels = Paid(oneWay: true, [Little, Little, Much, Little]);
        SimulatedLife life = Start();
        foreach (Channel channel in channels) Close(channel);

        Pass(life, blocks: 4);

        List<int> rows = [];
        for (NetworkBlock? block = _network.Head; block is not null; block = block.Parent)
            rows.AddRange(block.Mined.Select(it => it.Transaction.Call).OfType<ContractCall.Claim>().Select(claim => claim.Rows.Count));
        Assert.Equal([1, 3], rows.Order());
        Assert.All(channels, channel => Assert.Equal(UInt128.Zero, _network.Head.Contract.PotsOf(channel.Id).PotA));
    }

    /// <summary>Both are sent under one nonce, the one about little first; no block takes either, and there is no ether for another of it.</summary>
    private (JobEntry Little, JobEntry Much) GiveNonceAway(SimulatedLife life, Channel[] channels)
    {
        Close(channels[0]);
        _network.Mine();
        _network.Censored = Us.Signer;
        Pass(life, blocks: 1);
        JobEntry little = Assert.Single(life.Jobs.All);
        Give(little.Job.Attempts[0].GasCostMax * 13 / 10);
        Close(channels[1]);
        Pass(life, blocks: 2);
        JobEntry much = life.Jobs.All[0];
        Assert.Equal((null, 0UL), (little.Job.Nonce, much.Job.Nonce));
        return (little, much);
    }

    private void Give(UInt128 wei) => _network.Head.Accounts[Us.Signer] = (_network.Head.NonceOf(Us.Signer), wei);

    /// <summary>Some machine may have told it to a pool that does not know of the one that took its place.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void TransactionThatGaveItsNonce_IsLookedForUntilTheNonceIsUsedDeepDown(int receiptsLagBlocks)
    {
        Channel[] channels = Paid(oneWay: false, [Little, Much]);
        SimulatedLife life = Start();
        (JobEntry little, JobEntry much) = GiveNonceAway(life, channels);
        Pass(life, blocks: 5);

        Assert.True(_network.Drop(Us.Signer));
        _network.Take(_network.Find(little.Job.Attempts[0].Hash));
        (_network.Censored, _weather.ReceiptsLagBlocks) = (null, receiptsLagBlocks);
        _network.Mine();
        _network.BaseFee = TooDear; // Else it would be made again at once.
        Pass(life, blocks: 3);
        _network.BaseFee = SimulatedNetwork.Gwei;
        Give((UInt128)Much);
        Pass(life, blocks: 12);

        Assert.Equal((JobStatus.Done, JobStatus.Done, 1UL), (little.Job.Status, much.Job.Status, much.Job.Nonce));
        Assert.Contains(little.Job.Attempts, attempt => attempt.Nonce == 0);
        Assert.DoesNotContain(life.Store.ReadEvents(0, int.MaxValue), told => told.Kind == EventKind.KeyShared);
    }

    /// <summary>
    /// The power goes at each write there is, one after the other, and takes all with it that is not synced: what others were told of
    /// the jobs by then is on disk, a nonce that one gives to the other is always of one, and both are done.
    /// </summary>
    [Fact]
    public void PowerCutAtAnyWrite_FindsTheJobsOnDiskAsTheyWereTold()
    {
        HashSet<JobStatus> told = [];
        int asked = 0;
        for (int commits = 0; new ManyDisputesTests().IsCutAt(commits, told, ref asked); commits++) Assert.InRange(commits, 0, 100);

        Assert.Equal([JobStatus.Waiting, JobStatus.Sent, JobStatus.Mined, JobStatus.Done], told.Order());
    }

    /// <param name="asked">Jobs that there were at the write before, which was to begin one maybe.</param>
    private bool IsCutAt(int commits, HashSet<JobStatus> told, ref int asked)
    {
        Channel[] channels = Paid(oneWay: false, [Little, Much]);
        SimulatedLife life = Start();
        (life.Store.CommitsBeforeCut, life.Store.CutAtNextCommit) = (commits, CutPoint.BeforeWriting);
        try
        {
            GiveNonceAway(life, channels);
            Give((UInt128)Much);
            _network.Censored = null;
            Pass(life, blocks: 16);
            return false;
        }
        catch (PowerCutException)
        {
            life.Stop();
            _disk.CutPower(new NothingKept());
        }

        Job[] stored = [.. new SimulatedStore(_disk).ReadJobs()];
        Assert.Equal(life.Jobs.All.Reverse().Take(stored.Length).Select(entry => Told(entry.Job)), stored.Select(Told));
        Assert.InRange(stored.Length, asked, asked = life.Jobs.All.Count);
        told.UnionWith(stored.Select(job => job.Status));
        if (stored.Any(job => job.Attempts.Count > 0)) Assert.Single(stored, job => job.Nonce == 0);
        _network.Censored = null;
        Give((UInt128)Much);
        foreach (Channel channel in channels)
            if (!_network.Head.Contract.PotsOf(channel.Id).IsClosing) Close(channel);
        Pass(Start(), blocks: 16);
        Assert.All(channels, channel => Assert.NotEqual(UInt128.Zero, _network.Head.Contract.PotsOf(channel.Id).SentA));
        return true;
    }

    private static (ulong Number, JobStatus Status, ulong? Nonce, int Attempts) Told(Job job) =>
        (job.Number, job.Status, job.Nonce, job.Attempts.Count);

    /// <summary>Of what could be lost all is.</summary>
    private sealed class NothingKept : Random
    {
        public override int Next(int minValue, int maxValue) => minValue;
    }

    /// <summary>Its transactions, which offer less than is asked of others.</summary>
    private void MineOneFor(Address account)
    {
        UInt128 asked = _network.BaseFee;
        _network.BaseFee = SimulatedNetwork.Gwei;
        while (_network.PendingNonce(account) != _network.Head.NonceOf(account)) _network.Mine();
        _network.BaseFee = asked;
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
