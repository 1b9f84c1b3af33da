using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>Calldata for the functions of PaymentChannels that the node calls, in the contract's order of arguments.</summary>
internal static class PaymentChannelsCalls
{
    private const int TermsWords = 8;
    private const int TokenWord = 4;
    private const int UpdateWords = 2;
    private const int PayeeWords = 4;
    private const int ClaimRowWords = 6;
    private const int SplitSignatureWords = 3;

    private static readonly ContractArtifact Artifact = ContractArtifact.PaymentChannels;
    private static readonly byte[] DepositSelector = Artifact.Selector("deposit");
    private static readonly byte[] DepositManySelector = Artifact.Selector("depositMany");
    private static readonly byte[] DepositWithPermitSelector = Artifact.Selector("depositWithPermit");
    private static readonly byte[] DepositWithAuthorizationSelector = Artifact.Selector("depositWithAuthorization");
    private static readonly byte[] CloseSelector = Artifact.Selector("close");
    private static readonly byte[] StartCloseSelector = Artifact.Selector("startClose");
    private static readonly byte[] DisputeSelector = Artifact.Selector("dispute");
    private static readonly byte[] SettleSelector = Artifact.Selector("settle");
    private static readonly byte[] ClaimSelector = Artifact.Selector("claim");
    private static readonly byte[] WithdrawCreditSelector = Artifact.Selector("withdrawCredit");
    private static readonly byte[] ChannelIdSelector = Artifact.Selector("channelId");
    private static readonly byte[] SidesSelector = Artifact.Selector("sides");
    private static readonly byte[] CreditOfSelector = Artifact.Selector("creditOf");

    public static byte[] Deposit(ChannelTerms terms, Side side, UInt128 amount) =>
        DepositRow(terms, side, amount).ToArray(DepositSelector);

    /// <summary>Deposits in one token, or in ether.</summary>
    public static byte[] DepositMany(Address token, IReadOnlyList<AbiWriter> deposits) =>
        new AbiWriter(2).Account(token).Tuples(deposits).ToArray(DepositManySelector);

    public static AbiWriter DepositRow(ChannelTerms terms, Side side, UInt128 amount) =>
        Terms(terms, 2).Number((UInt128)(byte)side).Number(amount);

    /// <summary>Whether it is the calldata of one deposit.</summary>
    public static bool IsDeposit(ReadOnlySpan<byte> data) => data.StartsWith(DepositSelector);

    /// <summary>
    /// The calldata of a deposit, by permit: the same words, then the permit's. <paramref name="deadlineSeconds"/>: until
    /// when the token takes it.
    /// </summary>
    public static byte[] WithPermit(ReadOnlySpan<byte> deposit, UInt128 deadlineSeconds, in Signature permit) =>
    [
        .. DepositWithPermitSelector,
        .. deposit[DepositSelector.Length..],
        .. Split(new AbiWriter(1 + SplitSignatureWords).Number(deadlineSeconds), permit).ToArray([]),
    ];

    public static byte[] DepositWithAuthorization(
        ChannelTerms terms, Side side, UInt128 amount, DepositAuthorization authorization) =>
        Split(
            Terms(terms, 6 + SplitSignatureWords)
                .Number((UInt128)(byte)side)
                .Number(amount)
                .Account(authorization.From)
                .Number(authorization.ValidAfterSeconds)
                .Number(authorization.ValidBeforeSeconds)
                .Bytes32(authorization.Salt),
            authorization.Signature).ToArray(DepositWithAuthorizationSelector);

    /// <summary>Binds an authorization to one deposit, as the contract's <c>authorizationNonce</c> does.</summary>
    public static Bytes32 AuthorizationNonce(ChannelId id, Side side, Bytes32 salt) =>
        Keccak.Hash(new AbiWriter(3).Bytes32(id.Value).Number((UInt128)(byte)side).Bytes32(salt).ToArray([]));

    public static byte[] Close(
        ChannelTerms terms, in CooperativeClose close, ReadOnlySpan<byte> signatureA, ReadOnlySpan<byte> signatureB) =>
        Terms(terms, 5)
            .Number(close.SentA)
            .Number(close.SentB)
            .Number(close.DeadlineSeconds)
            .Bytes(signatureA)
            .Bytes(signatureB)
            .ToArray(CloseSelector);

    /// <summary>An empty signature: without an update.</summary>
    public static byte[] StartClose(
        ChannelTerms terms, UInt128 sent, UInt128 received, ReadOnlySpan<byte> signature) =>
        Terms(terms, UpdateWords + 1).Number(sent).Number(received).Bytes(signature).ToArray(StartCloseSelector);

    /// <summary>An empty consent: the sender is of the side that the update pays.</summary>
    public static byte[] Dispute(
        ChannelTerms terms, UInt128 sent, UInt128 received, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> consent) =>
        Terms(terms, UpdateWords + 2)
            .Number(sent)
            .Number(received)
            .Bytes(signature)
            .Bytes(consent)
            .ToArray(DisputeSelector);

    /// <summary>Whether it is the calldata of what pays out both owners of a channel, and in what.</summary>
    public static bool PaysBothOwners(ReadOnlySpan<byte> data, out Address token)
    {
        token = default;
        if (!data.StartsWith(CloseSelector) && !data.StartsWith(SettleSelector)) return false;
        token = Address.Read(data.Slice(SettleSelector.Length + ((TokenWord + 1) * AbiWriter.Word) - Address.Size, Address.Size));
        return true;
    }

    public static byte[] Settle(ChannelTerms terms) => Terms(terms, 0).ToArray(SettleSelector);

    /// <summary><paramref name="common"/>: any of the rows' terms, which agree in payee, token and window.</summary>
    public static byte[] Claim(ChannelTerms common, IReadOnlyList<AbiWriter> rows) =>
        new AbiWriter(PayeeWords + 1)
            .Account(common.B.Owner)
            .Account(common.B.Signer)
            .Account(common.Token)
            .Number(common.DisputeWindowSeconds)
            .Tuples(rows)
            .ToArray(ClaimSelector);

    public static AbiWriter ClaimRow(Party payer, Bytes32 salt, UInt128 sent, in Signature signature) =>
        new AbiWriter(ClaimRowWords)
            .Account(payer.Owner)
            .Account(payer.Signer)
            .Bytes32(salt)
            .Number(sent)
            .Bytes32(signature.R)
            .Bytes32(signature.Vs);

    public static byte[] WithdrawCredit(Address token) =>
        new AbiWriter(1).Account(token).ToArray(WithdrawCreditSelector);

    public static byte[] ChannelId(ChannelTerms terms) => Terms(terms, 0).ToArray(ChannelIdSelector);

    public static byte[] Sides(ChannelId id) => new AbiWriter(1).Bytes32(id.Value).ToArray(SidesSelector);

    public static byte[] CreditOf(Address owner, Address token) =>
        new AbiWriter(2).Account(owner).Account(token).ToArray(CreditOfSelector);

    /// <summary>What <c>sides</c> answers.</summary>
    public static Pots ReadSides(ReadOnlySpan<byte> result)
    {
        var reader = new AbiReader(result);
        return new Pots(reader.Number(), reader.Number(), reader.Number(), reader.Number(), reader.UInt32());
    }

    private static AbiWriter Split(AbiWriter writer, in Signature signature) =>
        writer.Number(signature.V).Bytes32(signature.R).Bytes32(signature.S);

    private static AbiWriter Terms(ChannelTerms terms, int wordsAfter) =>
        new AbiWriter(TermsWords + wordsAfter)
            .Account(terms.A.Owner)
            .Account(terms.A.Signer)
            .Account(terms.B.Owner)
            .Account(terms.B.Signer)
            .Account(terms.Token)
            .Number(terms.DisputeWindowSeconds)
            .Flag(terms.OneWay)
            .Bytes32(terms.Salt);
}
