using ChannelNode.Core;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>Who calls the contract, is paid by it or signs for it.</summary>
internal enum Actor
{
    OwnerA,
    SignerA,
    OwnerB,
    SignerB,

    /// <summary>No party of the channel; never gave an allowance, but holds tokens and signs for them.</summary>
    Outsider,
}

/// <summary>What is put where a signature belongs.</summary>
internal enum Proof
{
    Right,

    /// <summary>Right, in 64 bytes.</summary>
    Compact,
    ByOutsider,

    /// <summary>By the right key, over another message.</summary>
    OverAnother,

    /// <summary>Right but for s, which is in the upper half.</summary>
    HighS,
    WrongV,
    Short,
    Zero,
    Empty,
}

/// <summary>One call, some seconds after the one before, as data: what it does depends on nothing but the state.</summary>
internal abstract record Step(uint AfterSeconds, Actor By)
{
    /// <summary><paramref name="ExtraValue"/>: ether above what is needed.</summary>
    public sealed record Deposit(uint AfterSeconds, Actor By, Side Side, UInt128 Amount, uint ExtraValue)
        : Step(AfterSeconds, By);

    /// <summary><paramref name="ForeignAt"/>: the index of a deposit in another token; out of range for none.</summary>
    public sealed record DepositMany(
        uint AfterSeconds, Actor By, Side[] Sides, UInt128[] Amounts, uint ExtraValue, int ForeignAt)
        : Step(AfterSeconds, By)
    {
        public override string ToString() =>
            $"DepositMany {{ AfterSeconds = {AfterSeconds}, By = {By}, "
            + $"[{string.Join(", ", Sides.Zip(Amounts, (side, amount) => $"{side} {amount}"))}], "
            + $"ExtraValue = {ExtraValue}, ForeignAt = {ForeignAt} }}";
    }

    public sealed record DepositWithPermit(uint AfterSeconds, Actor By, Side Side, UInt128 Amount, Proof Permit)
        : Step(AfterSeconds, By);

    /// <summary>Paid by the outsider, who signed for <paramref name="SignedSide"/>, valid from and to these offsets from now.</summary>
    public sealed record DepositWithAuthorization(
        uint AfterSeconds, Actor By, Side Side, UInt128 Amount, Side SignedSide, ulong Salt, int FromSeconds,
        int ToSeconds, Proof Proof) : Step(AfterSeconds, By);

    /// <summary><paramref name="Proof"/> empty: without an update.</summary>
    public sealed record StartClose(
        uint AfterSeconds, Actor By, Side Payer, UInt128 Sent, UInt128 Received, Proof Proof) : Step(AfterSeconds, By);

    public sealed record Dispute(
        uint AfterSeconds, Actor By, Side Payer, UInt128 Sent, UInt128 Received, Proof Proof, Proof Consent)
        : Step(AfterSeconds, By);

    public sealed record Close(
        uint AfterSeconds, Actor By, UInt128 SentA, UInt128 SentB, int DeadlineSeconds, Proof ProofA, Proof ProofB)
        : Step(AfterSeconds, By);

    public sealed record Settle(uint AfterSeconds, Actor By) : Step(AfterSeconds, By);

    /// <summary>A row's <c>OtherSalt</c> makes it one of a channel that was never funded.</summary>
    public sealed record Claim(uint AfterSeconds, Actor By, ClaimedRow[] Rows) : Step(AfterSeconds, By)
    {
        public override string ToString() =>
            $"Claim {{ AfterSeconds = {AfterSeconds}, By = {By}, [{string.Join(", ", Rows)}] }}";
    }

    public sealed record WithdrawCredit(uint AfterSeconds, Actor By) : Step(AfterSeconds, By);

    /// <summary>Several calls in one, of the same caller, all or none; without ether.</summary>
    public sealed record Multicall(uint AfterSeconds, Actor By, Step[] Calls) : Step(AfterSeconds, By)
    {
        public override string ToString() =>
            $"Multicall {{ AfterSeconds = {AfterSeconds}, By = {By}, [{string.Join(", ", Calls.AsEnumerable())}] }}";
    }

    /// <summary>No call: from now on the caller takes no ether, or does again.</summary>
    public sealed record Refuse(uint AfterSeconds, Actor By, bool Refuses) : Step(AfterSeconds, By);
}

internal readonly record struct ClaimedRow(UInt128 Sent, Proof Proof, bool OtherSalt);

/// <summary>The terms of one channel, and what is done to it.</summary>
internal sealed record Script(ChannelTerms Terms, IReadOnlyList<Step> Steps);
