using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>What operators do with their policy.</summary>
internal sealed partial class NodeGrpcService
{
    private const int EntriesPerResponse = 1_000;
    private const int AuditBytesPerResponse = 1 << 20;

    private Policies PoliciesBy(ServerCallContext context) => node.Policies.By(Caller.NameOf(context));

    public override async Task<Wire.GetPolicyResponse> GetPolicy(Wire.GetPolicyRequest request, ServerCallContext context)
    {
        PolicyView view = await node.Policies.ViewAsync(context.CancellationToken);
        Wire.GetPolicyResponse response = new()
        {
            Allowed = (uint)view.Allowed,
            Denied = (uint)view.Denied,
            AuditCursor = node.Ledger.AuditCursor,
        };
        response.Tiers.AddRange(view.Tiers.Select(it => new Wire.PolicyTier { Name = it.Key, Rules = PolicyWire.Write(it.Value) }));
        response.Peers.AddRange(PolicyWire.WritePeers(view));
        response.Attestors.AddRange(view.Attestors.Select(it => new Wire.PolicyAttestor { Attestor = it.Key.ToString(), Comment = it.Value }));
        return response;
    }

    public override async Task<Wire.SetPolicyResponse> SetPolicy(Wire.SetPolicyRequest request, ServerCallContext context)
    {
        (Func<PolicyRules, PolicyRules> change, string what) = PolicyWire.ReadChange(request);
        bool changes = what.Length > 0;
        if (changes == request.Remove)
            throw Fields.Invalid("remove", request.Remove.ToString(), changes ? "no rules to change together with it" : "rules to change");
        Policies policies = PoliciesBy(context);
        await (request.WhoseCase switch
        {
            Wire.SetPolicyRequest.WhoseOneofCase.Tier when request.Remove =>
                policies.RemoveTierAsync(PolicyWire.ReadTier(request.Tier), context.CancellationToken),
            Wire.SetPolicyRequest.WhoseOneofCase.Tier =>
                policies.SetTierRulesAsync(PolicyWire.ReadTier(request.Tier), change, what, context.CancellationToken),
            Wire.SetPolicyRequest.WhoseOneofCase.Peer when request.Remove =>
                policies.RemovePeerRulesAsync(PolicyWire.ReadPeer(request.Peer), context.CancellationToken),
            Wire.SetPolicyRequest.WhoseOneofCase.Peer =>
                policies.SetPeerRulesAsync(PolicyWire.ReadPeer(request.Peer), change, what, context.CancellationToken),
            _ => throw Fields.Invalid("whose", string.Empty, "tier or peer"),
        });
        return new Wire.SetPolicyResponse();
    }

    public override async Task<Wire.ExplainPolicyResponse> ExplainPolicy(
        Wire.ExplainPolicyRequest request, ServerCallContext context)
    {
        Address peer = PolicyWire.ReadPeer(request.Peer), token = Fields.ReadAddress(request.Token, "token", emptyIsZero: true);
        (PolicyQuestion question, UInt128 amount) = request.QuestionCase switch
        {
            Wire.ExplainPolicyRequest.QuestionOneofCase.Proposal => (PolicyQuestion.Propose, UInt128.Zero),
            Wire.ExplainPolicyRequest.QuestionOneofCase.Deposit => (PolicyQuestion.Deposit, Fields.ReadAmount(request.Deposit, "deposit")),
            Wire.ExplainPolicyRequest.QuestionOneofCase.Receive => (PolicyQuestion.Receive, Fields.ReadAmount(request.Receive, "receive")),
            Wire.ExplainPolicyRequest.QuestionOneofCase.Send => (PolicyQuestion.Send, Fields.ReadAmount(request.Send, "send")),
            _ => throw Fields.Invalid("question", string.Empty, "proposal, deposit, receive or send"),
        };
        PolicyExplanation answer = await node.Policies.ExplainAsync(peer, token, question, amount, context.CancellationToken);
        bool isAllowed = answer.Decision.IsAllowed;
        Wire.ExplainPolicyResponse response = new()
        {
            Allowed = isAllowed,
            ByPeer = answer.IsByPeer,
            Rule = isAllowed ? string.Empty : PolicyWords.NameOf(answer.Decision.Rule),
            Value = isAllowed ? string.Empty : answer.Decision.Value.ToString(),
            Limit = isAllowed ? string.Empty : answer.Decision.Limit.ToString(),
            Tier = answer.Tier,
            TierUntilSeconds = answer.Standing?.ValidUntilSeconds ?? 0,
            Rules = PolicyWire.Write(answer.Limits, token),
            Listed = answer.Limits.IsListed,
            Received = PolicyWire.Write(answer.Received),
            Sent = PolicyWire.Write(answer.Sent),
            Exposure = answer.Received.Exposure.ToString(),
            Channels = answer.Channels,
        };
        response.Refusals.AddRange(answer.Refusals.Select(refusal => PolicyWire.Write(refusal, ofTokens: false)));
        return response;
    }

    public override async Task<Wire.SetPeerTierResponse> SetPeerTier(Wire.SetPeerTierRequest request, ServerCallContext context)
    {
        await PoliciesBy(context).SetTierAsync(
            PolicyWire.ReadPeer(request.Peer), PolicyWire.ReadTier(request.Tier), request.ValidUntilSeconds,
            PolicyWire.ReadComment(request.Comment), context.CancellationToken);
        return new Wire.SetPeerTierResponse();
    }

    public override async Task<Wire.AttestPeerResponse> AttestPeer(Wire.AttestPeerRequest request, ServerCallContext context)
    {
        PeerAttestation attestation = new(
            PolicyWire.ReadPeer(request.Peer), PolicyWire.ReadTier(request.Tier), request.ValidUntilSeconds, request.IssuedAtSeconds,
            Fields.ReadAddress(request.Node, "node"));
        Bytes32 id = await PoliciesBy(context).AttestAsync(
            attestation, PolicyWire.ReadSignature(request.Signature), Fields.ReadAddress(request.Attestor, "attestor"), context.CancellationToken);
        return new Wire.AttestPeerResponse { Attestation = id.ToString() };
    }

    public override async Task<Wire.RevokeAttestationResponse> RevokeAttestation(
        Wire.RevokeAttestationRequest request, ServerCallContext context)
    {
        await PoliciesBy(context).RevokeAsync(Fields.ReadBytes32(request.Attestation, "attestation"), context.CancellationToken);
        return new Wire.RevokeAttestationResponse();
    }

    public override async Task<Wire.ChangeAttestorResponse> ChangeAttestor(Wire.ChangeAttestorRequest request, ServerCallContext context)
    {
        await PoliciesBy(context).ChangeAttestorAsync(
            Fields.ReadAddress(request.Attestor, "attestor"), PolicyWire.ReadComment(request.Comment), request.Remove,
            context.CancellationToken);
        return new Wire.ChangeAttestorResponse();
    }

    public override async Task<Wire.ChangePeerListResponse> ChangePeerList(Wire.ChangePeerListRequest request, ServerCallContext context)
    {
        await PoliciesBy(context).ChangeListAsync(
            PolicyWire.ReadList(request.List), PolicyWire.ReadPeer(request.Peer), PolicyWire.ReadComment(request.Comment), request.Remove,
            context.CancellationToken);
        return new Wire.ChangePeerListResponse();
    }

    public override async Task<Wire.ImportPeerListResponse> ImportPeerList(
        IAsyncStreamReader<Wire.ImportPeerListRequest> requestStream, ServerCallContext context)
    {
        PeerList? list = null;
        Dictionary<Address, string> entries = [];
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            Wire.ImportPeerListRequest part = requestStream.Current;
            PeerList named = PolicyWire.ReadList(part.List);
            if ((list ??= named) != named) throw Fields.Invalid("list", part.List.ToString(), "the same list in every part");
            foreach (Wire.PeerListEntry entry in part.Entries)
                entries[PolicyWire.ReadPeer(entry.Peer)] = PolicyWire.ReadComment(entry.Comment);
            if (entries.Count > Policies.ListMax) throw Fields.Invalid("entries", $"{entries.Count} peers", $"at most {Policies.ListMax}");
        }

        (int added, int removed, int kept) = await PoliciesBy(context).ImportAsync(
            list ?? throw Fields.Invalid("list", string.Empty, "one part at least"), entries, context.CancellationToken);
        return new Wire.ImportPeerListResponse { Added = (uint)added, Removed = (uint)removed, Kept = (uint)kept };
    }

    public override async Task ReadPeerList(
        Wire.ReadPeerListRequest request, IServerStreamWriter<Wire.ReadPeerListResponse> responseStream, ServerCallContext context)
    {
        PeerList list = PolicyWire.ReadList(request.List);
        for (Address? after = null; ;)
        {
            IReadOnlyList<PolicyFact.Listed> page = node.Store.ReadPolicyList(list, after, EntriesPerResponse);
            if (page.Count == 0) return;
            Wire.ReadPeerListResponse response = new();
            response.Entries.AddRange(page.Select(it => new Wire.PeerListEntry { Peer = it.Peer.ToString(), Comment = it.Comment }));
            await responseStream.WriteAsync(response, context.CancellationToken);
            after = page[^1].Peer;
        }
    }

    public override async Task ReadPolicyAudit(
        Wire.ReadPolicyAuditRequest request, IServerStreamWriter<Wire.ReadPolicyAuditResponse> responseStream, ServerCallContext context)
    {
        ulong after = request.AfterCursor, newest = node.Ledger.AuditCursor;
        bool ofTokens = MayListTokens(context);
        if (after > newest)
        {
            throw new RefusalException(
                Refusal.CursorUnknown, $"after_cursor is {after}, expected at most {newest}, the newest entry's")
            { Field = "after_cursor" };
        }

        while (after < newest)
        {
            IReadOnlyList<PolicyAuditEntry> page = node.Store.ReadAudit(after, EntriesPerResponse);

            // 0 asks for all that are kept; whoever names a cursor must not be told less than all after it.
            if (page.Count == 0 || (after != 0 && page[0].Cursor > after + 1)) throw AuditExpired(after, page);
            Wire.ReadPolicyAuditResponse response = new();
            int bytes = 0;
            foreach (PolicyAuditEntry entry in page.Where(it => it.Cursor <= newest))
            {
                Wire.PolicyAuditEntry wire = PolicyWire.Write(entry, ofTokens);
                bytes += wire.CalculateSize();
                if (bytes > AuditBytesPerResponse)
                {
                    await responseStream.WriteAsync(response, context.CancellationToken);
                    (response, bytes) = (new Wire.ReadPolicyAuditResponse(), wire.CalculateSize());
                }

                response.Entries.Add(wire);
            }

            await responseStream.WriteAsync(response, context.CancellationToken);
            after = page[^1].Cursor;
        }
    }

    /// <summary>Who may list access tokens; who only reads is told which were made or changed, and no more of them.</summary>
    private static bool MayListTokens(ServerCallContext context) =>
        Caller.TokenOf(context)?.Token.Allows(Scopes.Admin, nameof(ListAccessTokens)) != false;

    private static RefusalException AuditExpired(ulong after, IReadOnlyList<PolicyAuditEntry> page) => new(
        Refusal.CursorExpired,
        $"after_cursor is {after}, expected at least {(page.Count == 0 ? after : page[0].Cursor) - 1}: entries before are not kept any more")
    {
        Field = "after_cursor",
    };
}
