using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Signing;

/// <summary>Whatever a signer answers: a signature that is used is one by the expected key, in the only form.</summary>
public sealed class ExternalSignerTests : IAsyncLifetime
{
    private static readonly byte[] Message = [0x19, 0x01, .. Enumerable.Range(0, 64).Select(number => (byte)number)];

    private TestSigner _remote = null!;

    public async Task InitializeAsync() => _remote = await TestSigner.StartAsync();

    public async Task DisposeAsync() => await _remote.DisposeAsync();

    private Task<ExternalSigner> ConnectAsync(Func<KeySource, KeySource>? change = null)
    {
        KeySource source = new("", "") { SignerUrl = _remote.Url, SignerTimeoutMs = 20_000 };
        return ExternalSigner.ConnectAsync(
            change is null ? source : change(source), TimeProvider.System, NullLogger.Instance, CancellationToken.None);
    }

    [Fact]
    public async Task HonestSigner_SignsWhatTheKeyItselfWould()
    {
        using ExternalSigner signer = await ConnectAsync();

        Signature signature = await signer.SignAsync(Message, default);

        Assert.Equal(_remote.Address, signer.Address);
        Assert.Equal(_remote.Keys[0].Sign(Keccak.Hash(Message)), signature);
        Assert.Equal(Message, _remote.Asked[^1]);
    }

    [Fact]
    public async Task EverySchemesMessage_IsWhatItsDigestIsTheHashOf()
    {
        using ExternalSigner signer = await ConnectAsync();
        SignatureScheme remote = new(signer, 31337, new Address(1, 2, 3)), local = new(_remote.Keys[0], 31337, new Address(1, 2, 3));
        BalanceUpdate update = new(new ChannelId(new Bytes32(1, 2, 3, 4)), 5, 6);
        CooperativeClose close = new(update.Channel, 7, 8, 9);
        (Address owner, Address to, Bytes32 mine, Bytes32 theirs) = (new(1, 1, 1), new(2, 2, 2), new(3, 3, 3, 3), new(4, 4, 4, 4));

        Assert.False(remote.SignsHere);
        Assert.Equal(local.Sign(update), await remote.SignAsync(update, default));
        Assert.Equal(local.Sign(close), await remote.SignAsync(close, default));
        Assert.Equal(local.SignConsent(update), await remote.SignConsentAsync(update, default));
        Assert.Equal(local.SignHello(owner, to, mine, theirs), await remote.SignHelloAsync(owner, to, mine, theirs, default));
        Assert.Throws<InvalidOperationException>(() => remote.Sign(update));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(27)]
    [InlineData(28)]
    [InlineData(255)]
    public async Task AnyV_IsReplacedByTheOneThatRecovers(int v)
    {
        using ExternalSigner signer = await ConnectAsync();
        _remote.Lie((_, right) => (right with { V = (byte)v }).ToString());

        Assert.Equal(_remote.Keys[0].Sign(Keccak.Hash(Message)), await signer.SignAsync(Message, default));
    }

    [Fact]
    public async Task HighS_IsBroughtIntoTheLowerHalf()
    {
        using ExternalSigner signer = await ConnectAsync();
        _remote.Lie((_, right) => HighS(right).ToString());

        Signature signature = await signer.SignAsync(Message, default);

        Assert.Equal(_remote.Keys[0].Sign(Keccak.Hash(Message)), signature);
        Assert.True(Secp256k1.IsWellFormed(signature));
        Assert.False(Secp256k1.IsWellFormed(HighS(signature)));
    }

    public static TheoryData<string> Lies =>
    [
        "wrong key", "wrong message", "garbage", "empty", "too short", "zeros", "s above the order", "json", "a megabyte and more",
    ];

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task Lie_IsNeverUsedAndSignerCountsAsAway(string lie)
    {
        using ExternalSigner signer = await ConnectAsync();
        using PrivateKey other = PrivateKey.Generate();
        _remote.Lie((data, right) => lie switch
        {
            "wrong key" => other.Sign(Keccak.Hash(data)).ToString(),
            "wrong message" => _remote.Keys[0].Sign(Keccak.Hash([1, .. data])).ToString(),
            "garbage" => "no signature at all",
            "empty" => "",
            "too short" => right.ToString()[..^2],
            "zeros" => new Signature(default, default, 27).ToString(),
            "s above the order" => (right with { S = new Bytes32(~0ul, ~0ul, ~0ul, ~0ul) }).ToString(),
            "json" => $"{{\"signature\":\"{right}\"}}",
            _ => new string('0', 1_100_000),
        });

        await AssertUnavailableAsync(signer);
        Assert.False(signer.IsThere);

        _remote.BeHonest();
        await UntilThereAsync(signer);
        Assert.Equal(_remote.Keys[0].Sign(Keccak.Hash(Message)), await signer.SignAsync(Message, default));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(400)]
    [InlineData(302)]
    [InlineData(503)]
    public async Task ErrorAnswer_IsNamed(int status)
    {
        using ExternalSigner signer = await ConnectAsync();
        _remote.Fail(status);

        RefusalException refusal = await AssertUnavailableAsync(signer);

        Assert.Contains($"it answers {status}", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(_remote.Url, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PassingFailure_IsTriedAgain()
    {
        using ExternalSigner signer = await ConnectAsync();
        _remote.Fail(503, times: 2);

        Assert.Equal(_remote.Keys[0].Sign(Keccak.Hash(Message)), await signer.SignAsync(Message, default));
        Assert.True(signer.IsThere);
    }

    [Fact]
    public async Task NoAnswer_EndsAfterItsTime()
    {
        using ExternalSigner signer = await ConnectAsync(source => source with { SignerTimeoutMs = 1_000 });
        _remote.Hang();

        RefusalException refusal = await AssertUnavailableAsync(signer);

        Assert.Contains("no answer within 1000 ms", refusal.Message, StringComparison.Ordinal);
        RefusalException atOnce = await AssertUnavailableAsync(signer);
        Assert.Contains("no answer within 1000 ms", atOnce.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ManyThatWait_AreRefusedTogetherWhenTheSignerIsLost()
    {
        using ExternalSigner signer = await ConnectAsync(source => source with { SignerTimeoutMs = 1_000, SignerRequestsMax = 2 });
        _remote.Hang();

        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => AssertUnavailableAsync(signer)));

        // Two at a time, three tries each; not three for each of the fifty.
        Assert.InRange(_remote.Asked.Count(data => data[1] == 1), 1, 12);
    }

    [Fact]
    public async Task SignerThatIsNotThere_IsRefusedByName()
    {
        string url = _remote.Url;
        await _remote.DisposeAsync();

        RefusalException refusal = await Assert.ThrowsAsync<RefusalException>(
            () => ConnectAsync(source => source with { SignerUrl = url }));

        Assert.Equal(Refusal.SignerUnavailable, refusal.Refusal);
        Assert.Contains(url, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SignerThatCannotProveItsKey_IsRefusedAtOnce()
    {
        using PrivateKey other = PrivateKey.Generate();
        _remote.Lie((data, _) => other.Sign(Keccak.Hash(data)).ToString());

        RefusalException refusal = await Assert.ThrowsAsync<RefusalException>(() => ConnectAsync());

        Assert.Equal(Refusal.SignerUnavailable, refusal.Refusal);
        Assert.Contains(_remote.Address.ToString(), refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SeveralKeys_NeedOneToBeNamed()
    {
        await using TestSigner remote = await TestSigner.StartAsync(keys: 3);

        RefusalException none = await Assert.ThrowsAsync<RefusalException>(
            () => ConnectAsync(source => source with { SignerUrl = remote.Url }));
        RefusalException wrong = await Assert.ThrowsAsync<RefusalException>(
            () => ConnectAsync(source => source with { SignerUrl = remote.Url, SignerAddress = new Address(1, 2, 3) }));
        using ExternalSigner second = await ConnectAsync(
            source => source with { SignerUrl = remote.Url, SignerAddress = remote.Keys[1].Address });

        Assert.Equal((Refusal.InvalidArgument, "--signer-address"), (none.Refusal, none.Field));
        Assert.Contains(remote.Keys[2].Address.ToString(), none.Message, StringComparison.Ordinal);
        Assert.Equal(Refusal.SignerUnavailable, wrong.Refusal);
        Assert.Equal(remote.Keys[1].Sign(Keccak.Hash(Message)), await second.SignAsync(Message, default));
    }

    /// <summary>The other of the two s under which a signature is right.</summary>
    private static Signature HighS(in Signature signature)
    {
        var order = new Org.BouncyCastle.Math.BigInteger("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16);
        byte[] bytes = order.Subtract(new Org.BouncyCastle.Math.BigInteger(1, signature.S.ToArray())).ToByteArrayUnsigned();
        byte[] word = new byte[Bytes32.Size];
        bytes.CopyTo(word, word.Length - bytes.Length);
        return signature with { S = Bytes32.Read(word), V = (byte)(55 - signature.V) };
    }

    private static async Task<RefusalException> AssertUnavailableAsync(ExternalSigner signer)
    {
        RefusalException refusal = await Assert.ThrowsAsync<RefusalException>(async () => await signer.SignAsync(Message, default));
        Assert.Equal(Refusal.SignerUnavailable, refusal.Refusal);
        return refusal;
    }

    private static async Task UntilThereAsync(ExternalSigner signer)
    {
        for (int look = 0; look < 600 && !signer.IsThere; look++) await Task.Delay(50);
        Assert.True(signer.IsThere);
    }
}
