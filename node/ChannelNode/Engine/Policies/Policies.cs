using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What is asked of the operator's rules, of something that need not happen.</summary>
internal enum PolicyQuestion
{
    Propose = 1,
    Deposit = 2,
    Receive = 3,
    Send = 4,
}

/// <summary>The answer, with all that it was made of.</summary>
/// <param name="IsByPeer">The rule is the peer's, which is connected and has told it; this node's have no objection.</param>
internal sealed record PolicyExplanation(
    PolicyDecision Decision, bool IsByPeer, string Tier, PolicyFact.Standing? Standing, PeerLimits Limits, PeerUse Received, PeerUse Sent,
    uint Channels, IReadOnlyList<PolicyAuditEntry> Refusals);

/// <summary>A whole policy, its lists aside.</summary>
internal sealed record PolicyView(
    IReadOnlyDictionary<string, PolicyRules> Tiers, IReadOnlyDictionary<Address, PolicyRules> Peers,
    IReadOnlyList<PolicyFact.Standing> Standings, IReadOnlyDictionary<Address, string> Attestors, int Allowed, int Denied);

/// <summary>
/// What operators do with their rules. Each call is one write with its entry in the audit log; connected peers are told
/// what concerns them when it is on disk.
/// </summary>
internal sealed class Policies(
    PolicyGate gate, Ledger ledger, IChannelStore store, ISignatureScheme scheme, PeerLinks links, NodeClock clock, Address us)
{
    public const int TierBytesMax = 32;

    private const int ChannelsPerLook = 4_096;
    public const int CommentBytesMax = 256;
    public const int ListMax = 1_000_000;

    private const int TiersMax = 64;
    private const int PeersMax = 100_000;

    /// <summary>An attestation's clock may be so much ahead of this node's.</summary>
    private const ulong AheadSecondsMax = 60;

    private const ulong RefusalsLookedThrough = 10_000;
    private const int RefusalsTold = 20;

    private readonly PolicyBook _book = gate.Book;
    private string _actor = string.Empty;

    /// <summary>The same for one caller, whom the audit log names.</summary>
    public Policies By(string actor) => new(gate, ledger, store, scheme, links, clock, us) { _actor = actor };

    private void Audit(LedgerTurn turn, PolicyAuditEntry entry) => turn.Audit(entry, _actor);

    public Task<PolicyView> ViewAsync(CancellationToken cancel) => ledger.RunAsync(
        _ => new PolicyView(
            new Dictionary<string, PolicyRules>(_book.Tiers), new Dictionary<Address, PolicyRules>(_book.PeerRules),
            [.. _book.Standings.Values], new Dictionary<Address, string>(_book.Attestors),
            _book.Listed(PeerList.Allow).Count, _book.Listed(PeerList.Deny).Count),
        cancel);

    /// <summary>Changes a tier's rules, and makes the tier when it is new.</summary>
    public Task SetTierRulesAsync(string tier, Func<PolicyRules, PolicyRules> change, string what, CancellationToken cancel) =>
        ChangeAsync(
            turn =>
            {
                if (!_book.Tiers.ContainsKey(tier)) RequireBelow(_book.Tiers.Count, TiersMax, "tier", "tiers");
                PolicyRules rules = change(_book.Tiers.GetValueOrDefault(tier, PolicyRules.Nothing));
                _book.Put(turn, new PolicyFact.TierRules(tier, rules));
                Audit(turn, new PolicyAuditEntry(PolicyAuditKind.RulesChanged, what) { Tier = tier });
                return true;
            },
            cancel);

    /// <summary>Only a tier that nobody is in; the first three are always there.</summary>
    public Task RemoveTierAsync(string tier, CancellationToken cancel) => ChangeAsync(
        turn =>
        {
            RequireTier(tier);
            if (tier == PolicyBook.DefaultTier) throw Wrong("tier", $"tier is {tier}, expected another: everybody begins in it");
            if (PolicyBook.FirstTiers.Contains(tier)) throw Wrong("tier", $"tier is {tier}, expected one that was made: the first ones are always there");
            int inside = _book.Standings.Values.Count(it => it.Tier == tier);
            if (inside > 0) throw Wrong("tier", $"tier {tier} has {inside} peers, expected none: move them first");
            _book.Drop(turn, new PolicyFact.TierRules(tier, PolicyRules.Nothing));
            Audit(turn, new PolicyAuditEntry(PolicyAuditKind.RulesChanged, "removed") { Tier = tier });
            return true;
        },
        cancel);

    /// <summary>Changes the rules that are one peer's own and come before its tier's.</summary>
    public Task SetPeerRulesAsync(Address peer, Func<PolicyRules, PolicyRules> change, string what, CancellationToken cancel) =>
        ChangeAsync(
            turn =>
            {
                if (!_book.PeerRules.ContainsKey(peer)) RequireBelow(_book.PeerRules.Count, PeersMax, "peer", "peers with own rules");
                _book.Put(turn, new PolicyFact.PeerRules(peer, change(_book.PeerRules.GetValueOrDefault(peer, PolicyRules.Nothing))));
                Audit(turn, new PolicyAuditEntry(PolicyAuditKind.RulesChanged, what) { Peer = peer });
                return true;
            },
            cancel);

    public Task RemovePeerRulesAsync(Address peer, CancellationToken cancel) => ChangeAsync(
        turn =>
        {
            if (!_book.PeerRules.ContainsKey(peer)) throw Wrong("peer", $"peer {peer} has no rules of its own");
            _book.Drop(turn, new PolicyFact.PeerRules(peer, PolicyRules.Nothing));
            Audit(turn, new PolicyAuditEntry(PolicyAuditKind.RulesChanged, "removed") { Peer = peer });
            return true;
        },
        cancel);

    /// <summary>The operator moves a peer; 0 seconds: for good. Whatever was attested before counts no more.</summary>
    public Task SetTierAsync(Address peer, string tier, ulong validUntilSeconds, string comment, CancellationToken cancel) =>
        ChangeAsync(
            turn =>
            {
                RequireTier(tier);
                if (validUntilSeconds != 0 && validUntilSeconds <= clock.NowSeconds)
                    throw Wrong("valid_until_seconds", $"valid_until_seconds is {At(validUntilSeconds)}, expected later than now, {At(clock.NowSeconds)}");
                Move(turn, new PolicyFact.Standing(peer, tier, clock.NowSeconds, validUntilSeconds, default, default), comment);
                return true;
            },
            cancel);

    /// <summary>Moves a peer by what an attestor has signed. Refused by name, and into the audit log, when it does not count.</summary>
    public async Task<Bytes32> AttestAsync(
        PeerAttestation attestation, Signature signature, Address attestor, CancellationToken cancel)
    {
        Bytes32 id = scheme.IdOf(attestation);
        bool isSigned = scheme.Verify(attestation, signature, attestor);
        RefusalException? no = await ChangeAsync(
            turn =>
            {
                RefusalException? wrong = isSigned
                    ? Check(attestation, id, attestor)
                    : new RefusalException(
                        Refusal.WrongSigner, $"signature is not {attestor}'s under this attestation for this node, contract and chain")
                    { Field = "signature" };
                if (wrong is null)
                {
                    Move(turn, new PolicyFact.Standing(
                        attestation.Peer, attestation.Tier, clock.NowSeconds, attestation.ValidUntilSeconds, attestor, id), $"attested, id {id}");
                }
                else Audit(turn, new PolicyAuditEntry(PolicyAuditKind.AttestationRefused, wrong.Message) { Peer = attestation.Peer });

                return wrong;
            },
            cancel);
        return no is null ? id : throw no;
    }

    private RefusalException? Check(PeerAttestation attestation, Bytes32 id, Address attestor)
    {
        ulong now = clock.NowSeconds;
        if (!_book.Attestors.ContainsKey(attestor)) return Wrong("attestor", $"attestor {attestor} is not trusted by this node");
        if (attestation.Node != us) return Wrong("node", $"node is {attestation.Node}, expected this one, {us}");
        if (!_book.Tiers.ContainsKey(attestation.Tier)) return Wrong("tier", $"tier is \"{attestation.Tier}\", which this node does not have");
        if (attestation.ValidUntilSeconds <= now)
            return Wrong("valid_until_seconds", $"valid_until_seconds is {At(attestation.ValidUntilSeconds)}, expected later than now, {At(now)}");
        if (attestation.IssuedAtSeconds > now + AheadSecondsMax)
            return Wrong("issued_at_seconds", $"issued_at_seconds is {At(attestation.IssuedAtSeconds)}, expected at most now, {At(now)}");
        if (_book.IsRevoked(id)) return Wrong("signature", $"attestation {id} was revoked");
        if (_book.Standings.TryGetValue(attestation.Peer, out PolicyFact.Standing? standing)
            && standing.Attestation != id && attestation.IssuedAtSeconds < standing.SinceSeconds)
        {
            return Wrong(
                "issued_at_seconds",
                $"issued_at_seconds is {At(attestation.IssuedAtSeconds)}, expected at least {At(standing.SinceSeconds)}, when the peer's tier was "
                + "last changed");
        }

        return null;
    }

    private static string At(ulong seconds) => $"{seconds} ({ChainWords.Time(seconds)})";

    /// <summary>From now on it does not count, and who stands by it falls back.</summary>
    public Task RevokeAsync(Bytes32 attestation, CancellationToken cancel) => ChangeAsync(
        turn =>
        {
            _book.Put(turn, new PolicyFact.Revoked(attestation));
            Audit(turn, new PolicyAuditEntry(PolicyAuditKind.AttestationRevoked, $"id {attestation}"));
            Fall(turn, standing => standing.Attestation == attestation, "its attestation was revoked");
            return true;
        },
        cancel);

    /// <summary>Trusts an attestor, or trusts it no more: then who stands by it falls back.</summary>
    public Task ChangeAttestorAsync(Address attestor, string comment, bool remove, CancellationToken cancel) => ChangeAsync(
        turn =>
        {
            if (attestor.IsZero) throw Wrong("attestor", "attestor is the zero address");
            PolicyFact.TrustedAttestor fact = new(attestor, comment);
            if (remove) _book.Drop(turn, fact);
            else _book.Put(turn, fact);
            Audit(turn, new PolicyAuditEntry(PolicyAuditKind.AttestorsChanged, $"{(remove ? "not trusted any more" : "trusted")}: {attestor} {comment}"));
            if (remove) Fall(turn, standing => standing.Attestor == attestor, "its attestor is not trusted any more");
            return true;
        },
        cancel);

    private void Fall(LedgerTurn turn, Func<PolicyFact.Standing, bool> falls, string why)
    {
        foreach (PolicyFact.Standing standing in _book.Standings.Values.Where(falls).ToArray())
        {
            _book.Drop(turn, standing);
            Audit(turn, new PolicyAuditEntry(PolicyAuditKind.TierChanged, why) { Peer = standing.Peer, Tier = PolicyBook.DefaultTier });
        }
    }

    private void Move(LedgerTurn turn, PolicyFact.Standing standing, string why)
    {
        if (!_book.Standings.ContainsKey(standing.Peer)) RequireBelow(_book.Standings.Count, PeersMax * 10, "peer", "peers with a tier");
        _book.Put(turn, standing);
        Audit(turn, new PolicyAuditEntry(PolicyAuditKind.TierChanged, why) { Peer = standing.Peer, Tier = standing.Tier });
    }

    public Task ChangeListAsync(PeerList list, Address peer, string comment, bool remove, CancellationToken cancel) => ChangeAsync(
        turn =>
        {
            PolicyFact.Listed fact = new(list, peer, comment);
            bool isThere = _book.Listed(list).ContainsKey(peer);
            if (remove && !isThere) throw Wrong("peer", $"peer {peer} is not on the list");
            if (!remove && !isThere) RequireBelow(_book.Listed(list).Count, ListMax, "peer", "entries of a list");
            if (remove) _book.Drop(turn, fact);
            else _book.Put(turn, fact);
            string what = $"{(remove ? "taken off" : "put on")} the {list.ToString().ToLowerInvariant()} list";
            Audit(turn, new PolicyAuditEntry(PolicyAuditKind.ListChanged, comment.Length == 0 ? what : $"{what}: {comment}") { Peer = peer });
            return true;
        },
        cancel);

    /// <summary>A whole list takes the place of the one before, in one write.</summary>
    public Task<(int Added, int Removed, int Kept)> ImportAsync(
        PeerList list, IReadOnlyDictionary<Address, string> entries, CancellationToken cancel) => ChangeAsync(
        turn =>
        {
            IReadOnlyDictionary<Address, string> before = _book.Listed(list);
            int kept = entries.Keys.Count(before.ContainsKey);
            (int, int, int) counts = (entries.Count - kept, before.Count - kept, kept);
            _book.Replace(turn, list, entries);
            Audit(turn, new PolicyAuditEntry(
                PolicyAuditKind.ListImported,
                $"{list.ToString().ToLowerInvariant()} list: {counts.Item1} added, {counts.Item2} removed, {kept} kept"));
            return counts;
        },
        cancel);

    /// <summary>
    /// Before this node puts money into a channel: throws when its own rules say no, or when the peer has told in this session
    /// that it would take no payments from a side that holds so much.
    /// </summary>
    /// <param name="briefly">Whether who asks is told the rule alone.</param>
    public async Task RequireDepositAsync(
        Address peer, Address token, ChannelId channel, UInt128 pot, bool briefly, CancellationToken cancel)
    {
        PolicyNo? no = await DepositAsync(peer, token, channel, pot, cancel);
        if (no is null && links.Find(peer)?.Told?.RefuseDeposit(peer, token, pot) is { } theirs)
        {
            await ledger.RunAsync(turn => gate.NotePeerRefuses(turn, PolicyAuditKind.DepositRefused, peer, token, channel, theirs.Decision), cancel);
            no = theirs;
        }

        if (no is not null) throw briefly ? PolicyWords.RefuseBriefly(no, "amount") : PolicyWords.Refuse(no, "amount");
    }

    public Task<PolicyNo?> DepositAsync(Address peer, Address token, ChannelId channel, UInt128 pot, CancellationToken cancel) =>
        ledger.RunAsync(turn => gate.Deposit(turn, peer, token, channel, pot), cancel);

    /// <summary>Which rule would decide, and the newest refusals of the peer. Changes and counts nothing.</summary>
    public async Task<PolicyExplanation> ExplainAsync(
        Address peer, Address token, PolicyQuestion question, UInt128 amount, CancellationToken cancel)
    {
        ulong newest = ledger.AuditCursor;
        List<PolicyAuditEntry> refusals = [];
        for (ulong after = newest - Math.Min(newest, RefusalsLookedThrough); after < newest;)
        {
            IReadOnlyList<PolicyAuditEntry> page = store.ReadAudit(after, 1_000);
            if (page.Count == 0) break;
            refusals.AddRange(page.Where(it => it.Peer == peer && !it.Decision.IsAllowed));
            after = page[^1].Cursor;
        }

        PolicyExplanation answer = await ledger.RunAsync(
            _ =>
            {
                PeerMeter meter = _book.Meter(peer, token, clock.NowMs);
                PeerUse received = meter.Use(isSent: false, clock.NowMs), sent = meter.Use(isSent: true, clock.NowMs);
                PaymentsTogether payment = new(1, amount, amount);
                uint channels = _book.ChannelsWith(peer);
                PolicyDecision decision = question switch
                {
                    PolicyQuestion.Propose => Policy.Propose(meter.Limits, channels),
                    PolicyQuestion.Deposit => Policy.Deposit(meter.Limits, amount),
                    PolicyQuestion.Receive => Policy.Receive(meter.Limits, received, UInt128.Zero, payment),
                    _ => Policy.Send(meter.Limits, sent, payment),
                };
                PolicyNo? told = !decision.IsAllowed || links.Find(peer) is not { } link ? null : question switch
                {
                    PolicyQuestion.Deposit => link.Told?.RefuseDeposit(peer, token, amount),
                    PolicyQuestion.Send => link.RefusesPayment(token, UInt128.Zero, amount),
                    _ => null,
                };
                return new PolicyExplanation(
                    told?.Decision ?? decision, told is not null, meter.Tier, _book.Standings.GetValueOrDefault(peer), meter.Limits, received, sent, channels,
                    [.. refusals.TakeLast(RefusalsTold)]);
            },
            cancel);
        return answer.Decision.IsAllowed ? WithPots(answer, peer, token, question, amount) : answer;
    }

    /// <summary>Where more lies in a channel than may, nothing is paid in it: of several that with the most is meant.</summary>
    private PolicyExplanation WithPots(PolicyExplanation answer, Address peer, Address token, PolicyQuestion question, UInt128 amount)
    {
        PeerLink? link = links.Find(peer);
        PolicyDecision In(UInt128 ours, UInt128 theirs) => question switch
        {
            PolicyQuestion.Receive => Policy.Deposit(answer.Limits, theirs),
            PolicyQuestion.Send => link?.RefusesPayment(token, ours, amount)?.Decision ?? answer.Decision,
            _ => answer.Decision,
        };
        if (In(UInt128.MaxValue, UInt128.MaxValue).IsAllowed) return answer;
        (UInt128 ours, UInt128 theirs) = LargestPots(peer, token);
        return answer with { Decision = In(ours, theirs), IsByPeer = question == PolicyQuestion.Send && !In(ours, theirs).IsAllowed };
    }

    private (UInt128 Ours, UInt128 Theirs) LargestPots(Address peer, Address token)
    {
        (UInt128 ours, UInt128 theirs) = (UInt128.Zero, UInt128.Zero);
        ChannelId? after = null;
        while (store.ReadChannels(after, ChannelsPerLook) is { Count: > 0 } page)
        {
            foreach ((Channel channel, ChannelState state) in page)
            {
                if (channel.Theirs.Signer != peer || channel.Terms.Token != token) continue;
                ours = UInt128.Max(ours, state.OnChain.PotOf(channel.OurSide));
                theirs = UInt128.Max(theirs, state.OnChain.PotOf(channel.TheirSide));
            }

            after = page[^1].Channel.Id;
        }

        return (ours, theirs);
    }

    /// <summary>Who is connected hears of it when it is on disk.</summary>
    private Task<T> ChangeAsync<T>(Func<LedgerTurn, T> change, CancellationToken cancel) => ledger.RunAsync(
        turn =>
        {
            T result = change(turn);
            foreach (PeerLink link in links.All) gate.Tell(link);
            return result;
        },
        cancel);

    private void RequireTier(string tier)
    {
        if (!_book.Tiers.ContainsKey(tier)) throw Wrong("tier", $"tier is \"{tier}\", expected one of {string.Join(", ", _book.Tiers.Keys)}");
    }

    private static void RequireBelow(int count, int max, string field, string what)
    {
        if (count >= max) throw Wrong(field, $"there are {count} {what}, at most {max} can be");
    }

    private static RefusalException Wrong(string field, string message) => new(Refusal.InvalidArgument, message) { Field = field };
}
