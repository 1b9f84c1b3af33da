using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
using RocksDbSharp;

namespace ChannelNode.Tests.Engine;

/// <summary>A watchtower's book on a real disk, without a chain: tests say what the contract knows.</summary>
internal sealed class GuardRig : IAsyncDisposable
{
    public static readonly Address TowerKey = new(0, 0, 8);

    private static readonly ChainBlock Block = new(1, default, default, 1);

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly ChainIntake _intake;
    private ulong _asked = Block.Number;

    public GuardRig(Func<WatchtowerOptions, WatchtowerOptions>? change = null, TimeProvider? time = null)
    {
        WatchtowerOptions options = new()
        {
            Node = new NodeOptions { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = new Address(0, 0, 9) },
        };
        if (change is not null) options = change(options);
        Store = RocksChannelStore.Open(
            Path.Combine(_folder, "data"), new StoreIdentity(1, Address.Zero, TowerKey, GuardsOthers: true), Disk);
        NodeClock clock = new(time ?? TimeProvider.System);
        IStoreBatch first = Store.NewBatch();
        first.PutBlock(Block);
        Store.Commit(first, durable: false);
        Book = new ChannelBook(Store, new PeerLinks(), 1_024);
        ChainView view = new(Block, clock.Time, TimeSpan.FromHours(1));
        Ledger = new Ledger(Book, Store, view, clock, options.Node, NullLogger<Ledger>.Instance);
        _intake = new ChainIntake(
            Book, Ledger, Store, _ => Task.FromResult<ulong?>(null), SidesAsync, view, clock, options.Node, guardsOthers: true);
        GuardCheck check = new(new TestScheme(TowerKey), options.Node.Contract, TowerKey, 10);
        GuardAdmission admission = new(new StoredSides(SidesAsync, clock), view);
        Guards = new GuardBook(Book, Ledger, Store, _intake, admission, check, clock, options, NullLogger<GuardBook>.Instance);
        Sessions = new GuardSessions(Guards, options.SessionsMax, NullLogger.Instance);
        Ledger.Start();
    }

    /// <summary>The channels that the contract knows when it is asked.</summary>
    public HashSet<ChannelId> Contract { get; } = [];

    public DbOptions Disk { get; } = StoreSchema.DatabaseOptions().EnableStatistics();

    public RocksChannelStore Store { get; }

    public ChannelBook Book { get; }

    public Ledger Ledger { get; }

    public GuardBook Guards { get; }

    public GuardSessions Sessions { get; }

    public static Address Signer(uint number) => new(1, 0, number);

    public static ChannelId IdOf(uint channel) => new(new Bytes32(0, 0, 0, channel));

    /// <summary>From side A's signer, party A's unless another is named, in a channel with party B.</summary>
    public static GuardRequest Request(uint channel, UInt128 sent, Address? signer = null, bool isWrong = false)
    {
        Address a = signer ?? Sample.PartyA.Signer;
        ChannelTerms terms = new(
            new Party(a, a), Sample.PartyB, Address.Zero, 600, OneWay: false, IdOf(channel).Value);
        return Request(terms, sent, a, isWrong ? a : Sample.PartyB.Signer);
    }

    /// <summary>The same channel's other side, party B.</summary>
    public static GuardRequest OtherSide(uint channel, UInt128 sent)
    {
        Address a = Sample.PartyA.Signer;
        ChannelTerms terms = new(
            new Party(a, a), Sample.PartyB, Address.Zero, 600, OneWay: false, IdOf(channel).Value);
        return Request(terms, sent, Sample.PartyB.Signer, a);
    }

    private static GuardRequest Request(ChannelTerms terms, UInt128 sent, Address asker, Address payer)
    {
        BalanceUpdate update = new(new ChannelId(terms.Salt), sent, 0);
        return new GuardRequest(
            new GuardedUpdate(update, new TestScheme(payer).Sign(update), new TestScheme(asker).SignConsent(update)), terms);
    }

    public Task<GuardAnswer> TakeAsync(GuardClient client, params GuardRequest[] requests) =>
        Guards.TakeAsync(client, requests, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));

    /// <summary>The contract knows it, and is asked.</summary>
    public Task FundAsync(uint channel)
    {
        Contract.Add(IdOf(channel));
        Book.Unfunded.BackTo(0); // Else it would be its event that tells: nothing here mines.
        return _intake.LookAsync([IdOf(channel)], CancellationToken.None);
    }

    /// <summary>The contract was asked, and did not know it.</summary>
    public void NoteBlank(uint channel) => Book.Unfunded.Asked(IdOf(channel), ++_asked);

    private Task<Pots> SidesAsync(ChannelId id, Bytes32 block, CancellationToken cancel) =>
        Task.FromResult(Contract.Contains(id) ? new Pots(100, 0, 0, 0, 0) : default);

    public async ValueTask DisposeAsync()
    {
        await Ledger.DisposeAsync();
        Store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
