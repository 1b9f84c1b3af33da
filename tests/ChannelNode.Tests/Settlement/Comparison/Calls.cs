using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>Steps as calls of the contract, by the node's own encoders.</summary>
internal static class Calls
{
    /// <summary>Null for a step that is no call. <paramref name="before"/>: the model, with all earlier steps done.</summary>
    public static Call? Of(World world, Model before, Step step, ulong nowSeconds) => step switch
    {
        Step.Deposit it => Deposit(world, before, it),
        Step.DepositMany it => DepositMany(world, before, it),
        Step.DepositWithPermit it => DepositWithPermit(world, before, it, nowSeconds),
        Step.DepositWithAuthorization it => DepositWithAuthorization(world, before, it, nowSeconds),
        Step.StartClose it => Make(world, 0, PaymentChannelsCalls.StartClose(
            before.Terms, it.Sent, it.Received,
            ProveUpdate(world, before.Id, it.Payer, it.Sent, it.Received, it.Proof))),
        Step.Dispute it => Dispute(world, before, it),
        Step.Close it => Close(world, before, it, nowSeconds),
        Step.Settle => Make(world, 0, PaymentChannelsCalls.Settle(before.Terms)),
        Step.Claim it => Claim(world, before, it),
        Step.Multicall it => Multicall(world, before, it, nowSeconds),
        Step.WithdrawCredit => Make(world, 0, PaymentChannelsCalls.WithdrawCredit(before.Terms.Token)),
        _ => null,
    };

    private static Call Make(World world, UInt128 value, byte[] data) => new(world.Contract, value, data);

    private static Call Deposit(World world, Model before, Step.Deposit it)
    {
        // What no account has cannot come with a call: the extra is then all there is, and as wrong.
        UInt128 value = before.Terms.Token.IsZero && it.Amount <= Amounts.Max ? it.Amount : 0;
        return Make(
            world, value + it.ExtraValue, PaymentChannelsCalls.Deposit(before.Terms, it.Side, it.Amount));
    }

    private static Call DepositMany(World world, Model before, Step.DepositMany it)
    {
        UInt128 value = it.ExtraValue;
        var rows = new AbiWriter[it.Sides.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            ChannelTerms terms = i == it.ForeignAt ? before.Terms with { Token = world.Contract } : before.Terms;
            rows[i] = PaymentChannelsCalls.DepositRow(terms, it.Sides[i], it.Amounts[i]);
            if (before.Terms.Token.IsZero && it.Amounts[i] <= Amounts.Max) value += it.Amounts[i];
        }

        return Make(world, value, PaymentChannelsCalls.DepositMany(before.Terms.Token, rows));
    }

    private static Call DepositWithPermit(World world, Model before, Step.DepositWithPermit it, ulong nowSeconds)
    {
        Address owner = world[it.By].Address;
        ulong deadline = nowSeconds + 10;
        ulong nonce = before.PermitNonceOf(owner);
        Bytes32 Digest(ulong nonce) => Keccak.Hash(TokenSignatures.Permit(
            world.DollarDomain, owner, world.Contract, it.Amount, new Bytes32(0, 0, 0, nonce), deadline));
        Signature permit = world.Split(it.By, Digest(nonce), Digest(nonce + 1), it.Permit);
        byte[] deposit = PaymentChannelsCalls.Deposit(before.Terms, it.Side, it.Amount);
        return Make(world, 0, PaymentChannelsCalls.WithPermit(deposit, deadline, permit));
    }

    private static Call DepositWithAuthorization(
        World world, Model before, Step.DepositWithAuthorization it, ulong nowSeconds)
    {
        Address payer = world[Actor.Outsider].Address;
        var salt = new Bytes32(0, 0, 0, it.Salt);
        (ulong from, ulong to) = ((ulong)((long)nowSeconds + it.FromSeconds), (ulong)((long)nowSeconds + it.ToSeconds));
        Bytes32 nonce = PaymentChannelsCalls.AuthorizationNonce(before.Id, it.SignedSide, salt);
        Bytes32 Digest(UInt128 amount) => Keccak.Hash(TokenSignatures.ReceiveWithAuthorization(
            world.DollarDomain, payer, world.Contract, amount, from, to, nonce));
        Signature signature = world.Split(Actor.Outsider, Digest(it.Amount), Digest(it.Amount + 1), it.Proof);
        return Make(world, 0, PaymentChannelsCalls.DepositWithAuthorization(
            before.Terms, it.Side, it.Amount, new DepositAuthorization(payer, from, to, salt, signature)));
    }

    private static Call Dispute(World world, Model before, Step.Dispute it)
    {
        BalanceUpdate update = new(before.Id, it.Sent, it.Received);
        byte[] consent = world.Prove(
            SignerOf(it.Payer.Other()),
            world.Typed.OfConsent(update),
            // The message most likely to be taken for it.
            world.Typed.Of(update),
            it.Consent);
        return Make(world, 0, PaymentChannelsCalls.Dispute(
            before.Terms, it.Sent, it.Received,
            ProveUpdate(world, before.Id, it.Payer, it.Sent, it.Received, it.Proof), consent));
    }

    private static Call Close(World world, Model before, Step.Close it, ulong nowSeconds)
    {
        var close = new CooperativeClose(
            before.Id, it.SentA, it.SentB, (ulong)((long)nowSeconds + it.DeadlineSeconds));
        Bytes32 digest = world.Typed.Of(close);
        Bytes32 another = world.Typed.Of(close with { DeadlineSeconds = close.DeadlineSeconds + 1 });
        return Make(world, 0, PaymentChannelsCalls.Close(
            before.Terms, close,
            world.Prove(Actor.SignerA, digest, another, it.ProofA),
            world.Prove(Actor.SignerB, digest, another, it.ProofB)));
    }

    private static Call Claim(World world, Model before, Step.Claim it)
    {
        var rows = new AbiWriter[it.Rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            ClaimedRow row = it.Rows[i];
            ChannelTerms terms = before.Terms with { OneWay = true };
            if (row.OtherSalt) terms = terms with { Salt = new Bytes32(1, 1, 1, 1) };
            ChannelId id = world.Signs(Actor.Outsider).IdOf(terms);
            Signature signature = world.Split(
                Actor.SignerA,
                world.Typed.Of(new BalanceUpdate(id, row.Sent, 0)),
                world.Typed.Of(new BalanceUpdate(id, row.Sent, 1)),
                row.Proof);
            // In this form the highest bit of s is that of v: the largest s is the one that remains to be too high.
            if (row.Proof == Proof.HighS)
                signature = signature with { S = new Bytes32(ulong.MaxValue >> 1, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue) };
            rows[i] = PaymentChannelsCalls.ClaimRow(terms.A, terms.Salt, row.Sent, signature);
        }

        return Make(world, 0, PaymentChannelsCalls.Claim(before.Terms, rows));
    }

    /// <summary>An array of bytes is their tuple with its length before it.</summary>
    private static Call Multicall(World world, Model before, Step.Multicall it, ulong nowSeconds)
    {
        Model model = before.Copy();
        var calls = new AbiWriter(it.Calls.Length);
        foreach (Step step in it.Calls)
        {
            calls.Bytes(Of(world, model, step, nowSeconds)!.Data.Span);
            model.Do(step, nowSeconds);
        }

        byte[] start = new AbiWriter(2).Number(AbiWriter.Word).Number((UInt128)it.Calls.Length)
            .ToArray(ContractArtifact.PaymentChannels.Selector("multicall"));
        return Make(world, 0, calls.ToArray(start));
    }

    private static byte[] ProveUpdate(
        World world, ChannelId id, Side payer, UInt128 sent, UInt128 received, Proof proof) =>
        world.Prove(
            SignerOf(payer),
            world.Typed.Of(new BalanceUpdate(id, sent, received)),
            world.Typed.Of(new BalanceUpdate(id, sent + 1, received)),
            proof);

    private static Actor SignerOf(Side side) => side == Side.A ? Actor.SignerA : Actor.SignerB;
}
