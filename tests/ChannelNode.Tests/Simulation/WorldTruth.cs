using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// What must hold after every step, by the simulation's own books: the words that left the nodes, and the blocks themselves.
/// Nothing here asks the code under test whether it is right.
/// </summary>
internal sealed class WorldTruth(SimulatedNetwork network, IReadOnlyList<Channel> channels)
{
    private readonly HashSet<(ChannelId, Side)> _vanished = [];

    /// <summary>They began to close while the node did not know all that it had acknowledged there before its disk was lost.</summary>
    private readonly HashSet<(WorldPlace Place, ChannelId Channel)> _closedInIgnorance = [];

    /// <summary>The chain had recorded more of them than the node must know.</summary>
    private readonly HashSet<(WorldPlace Place, ChannelId Channel)> _recordedInIgnorance = [];

    /// <summary>Updates that were accepted, for the count.</summary>
    public int Accepted { get; private set; }

    /// <summary>Channels in which all was offered again that a lost disk had, for the count.</summary>
    public int Regained { get; private set; }

    public void CheckChain()
    {
        SimulatedContract contract = network.Head.Contract;
        Assert.Equal(contract.WentIn, contract.Held + contract.WentOut);
        WorldJobs.CheckTower(network.Head);
        foreach (Channel channel in channels)
        {
            Pots pots = contract.PotsOf(channel.Id);
            Assert.True(pots.PotA + pots.PotB <= contract.Held);
        }
    }

    /// <summary>What was on the chain before, and is not any more.</summary>
    public void Reorganized(NetworkBlock before)
    {
        foreach (Channel channel in channels)
        {
            foreach (Side side in (Side[])[Side.A, Side.B])
            {
                if (network.Head.Contract.DepositedBy(channel.Id, side) < before.Contract.DepositedBy(channel.Id, side))
                    _vanished.Add((channel.Id, side));
            }
        }
    }

    /// <summary>With every block, and when a disk is lost.</summary>
    public void CheckLost(WorldPlace place)
    {
        foreach (Channel channel in channels.Where(it => place.Words.LostOf(it.Id) > 0))
        {
            Pots pots = network.Head.Contract.PotsOf(channel.Id);
            if (pots.SentOf(SidesOf(place, channel).Theirs) > place.Words.AcknowledgedOf(channel.Id)) _recordedInIgnorance.Add((place, channel.Id));
            bool closes = pots.IsClosing
                || network.Head.Events.Any(it => it.Channel == channel.Id && it is ChainEvent.CloseStarted or ChainEvent.Settled);
            if (closes) _closedInIgnorance.Add((place, channel.Id));
        }
    }

    /// <summary>
    /// Whether items that the node had acknowledged and lost are told by nobody: what the chain has recorded meanwhile is paid without any,
    /// and a payer that cheats need not offer them again.
    /// </summary>
    public bool MayMissItems(WorldPlace place, WorldPlace payer, ChannelId id) =>
        !payer.IsHonest || _recordedInIgnorance.Contains((place, id)) || IsLostForGood(place, id);

    /// <summary>
    /// Whether what the node had acknowledged and lost may be lost for good: the channel has closed before it was offered again, or its
    /// honest peer can offer nothing that it may take.
    /// </summary>
    public bool IsLostForGood(WorldPlace place, ChannelId id) => _closedInIgnorance.Contains((place, id));

    public void Check(WorldPlace place)
    {
        if (place.Life is not { } life || life.Turns == place.TurnsChecked) return;
        place.TurnsChecked = life.Turns;
        place.Journal.Check(life.Store);
        NetworkBlock? cursor = CursorOf(life);
        foreach (Channel channel in channels)
        {
            ChannelState state = life.StateOf(channel.Id);
            if (place.Words.Regain(channel.Id, state)) Regained++;
            CheckKept(place, channel, state);
            CheckView(place, life, channel.Id, state);
            CheckAccepted(place, channel, state, cursor);
            place.Checked[channel.Id] = (state, cursor);
        }

        WorldRisk.Check(place, life, channels, cursor);
    }

    /// <summary>No acknowledged value lost: it is remembered, and proven by the peer's signature or by the chain.</summary>
    private static void CheckKept(WorldPlace place, Channel channel, in ChannelState state)
    {
        UInt128 said = place.Words.AcknowledgedOf(channel.Id);
        if (said == UInt128.Zero) return;
        if (state.TheirSent < said) Assert.Fail($"{place.Name} acknowledged {said} in {channel.Id}, remembers {state.TheirSent}");
        (_, Side theirs) = SidesOf(place, channel);
        BalanceUpdate proof = new(channel.Id, state.TheirSent, state.TheirReceived);
        bool isProven = new Core.TestScheme(Address.Zero).Verify(proof, state.TheirSignature, channel.Terms.Of(theirs).Signer);
        if (!isProven && state.OnChain.SentOf(theirs) < said)
            Assert.Fail($"{place.Name} acknowledged {said} in {channel.Id}, and can prove nothing of it");
    }

    private NetworkBlock? CursorOf(SimulatedProcess process) =>
        process.Store.Cursor is { } known ? network.BlockOf(known.Hash) : null;

    /// <summary>The view is what a rescan up to its cursor says, or nothing, while the contract was not asked for the channel.</summary>
    public void CheckView(WorldHome home, SimulatedProcess process, ChannelId id, in ChannelState state)
    {
        if (CursorOf(process) is not { } cursor || process.Book.Find(id) is null || process.Book.Unfunded.IsUnasked(id)) return;
        if (process.Machine.IsGiving && process.View.Cursor?.Hash == cursor.Hash) return; // In the middle of a batch.
        Pots expected = cursor.Contract.PotsOf(id);
        // Emptied before anything was paid in it, and before it was known here, it looks as if it had never been.
        bool wasFunded = cursor.Contract.WasFunded(id) && !(home is WorldTower && expected.IsBlank && !state.EverFunded);
        if (expected != state.OnChain || wasFunded != state.EverFunded)
            Assert.Fail($"{home.Name} sees {state.OnChain} in {id} at {cursor.Number}, a rescan says {expected}");
    }

    /// <summary>What was accepted since the last look was covered by deposits that counted, before that look's blocks or after.</summary>
    private void CheckAccepted(WorldPlace place, Channel channel, in ChannelState state, NetworkBlock? cursor)
    {
        if (!place.Checked.TryGetValue(channel.Id, out var before) || cursor is null) return;
        bool isNew = state.HasTheirUpdate && state.TheirSignature != before.State.TheirSignature;
        if (!isNew || state.TheirSent <= before.State.TheirSent) return;
        Accepted++;
        bool isCovered = Covers(place, channel, state, cursor) || (before.Cursor is { } old && Covers(place, channel, state, old));
        if (!isCovered)
            Assert.Fail($"{place.Name} accepted {state.TheirSent}/{state.TheirReceived} in {channel.Id} at {cursor.Number}: not covered");
    }

    private bool Covers(WorldPlace place, Channel channel, in ChannelState state, NetworkBlock cursor)
    {
        (Side ours, Side theirs) = SidesOf(place, channel);
        Pots pots = cursor.Contract.PotsOf(channel.Id);
        UInt128 counts = Amounts.Excess(pots.PotOf(theirs), Uncounted(place.Options, channel.Id, theirs, cursor));
        UInt128 has = counts + Amounts.Excess(state.TheirReceived, pots.SentOf(ours));
        return has >= Amounts.Excess(state.TheirSent, pots.SentOf(theirs));
    }

    /// <summary>By the options' own words: of young deposits so much counts, of those that are not final so much.</summary>
    private UInt128 Uncounted(NodeOptions options, ChannelId channel, Side side, NetworkBlock cursor)
    {
        UInt128 young = UInt128.Zero, notFinal = UInt128.Zero;
        for (NetworkBlock? block = cursor; block?.Parent is { } parent; block = parent)
        {
            UInt128 added = block.Contract.DepositedBy(channel, side) - parent.Contract.DepositedBy(channel, side);
            if (added == UInt128.Zero) continue;
            bool isYoung = cursor.Number - block.Number + 1 < options.ConfirmationsLarger;
            if (isYoung) young += added;
            if (isYoung || block.Number + SimulatedNetwork.FinalDepth > network.Head.Number) notFinal += added;
        }

        return UInt128.Max(
            Amounts.Excess(young, options.CreditSmallMax), Amounts.Excess(notFinal, options.CreditLargerMax));
    }

    /// <summary>
    /// All is settled: who kept to the rules was paid what it acknowledged and did not sign away. Only a deposit that vanished
    /// can have cost it something, and never more than what it credits before a deposit is old.
    /// </summary>
    /// <param name="place">Who is to be paid.</param>
    /// <param name="channel">Where.</param>
    /// <param name="remembered">Of what it had acknowledged and lost, so much was there all the same: with the watchtower, or with a peer that hides nothing.</param>
    public void CheckPaid(WorldPlace place, Channel channel, UInt128 remembered)
    {
        (Side ours, Side theirs) = SidesOf(place, channel);
        SimulatedContract contract = network.Head.Contract;
        Assert.True(contract.PotsOf(channel.Id).IsEmpty, $"{channel.Id} was never settled");
        UInt128 has = contract.PaidTo(channel.Id, ours) + place.Words.SignedOf(channel.Id);
        UInt128 received = UInt128.Max(place.Words.AcknowledgedOf(channel.Id), remembered);
        UInt128 due = contract.DepositedBy(channel.Id, ours) + received;
        UInt128 cap = _vanished.Contains((channel.Id, theirs)) ? place.Options.CreditSmallMax : UInt128.Zero;
        cap += ClosesOf(channel.Id); // Each raises totals by a unit that nobody has told.
        Assert.True(
            contract.PotsOf(channel.Id).SentOf(ours) <= place.Words.SignedOf(channel.Id) + ClosesOf(channel.Id),
            $"the chain has {contract.PotsOf(channel.Id).SentOf(ours)} of {place.Name} in {channel.Id}, who never signed that");
        Assert.True(
            has + cap >= due,
            $"{place.Name} was paid {contract.PaidTo(channel.Id, ours)} in {channel.Id}: it put in "
            + $"{contract.DepositedBy(channel.Id, ours)}, received {received}, sent "
            + $"{place.Words.SignedOf(channel.Id)}, and may have lost {cap}");
    }

    /// <summary>Those of abandoned branches too: what they raised stays raised.</summary>
    private uint ClosesOf(ChannelId id) =>
        (uint)network.Blocks.Sum(block => block.Events.Count(it => it is ChainEvent.Closed && it.Channel == id));

    public static (Side Ours, Side Theirs) SidesOf(WorldPlace place, Channel channel) =>
        channel.Terms.A == place.Us ? (Side.A, Side.B) : (Side.B, Side.A);
}
