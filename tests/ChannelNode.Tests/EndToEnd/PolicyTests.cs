using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Signing;
using ChannelNode.Tests.Cli;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>An operator's rules between two real nodes: who is refused hears it by name, and nobody's money is stuck.</summary>
[Collection(AnvilCollection.Name)]
public sealed class PolicyTests(AnvilFixture anvil) : IAsyncLifetime
{
    private TestChain _chain = null!;
    private TestNode _alice = null!;
    private TestNode _bob = null!;

    private string Alice => _alice.Signer.ToString();

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _alice = await TestNode.StartAsync(_chain);
        _bob = await TestNode.StartAsync(_chain);
    }

    public async Task DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private static async Task SetAsync(TestNode node, Wire.SetPolicyRequest request) => await node.Api.SetPolicyAsync(request);

    private static Wire.SetPolicyRequest Tier(string tier, string accept = "", Wire.AmountRules? amounts = null) =>
        new() { Tier = tier, Accept = accept, Amounts = amounts };

    private static async Task<List<Wire.PolicyAuditEntry>> AuditAsync(TestNode node, ulong after = 0)
    {
        List<Wire.PolicyAuditEntry> entries = [];
        using var call = node.Api.ReadPolicyAudit(new Wire.ReadPolicyAuditRequest { AfterCursor = after });
        while (await call.ResponseStream.MoveNext(TestChain.Limit)) entries.AddRange(call.ResponseStream.Current.Entries);
        return entries;
    }

    /// <summary>Alice has heard of Bob's rules.</summary>
    private async Task UntilToldAsync(bool allowed, string amount)
    {
        Wire.ExplainPolicyRequest question = new() { Peer = _bob.Signer.ToString(), Send = amount };
        while ((await _alice.Api.ExplainPolicyAsync(question, cancellationToken: TestChain.Limit)).Allowed != allowed) await Task.Delay(20);
    }

    private static string RuleOf(RpcException error) => error.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>()!.Metadata["rule"];

    [Fact]
    public async Task StrangersChannel_IsRefusedByName_UntilItsTierIsAnother_AlsoAfterARestart()
    {
        await SetAsync(_bob, Tier("unverified", accept: "nobody"));

        await Refusals.AssertRefusedAsync(
            () => _alice.OpenAsync(_bob.PeerUrl, "1000"), StatusCode.PermissionDenied, "POLICY_REFUSED");
        await _bob.StopAsync();
        await _bob.StartAsync();
        await Refusals.AssertRefusedAsync(
            () => _alice.OpenAsync(_bob.PeerUrl, "1000"), StatusCode.PermissionDenied, "POLICY_REFUSED");

        await _bob.Api.SetPeerTierAsync(new Wire.SetPeerTierRequest { Peer = Alice, Tier = "verified", Comment = "met her" });
        string channel = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(channel, "10");

        List<Wire.PolicyAuditEntry> audit = await AuditAsync(_bob);
        Assert.Equal(Enumerable.Range(1, audit.Count).Select(it => (ulong)it), audit.Select(it => it.Cursor));
        Assert.Equal(
            [Wire.PolicyAuditKind.RulesChanged, Wire.PolicyAuditKind.ChannelRefused, Wire.PolicyAuditKind.ChannelRefused,
                Wire.PolicyAuditKind.TierChanged, Wire.PolicyAuditKind.ChannelAccepted],
            audit.Select(it => it.Kind));
        Assert.Equal(("accept-nobody", Alice, "met her"), (audit[1].Rule, audit[1].Peer, audit[3].Detail));
        Assert.Equal(["no access token", "", "", "no access token", ""], audit.Select(it => it.Actor));
        Assert.Equal(audit[3..], await AuditAsync(_bob, audit[2].Cursor));
    }

    [Fact]
    public async Task LimitThatThePeerTells_RefusesBeforeAnythingIsSigned_AndLetsEverythingElsePass()
    {
        string channel = await _alice.OpenAsync(_bob, "100000");
        await SetAsync(_bob, Tier("unverified", amounts: new() { PaymentMin = "5", SumPerMinuteMax = "1000" }));
        await _alice.PayAsync(channel, "10");

        RpcException small = await Assert.ThrowsAsync<RpcException>(() => _alice.PayAsync(channel, "4"));
        Refusals.AssertIs(small, StatusCode.PermissionDenied, "POLICY_REFUSED", "amount");
        Assert.Equal("smallest-payment", RuleOf(small));
        RpcException large = await Assert.ThrowsAsync<RpcException>(() => _alice.PayAsync(channel, "1001"));
        Assert.Equal("sum-per-minute", RuleOf(large));

        await _alice.PayAsync(channel, "990");
        Assert.Equal("1000", (await _alice.ChannelAsync(channel)).Sent);
    }

    [Fact]
    public async Task StreamedPaymentThatARuleRefuses_NamesRuleValueAndLimit_AsASingleOneDoes()
    {
        string channel = await _alice.OpenAsync(_bob, "100000");
        await SetAsync(_alice, Tier("unverified", amounts: new() { SumPerDayMax = "50" }));
        RpcException single = await Assert.ThrowsAsync<RpcException>(() => _alice.PayAsync(channel, "51"));

        using var call = _alice.Api.StreamPayments();
        Wire.StreamPaymentsRequest request = new();
        request.Payments.Add(new Wire.Payment { ChannelId = channel, Amount = "51" });
        request.Payments.Add(new Wire.Payment { ChannelId = channel, Amount = "50" });
        await call.RequestStream.WriteAsync(request);
        await call.RequestStream.CompleteAsync();
        Dictionary<ulong, Wire.PaymentResult> results = [];
        while (await call.ResponseStream.MoveNext(TestChain.Limit))
            foreach (Wire.PaymentResult result in call.ResponseStream.Current.Results) results.Add(result.Index, result);

        Assert.Equal((Wire.Refusal.PolicyRefused, single.Status.Detail), (results[0].Refusal, results[0].Message));
        Assert.EndsWith("sum-per-day: it would be 51 wei, expected at most 50 wei", results[0].Message);
        Assert.Equal(("50", ""), (results[1].TotalSent, results[1].Message));
    }

    [Fact]
    public async Task PaymentAboveThePeersLimit_IsRefusedAtOnceByName_AndHoldsNothingUp()
    {
        string channel = await _alice.OpenAsync(_bob, "1000");
        await SetAsync(_bob, Tier("unverified", amounts: new() { SumPerDayMax = "50" }));
        await _alice.PayAsync(channel, "20");

        RpcException above = await Assert.ThrowsAsync<RpcException>(() => _alice.PayAsync(channel, "31", key: "k"));
        Refusals.AssertIs(above, StatusCode.PermissionDenied, "POLICY_REFUSED", "amount");
        Assert.Equal("sum-per-day", RuleOf(above));
        Wire.ExplainPolicyResponse why = await _alice.Api.ExplainPolicyAsync(
            new Wire.ExplainPolicyRequest { Peer = _bob.Signer.ToString(), Send = "31" });
        Assert.Equal((true, "sum-per-day", "51", "50"), (why.ByPeer, why.Rule, why.Value, why.Limit));
        await _alice.PayAsync(channel, "30");
        Assert.Equal(("50", Wire.Refusal.Unspecified), ((await _alice.ChannelAsync(channel)).Sent, (await _alice.ChannelAsync(channel)).PeerRefusal));

        await SetAsync(_bob, Tier("unverified", amounts: new() { SumPerDayMax = "81" }));
        await UntilToldAsync(allowed: true, "31");
        Assert.Equal("81", (await _alice.PayAsync(channel, "31", key: "k")).TotalSent);
    }

    [Fact]
    public async Task DeniedPeer_CanStillCloseAlone_AndIsPaidBackWhatWasRefused()
    {
        string channel = await _alice.OpenAsync(_bob, "1000");
        await _alice.PayAsync(channel, "100");
        await _bob.Api.ChangePeerListAsync(new Wire.ChangePeerListRequest { List = Wire.PeerList.Deny, Peer = Alice });
        await UntilToldAsync(allowed: false, "30");
        RpcException denied = await Assert.ThrowsAsync<RpcException>(() => _alice.PayAsync(channel, "30"));
        Assert.Equal("denied", RuleOf(denied));

        using (var close = _alice.Api.StartClose(new Wire.StartCloseRequest { ChannelId = channel }))
        {
            while (await close.ResponseStream.MoveNext(TestChain.Limit))
            {
                // Only its end matters.
            }
        }

        Assert.True(ChannelId.TryParse(channel, out ChannelId id));
        await _chain.UntilAsync(id, it => it.SentA == 100);
        await anvil.PassTimeAsync(601);
        Assert.Equal((UInt128)100, (await _chain.UntilAsync(id, it => it.IsEmpty)).SentA);
    }

    [Fact]
    public async Task DepositAboveThePeersLimit_IsRefusedBeforeAnythingIsSent()
    {
        await SetAsync(_bob, Tier("unverified", amounts: new() { DepositMax = "1500" }));
        string channel = await _alice.OpenAsync(_bob, "1000");

        using var call = _alice.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = channel, Amount = "501" });
        RpcException more = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(TestChain.Limit));
        RpcException whole = await Assert.ThrowsAsync<RpcException>(() => _alice.OpenAsync(_bob.PeerUrl, "1501"));

        foreach (RpcException error in (RpcException[])[more, whole])
        {
            Refusals.AssertIs(error, StatusCode.PermissionDenied, "POLICY_REFUSED", "amount");
            Assert.Equal("deposit", RuleOf(error));
            Assert.Contains($"peer {_bob.Signer} has told that it refuses", error.Status.Detail);
        }

        Wire.ExplainPolicyResponse why = await _alice.Api.ExplainPolicyAsync(
            new Wire.ExplainPolicyRequest { Peer = _bob.Signer.ToString(), Deposit = "1501" });
        Assert.Equal((true, "deposit", "1501", "1500"), (why.ByPeer, why.Rule, why.Value, why.Limit));
        Wire.PolicyAuditEntry refused = Assert.Single(await AuditAsync(_alice), it => it.Kind == Wire.PolicyAuditKind.DepositRefused);
        Assert.Equal(("deposit", "the peer has told this limit", _bob.Signer.ToString()), (refused.Rule, refused.Detail, refused.Peer));
        Assert.Equal("1000", (await _alice.ChannelAsync(channel)).OurBalance);
    }

    [Fact]
    public async Task ChannelThatHoldsMoreThanMay_IsExplained_WhoeverAsks()
    {
        await _alice.OpenAsync(_bob, "1000");
        string channel = await _alice.OpenAsync(_bob, "2000");
        await SetAsync(_bob, Tier("unverified", amounts: new() { DepositMax = "1500" }));
        await UntilToldAsync(allowed: false, "20");

        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => _alice.PayAsync(channel, "20"));
        Wire.ExplainPolicyResponse theirs = await _bob.Api.ExplainPolicyAsync(new Wire.ExplainPolicyRequest { Peer = Alice, Receive = "20" });
        Wire.ExplainPolicyResponse ours = await _alice.Api.ExplainPolicyAsync(
            new Wire.ExplainPolicyRequest { Peer = _bob.Signer.ToString(), Send = "20" });

        Assert.Equal("deposit", RuleOf(refused));
        Assert.Equal((false, false, "deposit", "2000", "1500"), (theirs.Allowed, theirs.ByPeer, theirs.Rule, theirs.Value, theirs.Limit));
        Assert.Equal((false, true, "deposit", "2000", "1500"), (ours.Allowed, ours.ByPeer, ours.Rule, ours.Value, ours.Limit));
    }

    [Fact]
    public async Task OwnDepositAboveALimit_IsRefusedBeforeAnythingIsSent()
    {
        string channel = await _alice.OpenAsync(_bob, "1000");
        await SetAsync(_alice, Tier("unverified", amounts: new() { DepositMax = "1500" }));

        using var call = _alice.Api.DepositChannel(new Wire.DepositChannelRequest { ChannelId = channel, Amount = "501" });
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(TestChain.Limit));

        Refusals.AssertIs(error, StatusCode.PermissionDenied, "POLICY_REFUSED", "amount");
        Assert.Equal("deposit", RuleOf(error));
        await Refusals.AssertRefusedAsync(() => _alice.OpenAsync(_bob.PeerUrl, "1501"), StatusCode.PermissionDenied, "POLICY_REFUSED");
    }

    [Fact]
    public async Task AuditLog_ForPeople_HasAmountsWithTheirUnit()
    {
        await SetAsync(_bob, Tier("unverified", amounts: new() { DepositMax = "2000000000000000000", SumPerDayMax = "none" }));
        await Refusals.AssertRefusedAsync(
            () => _alice.OpenAsync(_bob.PeerUrl, "2500000000000000000"), StatusCode.PermissionDenied, "POLICY_REFUSED");

        CliRun log = await CliRun.AsyncOf("policy", "audit", "export", "--node", _bob.Host.ApiUrl);
        CliRun ours = await CliRun.AsyncOf("policy", "audit", "export", "--node", _alice.Host.ApiUrl); // She may have been told of it before.
        CliRun[] exports =
        [
            await CliRun.AsyncOf("policy", "audit", "export", "--format", "csv", "--node", _bob.Host.ApiUrl),
            await CliRun.AsyncOf("policy", "audit", "export", "--format", "csv", "--node", _alice.Host.ApiUrl),
        ];

        Assert.Contains("deposit_max 2 ETH; sum_per_day_max none; in ether", log.Output);
        Assert.Contains("by deposit, value 2.5 ETH, limit 2 ETH", log.Output + ours.Output);
        Assert.Contains(",deposit,2500000000000000000,2000000000000000000,", string.Concat(exports.Select(rows => rows.Output)));
    }

    [Fact]
    public async Task ImportedList_TakesThePlaceOfTheOldOne_AndIsCounted()
    {
        Assert.Equal((2u, 0u, 0u), await ImportAsync([(Alice, "fraud"), (_bob.Signer.ToString(), "")]));
        Assert.Equal((1u, 1u, 1u), await ImportAsync([(Alice, "fraud"), (_chain.Contract.ToString(), "x")]));

        await Refusals.AssertRefusedAsync(
            () => _alice.OpenAsync(_bob.PeerUrl, "1000"), StatusCode.PermissionDenied, "POLICY_REFUSED");
        await Refusals.AssertRefusedAsync(
            async () => await ImportAsync([("0x12", "")]), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "peer");
        await _bob.StopAsync();
        await _bob.StartAsync();
        Assert.Equal(2u, (await _bob.Api.GetPolicyAsync(new Wire.GetPolicyRequest())).Denied); // As on disk, the old one gone.
        Assert.Equal((0u, 2u, 0u), await ImportAsync([]));
        await _alice.OpenAsync(_bob, "1000");
    }

    private async Task<(uint Added, uint Removed, uint Kept)> ImportAsync((string Peer, string Comment)[] entries)
    {
        using var call = _bob.Api.ImportPeerList();
        foreach ((string Peer, string Comment)[] part in entries.Chunk(1).DefaultIfEmpty([]))
        {
            Wire.ImportPeerListRequest request = new() { List = Wire.PeerList.Deny };
            request.Entries.AddRange(part.Select(it => new Wire.PeerListEntry { Peer = it.Peer, Comment = it.Comment }));
            await call.RequestStream.WriteAsync(request);
        }

        await call.RequestStream.CompleteAsync();
        Wire.ImportPeerListResponse answer = await call;
        return (answer.Added, answer.Removed, answer.Kept);
    }

    /// <summary>Anvil signs it: an EIP-712 implementation that is not this project's.</summary>
    private async Task<Wire.AttestPeerRequest> AttestedAsync(
        PrivateKey attestor, string node, ulong issuedAt, ulong validUntil, string tier = "institution", ulong chainId = 0)
    {
        var data = new
        {
            types = new
            {
                EIP712Domain = new[]
                {
                    new { name = "name", type = "string" }, new { name = "version", type = "string" },
                    new { name = "chainId", type = "uint256" }, new { name = "verifyingContract", type = "address" },
                },
                PeerAttestation = new[]
                {
                    new { name = "peer", type = "address" }, new { name = "tier", type = "string" },
                    new { name = "validUntil", type = "uint64" }, new { name = "issuedAt", type = "uint64" },
                    new { name = "node", type = "address" },
                },
            },
            primaryType = "PeerAttestation",
            domain = new
            {
                name = "ChannelNode",
                version = "1",
                chainId = chainId == 0 ? _chain.ChainId : chainId,
                verifyingContract = _chain.Contract.ToString(),
            },
            message = new { peer = Alice, tier, validUntil, issuedAt, node },
        };
        string signature = await anvil.RpcAsync<string>(
            "eth_signTypedData_v4", attestor.Address.ToString(), JsonSerializer.SerializeToElement(data));
        return new Wire.AttestPeerRequest
        {
            Peer = Alice,
            Tier = tier,
            ValidUntilSeconds = validUntil,
            IssuedAtSeconds = issuedAt,
            Node = node,
            Attestor = attestor.Address.ToString(),
            Signature = signature,
        };
    }

    private async Task<string> TierOfAliceAsync() => (await _bob.Api.ExplainPolicyAsync(
        new Wire.ExplainPolicyRequest { Peer = Alice, Proposal = true })).Tier;

    /// <summary>To the first tier; when, by the node's clock: the machine's time or the chain's, which other tests let run ahead.</summary>
    private async Task<ulong> MoveAsync(string peer)
    {
        await _bob.Api.SetPeerTierAsync(new Wire.SetPeerTierRequest { Peer = peer, Tier = "unverified" });
        return (await _bob.Api.GetPolicyAsync(new())).Peers.Single(it => it.Peer == peer).SinceSeconds;
    }

    [Fact]
    public async Task Attestation_MovesAPeer_UntilItIsRevoked_AndHoldsNowhereElse()
    {
        PrivateKey attestor = anvil.Keys[5];
        string bob = _bob.Signer.ToString();
        ulong now = await MoveAsync(attestor.Address.ToString()), later = now + 1_000_000_000;
        Wire.AttestPeerRequest good = await AttestedAsync(attestor, bob, now - 1, later);

        await RefuseAsync(good, "attestor"); // Not trusted yet.
        await _bob.Api.ChangeAttestorAsync(new Wire.ChangeAttestorRequest { Attestor = attestor.Address.ToString() });
        await RefuseAsync(await AttestedAsync(attestor, Alice, now, later), "node");
        await RefuseAsync(await AttestedAsync(attestor, bob, now, now - 1), "valid_until_seconds");
        await RefuseAsync(await AttestedAsync(attestor, bob, now, later, tier: "unknown"), "tier");
        await RefuseAsync(await AttestedAsync(attestor, bob, now, later, chainId: 1), "signature", "WRONG_SIGNER");
        Assert.Equal("unverified", await TierOfAliceAsync()); // The refused ones have changed nothing.

        string id = (await _bob.Api.AttestPeerAsync(good)).Attestation;
        Assert.Equal("institution", await TierOfAliceAsync());
        ulong moved = await MoveAsync(Alice);
        await RefuseAsync(good, "issued_at_seconds"); // The operator's later word stands.

        Wire.AttestPeerRequest newer = await AttestedAsync(attestor, bob, moved + 30, later);
        string second = (await _bob.Api.AttestPeerAsync(newer)).Attestation;
        Assert.NotEqual(id, second);
        await _bob.Api.RevokeAttestationAsync(new Wire.RevokeAttestationRequest { Attestation = second });
        Assert.Equal("unverified", await TierOfAliceAsync());
        await RefuseAsync(newer, "signature");
        Assert.Equal(7, (await AuditAsync(_bob)).Count(it => it.Kind == Wire.PolicyAuditKind.AttestationRefused));
    }

    private async Task RefuseAsync(Wire.AttestPeerRequest attestation, string field, string reason = "INVALID_ARGUMENT") =>
        Refusals.AssertIs(
            await Assert.ThrowsAsync<RpcException>(async () => await _bob.Api.AttestPeerAsync(attestation)),
            reason == "WRONG_SIGNER" ? StatusCode.PermissionDenied : StatusCode.InvalidArgument, reason, field);
}
