using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>What one watchtower is told, and what it is known to lack.</summary>
public sealed class WatchtowerLinkTests : IDisposable
{
    private static readonly Address Tower = new(0, 7, 7);

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly RocksChannelStore _store;
    private readonly ChannelBook _book;
    private readonly WatchtowerLink _link;
    private readonly SimulatedTime _time = new();
    private readonly TestScheme _scheme = new(Sample.PartyA.Signer);

    public WatchtowerLinkTests()
    {
        _store = RocksChannelStore.Open(
            Path.Combine(_folder, "data"), new StoreIdentity(1, Address.Zero, Sample.PartyA.Signer));
        foreach (byte number in (byte[])[1, 2, 3]) Put(number, sent: 10);
        Put(4, sent: 0);
        _book = new ChannelBook(_store, new PeerLinks(), 1_024);
        _link = new WatchtowerLink("http://tower", _book, _store, _scheme, new NodeClock(_time), NullLogger.Instance);
    }

    public void Dispose()
    {
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task AfterAConnection_OnlyWhatIsLackingIsTold_WithTermsWhereTheyAreNotKnown()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 9)));

        IReadOnlyList<GuardRequest> frame = await NextAsync();

        Assert.Equal([IdOf(2), IdOf(3)], frame.Select(request => request.Guarded.Update.Channel).Order());
        Assert.Equal([false, true], frame.OrderBy(request => request.Guarded.Update.Channel).Select(request => request.Terms is not null));
        Assert.Equal((2, 2), (_link.Status.Guarded, _link.Status.Lagging));
        _link.Take(Answer(frame));
        Assert.Equal((3, 0), (_link.Status.Guarded, _link.Status.Lagging));
        Assert.False(NextAsync().IsCompleted);
    }

    [Fact]
    public async Task ChannelNotedManyTimes_IsToldOnce_WithItsNewestUpdate()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10), (3, 10)));
        for (UInt128 sent = 11; sent <= 50; sent++)
        {
            Put(1, sent);
            _link.Note([IdOf(1)]);
        }

        GuardRequest only = Assert.Single(await NextAsync());
        Assert.Equal((UInt128)50, only.Guarded.Update.Sent);
        Assert.True(new TestScheme(Sample.PartyA.Signer).VerifyConsent(only.Guarded.Update, only.Guarded.Consent, Sample.PartyA.Signer));
    }

    [Fact]
    public async Task WhatIsNotedWhileItsAnswerIsAwaited_IsToldAgain()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10), (3, 9)));
        IReadOnlyList<GuardRequest> frame = await NextAsync();
        Put(3, 11);
        _link.Note([IdOf(3)]);
        _link.Take(Answer(frame));

        Assert.Equal(1, _link.Status.Lagging);
        Assert.Equal((UInt128)11, Assert.Single(await NextAsync()).Guarded.Update.Sent);
    }

    [Fact]
    public async Task WhatWasNotAnswered_IsLackingWhenTheSessionEnds()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10)));
        await NextAsync();
        _link.End();

        Assert.Equal((false, 1), (_link.Status.IsConnected, _link.Status.Lagging));
        _link.Begin(Tower, Holding((1, 10), (2, 10)));
        Assert.Equal(IdOf(3), Assert.Single(await NextAsync()).Guarded.Update.Channel);
    }

    [Fact]
    public async Task ChannelThatTheWatchtowerHasLetGoOf_IsToldAgainWithItsTerms()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10), (3, 9)));
        Assert.Null(Assert.Single(await NextAsync()).Terms);
        _link.Take(new GuardAnswer([], [new GuardRefusal(IdOf(3), 10, Refusal.UnknownChannel, "terms", "", "")]));

        Assert.NotNull(Assert.Single(await NextAsync()).Terms);
    }

    [Fact]
    public async Task ChannelThatIsRefused_IsCounted_AndNotToldAgainBeforeSomethingIsNew()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10)));
        await NextAsync();
        _link.Take(new GuardAnswer([], [new GuardRefusal(IdOf(3), 10, Refusal.TooManyChannels, "channels", "3", "2")]));

        WatchtowerStatus status = _link.Status;
        Assert.Equal((0, 1, Refusal.TooManyChannels), (status.Lagging, status.Refused, status.NewestRefusal));
        Task<IReadOnlyList<GuardRequest>> next = NextAsync();
        Assert.False(next.IsCompleted);
        _link.Note([IdOf(3)]);
        Assert.False(next.IsCompleted); // Whoever looks how it stands does not decide how often a watchtower is told.
        _link.Wake();
        _link.Take(Answer(await next));
        Assert.Equal((0, Refusal.None), (_link.Status.Refused, _link.Status.NewestRefusal));
    }

    [Theory]
    [InlineData(Refusal.TooManyChannels)]
    [InlineData(Refusal.DiskLow)]
    public async Task ChannelForWhichThereWasNoRoom_IsAskedForAgainAfterAWhile(Refusal reason)
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10)));
        await NextAsync();
        _link.Take(new GuardAnswer([], [new GuardRefusal(IdOf(3), 10, reason, "channels", "3", "2")]));
        Task<IReadOnlyList<GuardRequest>> next = NextAsync();

        _time.Advance(9_999);
        _link.AskAgain();
        Assert.False(next.IsCompleted);
        _time.Advance(1);
        _link.AskAgain();
        Assert.Equal(IdOf(3), Assert.Single(await next).Guarded.Update.Channel);
    }

    [Fact]
    public async Task ChannelThatIsRefusedForGood_IsNotAskedForAgain()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10)));
        await NextAsync();
        _link.Take(new GuardAnswer([], [new GuardRefusal(IdOf(3), 10, Refusal.DisputeWindowOutOfRange, "window", "3", "60")]));

        _time.Advance(60_000);
        _link.AskAgain();

        Assert.False(NextAsync().IsCompleted);
    }

    [Fact]
    public async Task WatchtowerThatAnswersNothing_IsAskedAgainEverMoreSeldom()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10)));
        await NextAsync();
        foreach (int pauseMs in (int[])[1_000, 2_000, 4_000])
        {
            _link.Take(new GuardAnswer([], []));
            Task<IReadOnlyList<GuardRequest>> next = NextAsync();
            _time.Advance(pauseMs - 1);
            Assert.False(next.IsCompleted);
            _time.Advance(1);
            Assert.Single(await next);
        }

        _link.Take(Answer([new GuardRequest(new GuardedUpdate(new BalanceUpdate(IdOf(3), 10, 0), default, default), null)]));
        _link.Note([IdOf(1)]);
        Assert.True(NextAsync().IsCompleted); // It has answered.
    }

    /// <summary>A signer elsewhere may take its time.</summary>
    [Fact]
    public async Task WhatIsBeingSigned_IsLackingAllTheWhile()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10)));
        TaskCompletionSource signed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _scheme.ConsentsAfter = signed.Task;

        Task<IReadOnlyList<GuardRequest>> next = NextAsync();
        Assert.False(next.IsCompleted);
        Assert.Equal(1, _link.Status.Lagging);

        signed.SetResult();
        _link.Take(Answer(await next));
        Assert.Equal(0, _link.Status.Lagging);
    }

    [Fact]
    public async Task ChannelWithoutAnythingToGuard_IsLackingNoMore()
    {
        _link.Begin(Tower, Holding((1, 10), (2, 10)));
        _link.Note([IdOf(4)]);

        _link.Take(Answer(await NextAsync()));

        Assert.Equal((3, 0), (_link.Status.Guarded, _link.Status.Lagging));
    }

    /// <summary>Long before it is time to tell the watchtower: else nobody knew when a node may be switched off.</summary>
    [Fact]
    public void WhatIsCommitted_IsLackingAtOnce()
    {
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero, Watchtowers = ["http://tower"] };
        Watchtowers towers = new(
            _book, _store, _scheme, new NodeClock(_time), options, (_, _) => Task.CompletedTask, NullLogger<Watchtowers>.Instance);
        Assert.Equal(0, Assert.Single(towers.List()).Lagging);

        towers.Marks!.Mark(_book.Get(IdOf(1)));

        Assert.Equal(1, Assert.Single(towers.List()).Lagging);
    }

    [Fact]
    public void BeforeTheFirstConnection_EverythingIsLacking()
    {
        _link.Count();

        Assert.Equal((0, 3), (_link.Status.Guarded, _link.Status.Lagging));
    }

    private Task<IReadOnlyList<GuardRequest>> NextAsync() => _link.NextFrameAsync(100, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));

    private static GuardAnswer Answer(IReadOnlyList<GuardRequest> frame) => new(
        [.. frame.Select(it => new GuardedTotals(it.Guarded.Update.Channel, it.Guarded.Update.Sent, it.Guarded.Update.Received))], []);

    private static Dictionary<ChannelId, GuardedTotals> Holding(params (byte Number, UInt128 Sent)[] held) =>
        held.ToDictionary(it => IdOf(it.Number), it => new GuardedTotals(IdOf(it.Number), it.Sent, 0));

    private static ChannelId IdOf(byte number) => new(new Bytes32(0, 0, 0, number));

    private void Put(byte number, UInt128 sent)
    {
        ChannelTerms terms = new(Sample.PartyA, Sample.PartyB, Address.Zero, 600, OneWay: false, IdOf(number).Value);
        IStoreBatch batch = _store.NewBatch();
        batch.PutChannel(new Channel(IdOf(number), terms, Side.A));
        BalanceUpdate update = new(IdOf(number), sent, 0);
        batch.PutState(IdOf(number), Sample.Funded(1_000, 1_000) with
        {
            TheirSent = sent,
            TheirSignature = sent == UInt128.Zero ? default : new TestScheme(Sample.PartyB.Signer).Sign(update),
        });
        _store.Commit(batch, durable: false);
    }
}
