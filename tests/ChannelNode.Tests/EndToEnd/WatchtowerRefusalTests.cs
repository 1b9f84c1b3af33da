using ChannelNode.Core;
using ChannelNode.Signing;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>What a watchtower refuses, each by its name and with the field, the value and the limit; nothing of it is stored.</summary>
[Collection(AnvilCollection.Name)]
public sealed class WatchtowerRefusalTests(AnvilFixture anvil) : IAsyncLifetime
{
    private static readonly Google.Protobuf.ByteString Nonsense = Google.Protobuf.ByteString.CopyFrom(new byte[65]);

    private TestChain _chain = null!;
    private TestTower _tower = null!;
    private RawChannel _channel = null!;
    private RawGuard _guard = null!;

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _tower = await TestTower.StartAsync(_chain, options => options with
        {
            Node = options.Node with { DisputeWindowSecondsMin = 60 },
            ChannelsPerSignerMax = 2,
            ChannelsMax = 30,
            SessionsMax = 3,
        });
        _channel = await RawChannel.OpenAsync(_chain);
        _guard = await RawGuard.ConnectAsync(_tower, _chain, _channel.Payee);
    }

    public async Task DisposeAsync()
    {
        await _guard.DisposeAsync();
        await _channel.DisposeAsync();
        await _tower.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [Fact]
    public async Task ForgedSignature() => await AssertRefusedAsync(
        _guard.Update(_channel.Terms, 300, 0, _channel.Payee), Wire.Refusal.WrongSigner, "signature");

    [Fact]
    public async Task SignatureThatIsNone()
    {
        Wire.GuardedUpdate update = _channel.Update(_guard, 300);
        update.Signature = Nonsense;
        await AssertRefusedAsync(update, Wire.Refusal.WrongSigner, "signature");
    }

    [Fact]
    public async Task ConsentOfAnotherKey()
    {
        await using RawGuard other = new(_tower.Url, _chain.ChainId, _chain.Contract, _channel.Payer);
        Wire.GuardedUpdate update = _channel.Update(_guard, 300);
        update.Consent = other.Update(_channel.Terms, 300, 0, _channel.Payer).Consent;
        await AssertRefusedAsync(update, Wire.Refusal.WrongSigner, "consent");
    }

    [Fact]
    public async Task ConsentToAnotherUpdate()
    {
        Wire.GuardedUpdate update = _channel.Update(_guard, 300);
        update.Consent = _channel.Update(_guard, 299).Consent;
        await AssertRefusedAsync(update, Wire.Refusal.WrongSigner, "consent");
    }

    /// <summary>A signature under the update itself is worth more than a consent, and is not one.</summary>
    [Fact]
    public async Task OwnUpdateInPlaceOfTheConsent()
    {
        Wire.GuardedUpdate update = _channel.Update(_guard, 300);
        update.Consent = _guard.Update(_channel.Terms, 300, 0, _channel.Payee).Signature;
        await AssertRefusedAsync(update, Wire.Refusal.WrongSigner, "consent");
    }

    [Fact]
    public async Task TotalThatWasChanged()
    {
        Wire.GuardedUpdate update = _channel.Update(_guard, 300);
        update.Sent = RawPeer.Bytes(301);
        await AssertRefusedAsync(update, Wire.Refusal.WrongSigner, "signature");
    }

    [Fact]
    public async Task ChannelOfOthers()
    {
        await using RawChannel theirs = await RawChannel.OpenAsync(_chain);
        await AssertRefusedAsync(theirs.Update(_guard, 300), Wire.Refusal.NotParty, "signer");
    }

    [Fact]
    public async Task TermsOfAnotherChannel()
    {
        Wire.GuardedUpdate update = _channel.Update(_guard, 300);
        update.Terms = RawPeer.Write(_channel.Terms with { DisputeWindowSeconds = 601 });
        await AssertRefusedAsync(update, Wire.Refusal.UnknownChannel, "channel_id");
    }

    [Fact]
    public async Task ChannelOfAnotherChain()
    {
        await using RawGuard elsewhere = new(_tower.Url, _chain.ChainId + 1, _chain.Contract, _channel.Payee);
        await AssertRefusedAsync(_channel.Update(elsewhere, 300), Wire.Refusal.UnknownChannel, "channel_id");
    }

    [Fact]
    public async Task NoTermsOfAChannelThatIsNotKnown()
    {
        Wire.GuardedUpdate update = _channel.Update(_guard, 300);
        update.Terms = null;
        await AssertRefusedAsync(update, Wire.Refusal.UnknownChannel, "terms");
    }

    [Fact]
    public async Task WindowShorterThanItTakes() => await AssertRefusedAsync(
        _guard.Update(_channel.Terms with { DisputeWindowSeconds = 59 }, 300, 0, _channel.Payer),
        Wire.Refusal.DisputeWindowOutOfRange, "dispute_window_seconds");

    [Fact]
    public async Task TermsThatTheContractWouldNotTake() => await AssertRefusedAsync(
        _guard.Update(_channel.Terms with { A = new Party(Address.Zero, _channel.Payer.Address) }, 300, 0, _channel.Payer),
        Wire.Refusal.ZeroOwner, "terms");

    [Fact]
    public async Task TermsThatNameTheTowersKey() => await AssertRefusedAsync(
        _guard.Update(_channel.Terms with { B = new Party(_tower.Host.Signer, _channel.Payee.Address) }, 300, 0, _channel.Payer),
        Wire.Refusal.NotOurTerms, "terms");

    [Fact]
    public async Task PayersSideOfAOneWayChannel()
    {
        ChannelTerms terms = _channel.Terms with { OneWay = true, A = _channel.Terms.B, B = _channel.Terms.A };
        await AssertRefusedAsync(_guard.Update(terms, 300, 0, _channel.Payer), Wire.Refusal.OneWayChannel, "signer");
    }

    [Fact]
    public async Task TotalReceivedInAOneWayChannel() => await AssertRefusedAsync(
        _guard.Update(_channel.Terms with { OneWay = true }, 300, 1, _channel.Payer), Wire.Refusal.OneWayChannel, "received");

    [Fact]
    public async Task AmountAboveTheContractsMost() => await AssertRefusedAsync(
        _channel.Update(_guard, Amounts.Max + 1), Wire.Refusal.AmountTooLarge, "sent");

    [Fact]
    public async Task WrongUpdateAmongRightOnes_CostsNone()
    {
        await using RawChannel second = await RawChannel.OpenAsync(_chain, payee: _channel.Payee);

        Wire.GuardFrameReply reply = await _guard.AskAsync(
            _channel.Update(_guard, 300), _guard.Update(second.Terms, 5, 0, _channel.Payee), second.Update(_guard, 7));

        Assert.Equal([RawPeer.Bytes(300), RawPeer.Bytes(7)], reply.Stored.Select(stored => stored.Sent));
        Assert.Single(reply.Refusals);
    }

    [Fact]
    public async Task MoreChannelsThanOneSignerMayHave_AndThanAllMayWithoutADeposit()
    {
        PrivateKey payee = _channel.Payee;
        Task<Wire.GuardFrameReply> GiveAsync(RawGuard guard, uint salt) => guard.AskAsync(guard.Update(
            _channel.Terms with { Salt = new Bytes32(1, 2, 3, salt), B = new Party(payee.Address, guard.Key.Address) }, 1, 0, _channel.Payer));
        Assert.Empty((await GiveAsync(_guard, 1)).Refusals);
        Assert.Empty((await GiveAsync(_guard, 2)).Refusals);
        AssertIs(await GiveAsync(_guard, 3), Wire.Refusal.TooManyChannels, "channels of this signer");
        Assert.Empty((await GiveAsync(_guard, 2)).Refusals);

        using PrivateKey key = PrivateKey.Generate();
        await using RawGuard other = await RawGuard.ConnectAsync(_tower, _chain, key);
        Assert.Empty((await GiveAsync(other, 4)).Refusals);
        AssertIs(await GiveAsync(other, 5), Wire.Refusal.TooManyChannels, "channels without a deposit");
        Assert.Equal(3, _tower.Tower.Guards.GuardedCount);
    }

    [Fact]
    public async Task MoreUpdatesThanAFrameHolds_EndTheSession()
    {
        Wire.GuardedUpdate update = _channel.Update(_guard, 300);
        await Refusals.AssertRefusedAsync(
            () => _guard.AskAsync([.. Enumerable.Repeat(update, 1_025)]), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "updates");
        Assert.Equal(0, _tower.Tower.Guards.GuardedCount);
    }

    [Fact]
    public async Task FrameBeforeTheHandshake()
    {
        await using RawGuard guard = new(_tower.Url, _chain.ChainId, _chain.Contract, _channel.Payee);
        await guard.SayAsync(new Wire.GuardRequest { Frame = new Wire.GuardFrame() });
        await guard.HearAsync(); // Its hello, which it says to everybody.
        await Refusals.AssertRefusedAsync(() => guard.HearAsync(), StatusCode.InvalidArgument, "INVALID_ARGUMENT", "kind");
    }

    [Theory]
    [InlineData("version", StatusCode.FailedPrecondition, "WRONG_PROTOCOL_VERSION", "protocol_version")]
    [InlineData("chain", StatusCode.FailedPrecondition, "WRONG_CHAIN", "chain_id")]
    [InlineData("contract", StatusCode.FailedPrecondition, "WRONG_CONTRACT", "contract")]
    [InlineData("proof", StatusCode.Unauthenticated, "WRONG_IDENTITY", "signature")]
    public async Task HelloThatDoesNotFit(string what, StatusCode code, string reason, string field)
    {
        await using RawGuard guard = new(_tower.Url, _chain.ChainId, _chain.Contract, _channel.Payee);
        Wire.Hello hello = guard.Hello();
        if (what == "version") hello.ProtocolVersion = 2;
        if (what == "chain") hello.ChainId++;
        if (what == "contract") hello.Contract = hello.Signer;
        await Refusals.AssertRefusedAsync(
            () => guard.GreetAsync(hello, provenBy: what == "proof" ? _channel.Payer : null), code, reason, field);
    }

    [Fact]
    public async Task SignerThatIsNotNamed_WhereSomeAre()
    {
        await using TestTower choosy = await TestTower.StartAsync(
            _chain, options => options with { AcceptedSigners = [_channel.Payee.Address] });
        await using RawGuard right = await RawGuard.ConnectAsync(choosy, _chain, _channel.Payee);
        await Refusals.AssertRefusedAsync(
            () => RawGuard.ConnectAsync(choosy, _chain, _channel.Payer), StatusCode.PermissionDenied, "NOT_PARTY", "signer");
    }

    [Fact]
    public async Task SessionWhosePlaceIsNeeded_EndsByName()
    {
        await using RawGuard second = await RawGuard.ConnectAsync(_tower, _chain, _channel.Payee);
        await using RawGuard third = await RawGuard.ConnectAsync(_tower, _chain, _channel.Payer);
        await using RawGuard fourth = await RawGuard.ConnectAsync(_tower, _chain, _channel.Payer);

        await Refusals.AssertRefusedAsync(
            () => _guard.HearAsync(), StatusCode.ResourceExhausted, "TOO_MANY_IN_FLIGHT", "session");
        Assert.Empty((await fourth.AskAsync()).Refusals);
    }

    private async Task AssertRefusedAsync(Wire.GuardedUpdate update, Wire.Refusal reason, string field)
    {
        AssertIs(await _guard.AskAsync(update), reason, field);
        Assert.Equal(0, _tower.Tower.Guards.GuardedCount);
        await using RawGuard again = new(_tower.Url, _chain.ChainId, _chain.Contract, _channel.Payee);
        Assert.Empty(await again.GreetAsync());
    }

    private static void AssertIs(Wire.GuardFrameReply reply, Wire.Refusal reason, string field)
    {
        Wire.GuardRefusal refusal = Assert.Single(reply.Refusals);
        Assert.Equal((reason, field), (refusal.Reason, refusal.Field));
        Assert.NotEmpty(refusal.Value);
        Assert.NotEmpty(refusal.Limit);
        Assert.Empty(reply.Stored);
    }
}
