using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A ledger over a real store, with one channel and a session with its peer, side B.</summary>
internal sealed class LedgerRig : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;

    public LedgerRig(Func<NodeOptions, NodeOptions>? change = null, TimeProvider? time = null, TimeSpan? silenceMax = null, bool isRestored = false)
    {
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        options = change is null ? options : change(options);
        Link = new PeerLink(Sample.PartyB.Signer, Sample.PartyB.Owner, options.PeerQueueMax);
        Store = RocksChannelStore.Open(
            Path.Combine(_folder, "data"), new StoreIdentity(1, Address.Zero, Sample.PartyA.Signer));
        if (isRestored) Store.MarkRestored(restoredAtMs: 2, backupAtMs: 1);
        View = new ChainView(Store.ReadBlocks().LastOrDefault(), TimeProvider.System, silenceMax ?? TimeSpan.FromHours(1));
        View.Advance(new ChainBatch(ChainMove.Stay, null, [], IsCaughtUp: true));
        NodeClock clock = new(time ?? TimeProvider.System);
        Links.Replace(Link);
        Book = new ChannelBook(Store, Links, options.ChannelsInMemoryMax);
        Slot = new ChannelSlot(Sample.Channel(), Sample.Funded(1_000, 1_000), Links) { EstablishedOn = Link };
        Policies = new PolicyGate(new PolicyBook(Store), Links, clock, options.AcceptedTokens);
        Link.Policies = Policies;
        Ledger = new Ledger(Book, Store, View, clock, options, NullLogger<Ledger>.Instance, Marks, Policies);
        Book.Add(Slot);
        Ledger.Start();
        Peers = new Peers(Book, Ledger, Links, Scheme, clock, null!, Store, options, new Drain(), NullLogger<Peers>.Instance)
        {
            Dial = (url, signer, cancel) => Dialler(url, signer, cancel),
        };
        Commons = new PeerCommons(clock.Time, options, Scheme);
        Session = new PeerSession(Link, Book, Ledger, Scheme, clock, null!, options, NullLogger.Instance, Commons);
    }

    public RocksChannelStore Store { get; }

    public GuardMarks Marks { get; } = new();

    public PeerDialer Dialler { private get; set; } = (_, _, _) => throw new InvalidOperationException("nobody is dialled here");

    public ChainView View { get; }

    public PeerLinks Links { get; } = new();

    public ChannelBook Book { get; }

    public Ledger Ledger { get; }

    public PolicyGate Policies { get; }

    public PeerLink Link { get; }

    public PeerSession Session { get; }

    public PeerCommons Commons { get; }

    /// <summary>A session of a peer that has just shown who it is, as the node's doors begin it.</summary>
    public Task<PeerSession> ComeAsync(Address signer) =>
        Peers.AttachAsync(new PeerLink(signer, Sample.PartyA.Owner, 4_096), CancellationToken.None);

    /// <summary>For sessions beside the first one.</summary>
    public Peers Peers { get; }

    public CountingScheme Scheme { get; } = new(new TestScheme(Sample.PartyA.Signer));

    public ChannelSlot Slot { get; }

    /// <summary>Takes the frames as if they had waited together; answers with all that is said to the peer then.</summary>
    public async Task<OutgoingFrame> AnswerAsync(params PeerFrame[] frames)
    {
        await Session.HearAsync(frames);
        return await SaidAsync();
    }

    /// <summary>What is said to the peer when everything asked so far is done.</summary>
    public async Task<OutgoingFrame> SaidAsync()
    {
        await Ledger.RunAsync(turn => true, CancellationToken.None);
        OutgoingFrame said = new();
        Link.TryTake(ref said);
        return said;
    }

    /// <summary>As the node does every few seconds.</summary>
    public Task LookAtPoliciesAsync() => Ledger.RunAsync(
        turn =>
        {
            Policies.Look(turn);
            return true;
        },
        CancellationToken.None);

    /// <summary>The ledger takes nothing meanwhile.</summary>
    public async Task WhileHeldAsync(Func<Task> ask)
    {
        using ManualResetEventSlim held = new(), release = new();
        Task<bool> holding = Ledger.RunAsync(
            _ =>
            {
                held.Set();
                release.Wait();
                return true;
            },
            CancellationToken.None);
        held.Wait();
        await ask();
        release.Set();
        await holding;
    }

    /// <summary>Amounts in the journal, one list for each row.</summary>
    public int[][] Journal()
    {
        List<List<int>> rows = [];
        foreach (JournalledRun run in Store.ReadReceived(0, int.MaxValue))
        {
            List<int> amounts = [];
            for (ReadOnlyMemory<byte> rest = run.Payments; !rest.IsEmpty;) amounts.Add((int)PaymentList.Take(ref rest).Amount);
            Assert.Equal(run.Run.Count, amounts.Count);
            rows.Add(amounts);
        }

        return [.. rows.Select(row => row.ToArray())];
    }

    public async ValueTask DisposeAsync()
    {
        await Ledger.DisposeAsync();
        Store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>A payment whose outcome is noted, on the ledger's thread.</summary>
internal sealed class NotedPayment(
    ChannelSlot slot, UInt128 amount, string key, Action<PaymentOutcome> note, ReadOnlyMemory<byte> itemId = default)
    : PaymentRequest(slot, amount, itemId, key, wantsReceipt: false)
{
    public override bool IsAbandoned => false;

    public override void Done(PaymentOutcome outcome) => note(outcome);
}

/// <summary>Counts the signatures that are checked.</summary>
internal sealed class CountingScheme(ISignatureScheme scheme) : ISignatureScheme
{
    private int _checked;

    public int Checked => _checked;

    /// <summary>Called with every look at an update's signature.</summary>
    public Action Checking { get; set; } = () => { };

    public ChannelId IdOf(ChannelTerms terms) => scheme.IdOf(terms);

    public bool Verify(in BalanceUpdate update, in Signature signature, Address signer)
    {
        Interlocked.Increment(ref _checked);
        Checking();
        return scheme.Verify(update, signature, signer);
    }

    public bool Verify(in CooperativeClose close, in Signature signature, Address signer) =>
        scheme.Verify(close, signature, signer);

    public Signature Sign(in BalanceUpdate update) => scheme.Sign(update);

    public Signature Sign(in CooperativeClose close) => scheme.Sign(close);

    public Signature SignConsent(in BalanceUpdate update) => scheme.SignConsent(update);

    public bool VerifyConsent(in BalanceUpdate update, in Signature consent, Address signer) =>
        scheme.VerifyConsent(update, consent, signer);

    public Signature PresentableConsent(in BalanceUpdate update, in Signature consent, Address signer) =>
        scheme.PresentableConsent(update, consent, signer);

    public Bytes32 IdOf(PeerAttestation attestation) => scheme.IdOf(attestation);

    public bool Verify(PeerAttestation attestation, in Signature signature, Address attestor) =>
        scheme.Verify(attestation, signature, attestor);

    public Signature Presentable(in BalanceUpdate update, in Signature signature, Address signer) =>
        scheme.Presentable(update, signature, signer);

    public Signature Presentable(in CooperativeClose close, in Signature signature, Address signer) =>
        scheme.Presentable(close, signature, signer);
}
