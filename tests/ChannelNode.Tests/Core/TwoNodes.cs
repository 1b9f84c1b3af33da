using ChannelNode.Core;
using Xunit;

namespace ChannelNode.Tests.Core;

/// <summary>
/// Two honest nodes, one channel, one chain, and a world between them that delays, drops, repeats and reorders what
/// they say. Honest means: each signs only what the core lets it sign. What is presented on chain is any update ever
/// signed. Nodes see the chain late but in order, and in time to answer a starting window. Every step checks the
/// invariants.
/// </summary>
internal sealed class TwoNodes
{
    public const uint WindowSeconds = 100;

    private readonly bool _oneWay;
    private readonly Node[] _nodes;
    private readonly List<Said> _wire = [];
    private readonly List<(CooperativeClose Close, ulong At)> _agreed = [];
    private Pots _chain;
    private UInt128 _depositedA, _depositedB, _paidA, _paidB;

    public TwoNodes(bool oneWay)
    {
        _oneWay = oneWay;
        _nodes = [new Node(Sample.Channel(Side.A, oneWay)), new Node(Sample.Channel(Side.B, oneWay))];
    }

    public ulong NowSeconds { get; private set; } = 1_000_000;

    public Pots Chain => _chain;

    /// <summary>Each update ever signed by a side, oldest first.</summary>
    public IReadOnlyList<VerifiedUpdate> SignedBy(Side side) => NodeOf(side).Signed;

    public ChannelState StateOf(Side side) => NodeOf(side).State;

    public Channel ChannelOf(Side side) => NodeOf(side).Channel;

    /// <summary>What each side has been paid out less what it put in, and what there is in all.</summary>
    public (UInt128 Deposited, UInt128 Paid) Funds => (_depositedA + _depositedB, _paidA + _paidB);

    private sealed record Said(Side From, VerifiedUpdate? Update, UInt128 PaymentsFrom, UInt128 Acknowledged);

    private sealed class Node(Channel channel)
    {
        public Channel Channel => channel;

        public ChannelState State { get; set; }

        public Queue<ChainEvent> Unseen { get; } = new();

        public List<VerifiedUpdate> Signed { get; } = [];
    }

    private Node NodeOf(Side side) => _nodes[(int)side];

    /// <summary>One step, chosen by a number.</summary>
    public void Step(int choice)
    {
        Pots chain = _chain;
        ChannelState stateA = StateOf(Side.A), stateB = StateOf(Side.B);
        int rest = choice / 16;
        Side side = rest % 2 == 0 ? Side.A : Side.B;
        Do(choice % 16, side, rest / 2);
        AssertNothingLost();
        AssertNoTotalFell(chain, stateA, stateB);
        AssertTheirsIsCovered(Side.A);
        AssertTheirsIsCovered(Side.B);
    }

    private void Do(int action, Side side, int number)
    {
        switch (action)
        {
            case 0: Deposit(side, (UInt128)(number % 100)); break;
            case 1 or 2 or 3: Pay(side, (UInt128)(number % 30)); break;
            case 4 or 5 or 6 or 7: Deliver(number, keep: false); break;
            case 8: Deliver(number, keep: true); break;
            case 9: Drop(number); break;
            case 10: Reestablish(side); break;
            case 11: See(side); break;
            case 12: Present(side, number); break;
            case 13: AgreeClose((uint)(number % 50) + 1); break;
            case 14: MineClose(number); break;
            default: Wait(number); break;
        }
    }

    private void Deposit(Side side, UInt128 amount)
    {
        if (_chain.Deposit(_oneWay, side, amount, out _chain) != Refusal.None) return;
        if (side == Side.A) _depositedA += amount;
        else _depositedB += amount;
        Tell(new ChainEvent.Deposited(Sample.Id, side, _chain.PotOf(side)));
    }

    private void Pay(Side side, UInt128 amount)
    {
        Node node = NodeOf(side);
        if (Updates.Pay(node.Channel, node.State, amount, out ChannelState next) != Refusal.None) return;
        Assert.True(next.Covers(side, next.Sent, next.TheirSent));
        node.State = next;
        SayUpdate(node, next.Acknowledged);
    }

    /// <summary>Signs what stands; the payments named with it are those above a total.</summary>
    private void SayUpdate(Node node, UInt128 paymentsFrom)
    {
        BalanceUpdate update = Updates.ToSign(node.Channel, node.State);
        VerifiedUpdate signed = Sample.Verified(node.Channel.OurSide, update.Sent, update.Received);
        node.Signed.Add(signed);
        _wire.Add(new Said(node.Channel.OurSide, signed, paymentsFrom, 0));
    }

    private void Deliver(int number, bool keep)
    {
        if (_wire.Count == 0) return;
        int index = number % _wire.Count;
        Said said = _wire[index];
        if (!keep) _wire.RemoveAt(index);
        Hear(NodeOf(said.From.Other()), said);
    }

    private void Hear(Node node, Said said)
    {
        ChannelState next;
        if (said.Update is not { } update)
        {
            Assert.Equal(Refusal.None, Updates.Acknowledge(node.State, said.Acknowledged, out next));
            node.State = next;
            return;
        }
        UInt128 payments = update.Update.Sent - said.PaymentsFrom;
        Refusal refusal = Updates.Accept(node.Channel, node.State, update, payments, out next);
        Assert.NotEqual(Refusal.ReceivedNotSent, refusal);
        if (refusal != Refusal.None) Assert.Equal(node.State, next);
        node.State = next;
        if (refusal == Refusal.None) _wire.Add(new Said(node.Channel.OurSide, null, 0, next.TheirSent));
    }

    private void Drop(int number)
    {
        if (_wire.Count > 0) _wire.RemoveAt(number % _wire.Count);
    }

    /// <summary>A new connection: this side learns how far it is accepted, and says the rest again.</summary>
    private void Reestablish(Side side)
    {
        Node node = NodeOf(side);
        UInt128 accepted = NodeOf(side.Other()).State.TheirSent;
        if (Updates.Acknowledge(node.State, accepted, out ChannelState next) != Refusal.None) return;
        node.State = next;
        if (node.State.Sent > accepted) SayUpdate(node, accepted);
    }

    private void See(Side side)
    {
        Node node = NodeOf(side);
        if (node.Unseen.TryDequeue(out ChainEvent? seen))
            node.State = Lifecycle.Observe(node.Channel, node.State, seen);
    }

    private void SeeAll(Side side)
    {
        while (NodeOf(side).Unseen.Count > 0) See(side);
        Assert.Equal(_chain, StateOf(side).OnChain);
    }

    private void Tell(ChainEvent happened)
    {
        foreach (Node node in _nodes) node.Unseen.Enqueue(happened);
    }

    /// <summary>Any update ever signed: starts the window, disputes within it, or claims from a one-way channel.</summary>
    private void Present(Side payer, int number)
    {
        IReadOnlyList<VerifiedUpdate> signed = SignedBy(payer);
        BalanceUpdate? update = signed.Count > 0 ? signed[number % signed.Count].Update : null;
        if (_oneWay && update is { } claimed) Claim(claimed.Sent);
        if (!_chain.IsClosing && number % 3 == 0)
        {
            if (_chain.StartClose(NowSeconds, WindowSeconds, out Pots closing) != Refusal.None) return;
            _chain = update is { } shown && !_oneWay ? closing.Present(payer, shown.Sent, shown.Received) : closing;
            Tell(new ChainEvent.CloseStarted(Sample.Id, _chain));
        }
        else if (update is { } better)
        {
            Dispute(payer, better);
        }
    }

    private void Dispute(Side payer, BalanceUpdate update)
    {
        if (_chain.Dispute(_oneWay, payer, update.Sent, update.Received, NowSeconds, out _chain) != Refusal.None) return;
        Tell(new ChainEvent.Disputed(Sample.Id, _chain));
    }

    private void Claim(UInt128 sent)
    {
        if (_chain.Claim(sent, out _chain, out UInt128 paid) != Refusal.None) return;
        _paidB += paid;
        Tell(new ChainEvent.Claimed(Sample.Id, _chain));
    }

    private void AgreeClose(uint seconds)
    {
        (Node a, Node b) = (_nodes[0], _nodes[1]);
        if (Lifecycle.CloseTotals(a.Channel, a.State, out UInt128 sentA, out UInt128 sentB) != Refusal.None) return;
        var close = new CooperativeClose(Sample.Id, sentA, sentB, NowSeconds + seconds);
        if (Lifecycle.AgreeClose(b.Channel, b.State, close, NowSeconds, out ChannelState nextB) != Refusal.None) return;
        if (Lifecycle.AgreeClose(a.Channel, a.State, close, NowSeconds, out ChannelState nextA) != Refusal.None) return;
        (a.State, b.State) = (nextA, nextB);
        _agreed.Add((close, NowSeconds));
    }

    /// <summary>Anyone may try any close that was ever agreed.</summary>
    private void MineClose(int number)
    {
        if (_agreed.Count == 0) return;
        CooperativeClose close = _agreed[number % _agreed.Count].Close;
        if (NowSeconds > close.DeadlineSeconds) return;
        Refusal refusal = _chain.Close(
            _oneWay, close.SentA, close.SentB, out _chain, out UInt128 paidA, out UInt128 paidB);
        if (refusal != Refusal.None) return;
        _paidA += paidA;
        _paidB += paidB;
        Tell(new ChainEvent.Closed(Sample.Id, _chain with { PotA = paidA, PotB = paidB }));

        // Nothing ever signed is worth anything now, were the pots filled again; nor is the close itself.
        Pots filled = _chain with { PotA = 1_000, PotB = _oneWay ? 0 : (UInt128)1_000 };
        foreach (Side side in (Side[])[Side.A, Side.B])
        {
            foreach (VerifiedUpdate signed in SignedBy(side))
                Assert.Equal(filled, filled.Present(side, signed.Update.Sent, signed.Update.Received));
        }
        Assert.Equal(Refusal.CloseNotAdvancing, filled.Close(_oneWay, close.SentA, close.SentB, out _, out _, out _));
    }

    /// <summary>Time passes. A window that would end meanwhile is seen and answered first, then settled.</summary>
    private void Wait(int number)
    {
        if (_chain.IsClosing && number % 2 == 0) Settle();
        NowSeconds += _chain.IsClosing ? 0 : (ulong)(number % 20);
        foreach (Side side in (Side[])[Side.A, Side.B])
        {
            Node node = NodeOf(side);
            if (node.Unseen.Count == 0) node.State = Lifecycle.ExpireClose(node.State, NowSeconds);
        }
    }

    /// <summary>Both guardians do all that is due, then the window ends and both are paid.</summary>
    public void Settle()
    {
        foreach (Side side in (Side[])[Side.A, Side.B, Side.A, Side.B])
        {
            SeeAll(side);
            DoDuty(side);
        }
        NowSeconds = _chain.ClosesAtSeconds;
        Pots before = _chain;
        Assert.Equal(Refusal.None, _chain.Settle(NowSeconds, out _chain));
        _paidA += before.PotA;
        _paidB += before.PotB;
        Tell(new ChainEvent.Settled(Sample.Id, before));
        SeeAll(Side.A);
        SeeAll(Side.B);
    }

    private void DoDuty(Side side)
    {
        Node node = NodeOf(side);
        ChannelDuty duty = Lifecycle.Due(node.Channel, node.State, NowSeconds, NowSeconds);
        if (duty == ChannelDuty.None) return;
        Pots before = _chain;
        if (duty == ChannelDuty.Claim) Claim(node.State.TheirSent);
        else Dispute(side.Other(), new BalanceUpdate(Sample.Id, node.State.TheirSent, node.State.TheirReceived));
        Assert.NotEqual(before, _chain);
        SeeAll(side);
        Assert.Equal(ChannelDuty.None, Lifecycle.Due(node.Channel, node.State, NowSeconds, NowSeconds));
    }

    /// <summary>Ends the channel by the window, whatever is presented meanwhile, and answers what each side was paid.</summary>
    public (UInt128 A, UInt128 B) EndWith(int[] presented)
    {
        (UInt128 a, UInt128 b) = (_paidA, _paidB);
        if (!_chain.IsClosing)
        {
            Assert.Equal(Refusal.None, _chain.StartClose(NowSeconds, WindowSeconds, out _chain));
            Tell(new ChainEvent.CloseStarted(Sample.Id, _chain));
        }
        foreach (int number in presented) Present(number % 2 == 0 ? Side.A : Side.B, (number / 2 * 3) + 1);
        Settle();
        AssertNothingLost();
        return (_paidA - a, _paidB - b);
    }

    public void SeeEverything()
    {
        SeeAll(Side.A);
        SeeAll(Side.B);
    }

    private void AssertNothingLost()
    {
        (UInt128 deposited, UInt128 paid) = Funds;
        Assert.Equal(deposited, paid + _chain.PotA + _chain.PotB);
    }

    private void AssertNoTotalFell(Pots chain, ChannelState stateA, ChannelState stateB)
    {
        Assert.True(_chain.SentA >= chain.SentA && _chain.SentB >= chain.SentB);
        foreach ((ChannelState before, Side side) in ((ChannelState, Side)[])[(stateA, Side.A), (stateB, Side.B)])
        {
            ChannelState now = StateOf(side);
            Assert.True(now.Sent >= before.Sent && now.Acknowledged >= before.Acknowledged);
            Assert.True(now.TheirSent >= before.TheirSent && now.TheirReceived >= before.TheirReceived);
            Assert.True(now.Acknowledged <= now.Sent && now.TheirReceived <= now.Sent);
        }
    }

    /// <summary>
    /// What a node has accepted is covered as it sees the chain, always. Its own sent need not be: what was on its way
    /// when a window was settled is signed and unpaid, and counts again when the pot is filled.
    /// </summary>
    private void AssertTheirsIsCovered(Side side)
    {
        ChannelState state = StateOf(side);
        Assert.True(state.Covers(side.Other(), state.TheirSent, state.TheirReceived));
    }
}
