using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Simulation;

/// <summary>What applications and operators want: payments and deposits, once each, closings and claims whenever.</summary>
internal sealed class WorldWishes(ChannelWorld world)
{
    private const string Opening = "opening";

    private readonly List<WorldWish> _payments = [];
    private readonly List<WorldWish> _deposits = [];
    private readonly List<(SimulatedLife Life, ChannelId Channel, Task Task)> _operations = [];
    private readonly WorldJobs _jobs = new(world);
    private int _keys;

    public bool IsAllClosed => world.Channels.All(channel => PotsOf(channel.Id).IsEmpty);

    private Pots PotsOf(ChannelId id) => world.Network.Head.Contract.PotsOf(id);

    public void Wish()
    {
        WorldPlace place = world.Places[world.Random.Next(2)];
        Channel channel = world.Channels[world.Random.Next(world.Channels.Count)];
        if (!place.IsUp) return;
        if (place.Life!.Node.Book.Find(channel.Id) is null)
        {
            WishToOpen(place, channel);
            return;
        }

        switch (world.Random.Next(100))
        {
            case < 80:
                _payments.Add(new WorldWish(place, channel.Id, (UInt128)world.Random.Next(1, 60), $"payment {_keys++}"));
                Ask(_payments[^1]);
                break;
            case < 88:
                _deposits.Add(new WorldWish(place, channel.Id, (UInt128)(100 + _keys), $"deposit {_keys++}"));
                Ask(_deposits[^1]);
                break;
            case < 90:
                Begin(place, channel.Id, JobKind.StartClose, slot => place.Life!.Node.Operations.StartCloseAsync(slot, Unwatched, default));
                break;
            case < 92:
                Begin(place, channel.Id, JobKind.Close, slot => place.Life!.Node.Operations.CloseAsync(slot, Unwatched, default));
                break;
            case < 94 when channel.Terms.OneWay:
                Begin(place, channel.Id, JobKind.Claim, _ => place.Life!.Node.Operations.ClaimAsync([channel.Id], Unwatched, default));
                break;
            case < 98:
                if (_deposits.Count > 0) AskAgain(_deposits[world.Random.Next(_deposits.Count)]);
                break;
            default:
                place.Words.Subscribe(place.Life!.Store);
                break;
        }
    }

    /// <summary>By side A: it proposes the channel and makes the first deposit, once, however often it asks.</summary>
    private void WishToOpen(WorldPlace place, Channel channel)
    {
        if (WorldTruth.SidesOf(place, channel).Ours != Side.A) return;
        if (_deposits.Find(it => it.Key == Opening) is { } known)
        {
            AskAgain(known);
            return;
        }

        _deposits.Add(new WorldWish(place, channel.Id, (UInt128)world.Random.Next(600, 1_500), Opening));
        Ask(_deposits[^1]);
    }

    private Task OpenAsync(WorldWish wish, SimulatedLife life)
    {
        ChannelTerms terms = world.Channels.First(it => it.Id == wish.Channel).Terms;
        OpenChannelOrder order = new(
            "", world.Other(wish.Place).Us.Signer, terms.Token, wish.Amount, terms.DisputeWindowSeconds, terms.OneWay, terms.Salt);
        return life.Node.Funding.OpenAsync(order, null, Unwatched, default);
    }

    private static void Unwatched(OperationStep step) { }

    private void Begin(WorldPlace place, ChannelId channel, JobKind what, Func<ChannelSlot, Task> run)
    {
        _jobs.Asked(place, what, channel);
        world.Log.Trace($"{place.Name} wants: {what} {ContractCall.Name(channel)}");
        SimulatedLife life = place.Life!;
        world.Carefully(place, () => life.Do(() => _operations.Add((life, channel, run(life.Node.Book.Get(channel))))));
    }

    private void Ask(WorldWish wish)
    {
        WorldPlace place = wish.Place;
        SimulatedLife life = wish.Life = place.Life!;
        world.Log.Trace($"{place.Name} wants: {wish.Key} of {wish.Amount} in {ContractCall.Name(wish.Channel)}");
        world.Carefully(place, () =>
        {
            if (wish.Key[0] == 'p') wish.Payment = life.Pay(wish.Channel, wish.Amount, wish.Key);
            else life.Do(() => wish.Deposit = wish.Key == Opening ? OpenAsync(wish, life) : life.Node.Funding.DepositAsync(
                life.Node.Book.Get(wish.Channel), wish.Amount, gasless: false, wish.Key, null, Unwatched, default));
        });
    }

    /// <summary>Where the node that was asked is gone, or has said no to a deposit.</summary>
    private void AskAgain(WorldWish wish)
    {
        if (!wish.Place.IsUp || wish.Deposit is { IsCompletedSuccessfully: true } || wish.Payment is { Task.IsCompleted: true }) return;
        if (wish.IsDoubtful && (wish.Deposit is null || IsThere(wish))) return;
        if (wish.Life != wish.Place.Life || wish.Deposit is { IsCompleted: true }) Ask(wish);
    }

    /// <summary>
    /// The node's disk is lost, and a copy takes its place. Whoever has asked it for payments and does not know what became of them asks
    /// again only where the copy has the key: any other may be paid, and would be paid twice. Of a deposit he looks first whether it was made.
    /// </summary>
    public void Restore(WorldPlace place, SimulatedStore copy)
    {
        foreach (WorldWish wish in _deposits.Where(it => it.Place == place)) wish.IsDoubtful = true;
        foreach (WorldWish wish in _payments.Where(it => it.Place == place)) wish.IsDoubtful = copy.FindOutgoing(wish.Key) is null;
    }

    /// <summary>On the chain, or on its way there.</summary>
    private bool IsThere(WorldWish wish) => Made(wish) > 0 || world.Network.Waiting(wish.Place.Us.Signer).Any(it => IsOf(wish, it));

    public void AskAgain()
    {
        foreach (WorldWish wish in _payments.Concat(_deposits))
            if (wish.Life != wish.Place.Life) AskAgain(wish);
    }

    /// <summary>True while something is left to be closed, or under way.</summary>
    public bool CloseAll()
    {
        CheckOperations();
        bool isBusy = false;
        foreach (Channel channel in world.Channels)
        {
            Pots pots = PotsOf(channel.Id);
            if (pots.IsEmpty) continue;
            isBusy = true;
            if (world.Dust.IsThere)
            {
                world.Dust.CloseFor(channel, pots);
                continue;
            }

            // Whoever proposed it may have lost power before it knew that the other had agreed, and stored the terms.
            WorldPlace closer = world.Places[0].IsUp && world.Places[0].Life!.Book.Find(channel.Id) is null ? world.Places[1] : world.Places[0];
            if (closer is { IsHonest: false, DownUntilMs: long.MaxValue })
            {
                world.Dust.CloseFor(channel, pots); // The one node has forgotten it, the other is silent.
                continue;
            }

            bool isAsked = _operations.Any(it => it.Life == closer.Life && it.Channel == channel.Id && !it.Task.IsCompleted);
            if (!pots.IsClosing && !isAsked && closer.IsUp)
                Begin(closer, channel.Id, JobKind.StartClose, slot => closer.Life!.Node.Operations.StartCloseAsync(slot, Unwatched, default));
        }

        return isBusy || world.Homes.Any(
            home => home is not WorldPlace { IsHonest: false } && (!home.IsUp || home.Process!.Jobs.Active.Any(entry => !MayWait(entry))));
    }

    /// <summary>For the next day's gas, as long as its channel is not settled: these nobody settles.</summary>
    private bool MayWait(JobEntry entry) => world.Dust.IsThere
        && entry is { Job: { Status: JobStatus.Waiting, IsProtective: true }, Problem: Refusal.BudgetReached };

    private void CheckOperations()
    {
        foreach ((_, _, Task task) in _operations) CheckAnswer(task);
        foreach (WorldWish wish in _deposits.Where(it => it.Deposit is not null)) CheckAnswer(wish.Deposit!);
    }

    private static void CheckAnswer(Task task)
    {
        if (task.Exception?.InnerException is { } error and not RefusalException)
            throw new InvalidOperationException("an operation failed", error);
    }

    public void CheckTheEnd()
    {
        CheckOperations();
        foreach (WorldPlace place in world.Places)
            if (place.Life is { } life) place.Words.Subscribe(life.Store);
        foreach (WorldWish wish in _deposits) CheckDeposit(wish);
        foreach (WorldWish wish in _payments) CheckPayment(wish);
        _jobs.CheckTheEnd();
        world.Tally.Opened += world.Channels.Count(
            it => !ChannelWorld.IsAgreedBefore(it) && world.Places.Any(place => place.Words.AcknowledgedOf(it.Id) > 0));
        CountCalls();
    }

    /// <summary>However often it was asked for, it was made once at most; and it was where the node says so, and only there.</summary>
    private void CheckDeposit(WorldWish wish)
    {
        int made = Made(wish);
        Assert.True(made <= 1, $"{wish.Key} of {wish.Place.Name} was made {made} times");
        world.Tally.Deposits += made;
        if (!wish.Place.IsUp) return;
        string purpose = wish.Key == Opening ? $"open/{wish.Channel}" : $"deposit/{wish.Channel}/{wish.Key}";
        Job? job = wish.Place.Life!.Node.Jobs.All.FirstOrDefault(it => it.Job.Purpose == purpose)?.Job;
        bool isDone = job?.Status == JobStatus.Done;
        bool isUnknown = wish.IsDoubtful && job is null or { Refusal: Refusal.RestoredUnconfirmed }; // It was asked of a lost disk.
        Assert.True(isDone == (made == 1) || isUnknown, $"{wish.Key} of {wish.Place.Name} is {job?.Status}, and was made {made} times");
    }

    private int Made(WorldWish wish)
    {
        int made = 0;
        for (NetworkBlock? block = world.Network.Head; block is not null; block = block.Parent)
            made += block.Mined.Count(it => it.Mined.Succeeded && IsOf(wish, it.Transaction));
        return made;
    }

    private static bool IsOf(WorldWish wish, NetworkTransaction sent) => sent.From == wish.Place.Us.Signer
        && sent.Call is ContractCall.Deposit deposit && deposit.Channel == wish.Channel && deposit.Amount == wish.Amount;

    /// <summary>A dishonest payee may take on chain what it has refused: that is paid too, and its application hears nothing.</summary>
    private void CheckPayment(WorldWish wish)
    {
        if (wish.Payment is not { Task.IsCompletedSuccessfully: true } payment || !world.Other(wish.Place).IsHonest) return;
        PaymentOutcome outcome = payment.Task.Result;
        (ChannelId Channel, UInt128 Total)? delivery = world.Other(wish.Place).Words.DeliveryOf(wish.Key);
        if (outcome.Refusal != Refusal.None)
        {
            Assert.True(delivery is null, $"{wish.Key} of {wish.Place.Name} was refused with {outcome.Refusal}, and delivered");
            return;
        }

        // The payee has lost it, and was never told of it again: its total was raised by the chain, or not any more.
        WorldPlace payee = world.Other(wish.Place);
        if (delivery is null && outcome.Total <= payee.Words.OnceLostOf(wish.Channel) && world.Truth.MayMissItems(payee, wish.Place, wish.Channel)) return;

        Assert.True(
            delivery == (wish.Channel, outcome.Total), $"{wish.Key} of {wish.Place.Name} was paid at {outcome.Total}: {delivery}");
        world.Tally.Delivered++;
    }

    private void CountCalls()
    {
        for (NetworkBlock? block = world.Network.Head; block is not null; block = block.Parent)
        {
            world.Tally.Disputes += block.Events.Count(it => it is ChainEvent.Disputed);
            if (world.Dust.IsThere)
            {
                world.Tally.AmidSmall += block.Events.Count(
                    it => it is ChainEvent.Disputed or ChainEvent.Claimed && world.Channels.Any(large => large.Id == it.Channel));
            }

            world.Tally.Rescues += block.Mined.Count(it => it.Mined.Succeeded && it.Transaction.From == WorldTower.Key
                && it.Transaction.Call is ContractCall.Dispute or ContractCall.Claim);
            world.Tally.Closings += block.Events.Count(it => it is ChainEvent.CloseStarted or ChainEvent.Closed);
        }
    }
}
