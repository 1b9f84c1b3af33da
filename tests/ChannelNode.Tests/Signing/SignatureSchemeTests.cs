using ChannelNode.Core;
using ChannelNode.Signing;
using Xunit;

namespace ChannelNode.Tests.Signing;

public sealed class SignatureSchemeTests : IDisposable
{
    private static readonly Address Contract = new(1, 2, 3);

    private readonly PrivateKey _ourKey = PrivateKey.Generate();
    private readonly PrivateKey _theirKey = PrivateKey.Generate();
    private readonly SignatureScheme _ours;
    private readonly SignatureScheme _theirs;
    private readonly BalanceUpdate _update = new(new ChannelId(new Bytes32(1, 2, 3, 4)), 500, 20);

    public SignatureSchemeTests()
    {
        _ours = new SignatureScheme(_ourKey, 31337, Contract);
        _theirs = new SignatureScheme(_theirKey, 31337, Contract);
    }

    public void Dispose()
    {
        _ourKey.Dispose();
        _theirKey.Dispose();
    }

    [Fact]
    public void Verify_OfTheSignersUpdate_IsTrueTheFirstTimeAndAfter()
    {
        for (ulong sent = 1; sent <= 5; sent++)
        {
            BalanceUpdate update = _update with { Sent = sent };
            Assert.True(_ours.Verify(update, _theirs.Sign(update), _theirs.Signer));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Verify_OfAnythingElse_IsFalse(bool keyIsKnown)
    {
        Signature signature = _theirs.Sign(_update);
        if (keyIsKnown) Assert.True(_ours.Verify(_update, signature, _theirs.Signer));

        Assert.False(_ours.Verify(_update with { Sent = 501 }, signature, _theirs.Signer));
        Assert.False(_ours.Verify(_update with { Received = 21 }, signature, _theirs.Signer));
        Assert.False(_ours.Verify(_update with { Channel = default }, signature, _theirs.Signer));
        Assert.False(_ours.Verify(_update, signature, _ours.Signer));
        Assert.False(_ours.Verify(_update, signature, Address.Zero));
        Assert.False(_ours.Verify(_update, default, _theirs.Signer));
        Assert.False(_ours.Verify(_update, signature with { V = 0 }, _theirs.Signer));
        Assert.False(_ours.Verify(_update, signature with { V = 29 }, _theirs.Signer));
        Assert.False(_ours.Verify(_update, signature with { R = signature.S }, _theirs.Signer));
        Assert.False(_ours.Verify(_update, signature with { S = signature.R }, _theirs.Signer));
    }

    [Fact]
    public void Verify_OfAnotherChainOrContract_IsFalse()
    {
        Signature signature = _theirs.Sign(_update);

        Assert.False(new SignatureScheme(_ourKey, 1, Contract).Verify(_update, signature, _theirs.Signer));
        Assert.False(new SignatureScheme(_ourKey, 31337, new Address(1, 2, 4)).Verify(_update, signature, _theirs.Signer));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Verify_OfTheWrongV_IsTrueAndPresentableMendsIt(bool keyIsKnown)
    {
        Signature right = _theirs.Sign(_update);
        Signature wrong = right with { V = (byte)(27 + 28 - right.V) };
        if (keyIsKnown) Assert.True(_ours.Verify(_update, right, _theirs.Signer));

        Assert.True(_ours.Verify(_update, wrong, _theirs.Signer));
        Assert.Equal(right, _ours.Presentable(_update, wrong, _theirs.Signer));
        Assert.Equal(right, _ours.Presentable(_update, right, _theirs.Signer));
    }

    [Fact]
    public void Presentable_OfAnotherSigner_IsABug()
    {
        Assert.Throws<InvalidOperationException>(() => _ours.Presentable(_update, _theirs.Sign(_update), _ours.Signer));
        Assert.Throws<InvalidOperationException>(() => _ours.Presentable(_update, default, _ours.Signer));
    }

    [Fact]
    public void CooperativeClose_IsVerifiedLikeAnUpdate()
    {
        var close = new CooperativeClose(_update.Channel, 1, 2, 3);
        Signature signature = _theirs.Sign(close);

        Assert.True(_ours.Verify(close, signature, _theirs.Signer));
        Assert.False(_ours.Verify(close with { DeadlineSeconds = 4 }, signature, _theirs.Signer));
        Assert.False(_ours.Verify(close, signature, _ours.Signer));
    }

    [Fact]
    public void Hello_IsWorthNothingToAnotherReceiverOrInAnotherSession()
    {
        Bytes32 nonceFrom = new(1, 0, 0, 0), nonceTo = new(2, 0, 0, 0);
        Party them = new(new Address(7, 7, 7), _theirs.Signer);
        Signature signature = _theirs.SignHello(them.Owner, _ours.Signer, nonceFrom, nonceTo);

        Assert.True(_ours.VerifyHello(them, nonceFrom, nonceTo, signature));
        Assert.False(_ours.VerifyHello(them, nonceTo, nonceFrom, signature));
        Assert.False(_theirs.VerifyHello(them, nonceFrom, nonceTo, signature));
        Assert.False(_ours.VerifyHello(them with { Signer = _ours.Signer }, nonceFrom, nonceTo, signature));
        Assert.False(_ours.VerifyHello(them with { Owner = new Address(7, 7, 8) }, nonceFrom, nonceTo, signature));
    }

    [Fact]
    public void Verify_InSteadyState_AllocatesNothing()
    {
        Signature signature = _theirs.Sign(_update);
        for (int i = 0; i < 50; i++) Assert.True(_ours.Verify(_update, signature, _theirs.Signer));

        long before = GC.GetAllocatedBytesForCurrentThread();
        bool all = true;
        for (int i = 0; i < 200; i++) all &= _ours.Verify(_update, signature, _theirs.Signer);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.True(all);
        Assert.Equal(0, allocated);
    }

    [Fact]
    public void Verify_OnManyThreadsAtOnce_IsRightEachTime()
    {
        Parallel.For(0, 1_000, i =>
        {
            BalanceUpdate update = _update with { Sent = (ulong)i };
            Signature signature = _theirs.Sign(update);
            Assert.True(_ours.Verify(update, signature, _theirs.Signer));
            Assert.False(_ours.Verify(_update with { Sent = (ulong)i + 1 }, signature, _theirs.Signer));
        });
    }

    [Fact]
    public void PublicKeys_WhenFull_ForgetTheOldestAndKeepTheOnesInUse()
    {
        var keys = new PublicKeys(generationMax: 4);
        var inUse = new Address(99, 0, 0);
        keys.Add(inUse, default);
        for (uint i = 0; i < 100; i++)
        {
            keys.Add(new Address(1, 0, i), default);
            Assert.True(keys.TryGet(inUse, out _));
        }

        int kept = Enumerable.Range(0, 100).Count(i => keys.TryGet(new Address(1, 0, (uint)i), out _));
        Assert.InRange(kept, 1, 8);
    }
}
