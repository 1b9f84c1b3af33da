using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Tests.Signing;
using Xunit;

namespace ChannelNode.Tests.Settlement;

public sealed class AbiTests
{
    [Fact]
    public void Calldata_OfEveryVector_IsTheVectorsByteForByte()
    {
        var encoded = new HashSet<string>();
        foreach (JsonElement vector in Vectors.Read("abi", "calls"))
        {
            byte[]? calldata = Encode(vector.Text("name"), vector.GetProperty("arguments"));
            if (calldata is null) continue;
            encoded.Add(vector.Text("name"));
            Assert.Equal(vector.Text("calldata"), Hex.Format(calldata));
        }

        Assert.Equal(
            [
                "channelId", "claim", "close", "creditOf", "deposit", "depositMany", "depositWithAuthorization",
                "depositWithPermit", "dispute", "settle", "sides", "startClose", "withdrawCredit",
            ],
            encoded.Order());
    }

    [Fact]
    public void Selector_OfEveryVector_IsWhatTheArtifactSays()
    {
        foreach (JsonElement vector in Vectors.Read("abi", "calls"))
        {
            byte[] selector = ContractArtifact.PaymentChannels.Selector(vector.Text("name"));
            Assert.Equal(vector.Text("selector"), Hex.Format(selector));
        }
    }

    [Fact]
    public void TokenCalldata_OfEveryVector_IsTheVectors()
    {
        foreach (JsonElement vector in Vectors.Read("abi", "tokenCalls"))
        {
            JsonElement arguments = vector.GetProperty("arguments");
            byte[]? calldata = vector.Text("name") switch
            {
                "balanceOf" => TokenCalls.BalanceOf(arguments.Account("account")),
                "allowance" => TokenCalls.Allowance(arguments.Account("owner"), arguments.Account("spender")),
                "nonces" => TokenCalls.Nonces(arguments.Account("owner")),
                "DOMAIN_SEPARATOR" => TokenCalls.DomainSeparator,
                "approve" when FitsUInt128(arguments.Text("value")) =>
                    TokenCalls.Approve(arguments.Account("spender"), arguments.Number("value")),
                _ => null,
            };
            if (calldata is not null) Assert.Equal(vector.Text("calldata"), Hex.Format(calldata));
        }
    }

    [Fact]
    public void ConstructorArguments_OfEveryVector_FollowTheBytecode()
    {
        foreach (JsonElement vector in Vectors.Read("abi", "constructors"))
        {
            JsonElement arguments = vector.GetProperty("arguments");
            byte[] encoded = new AbiWriter(3)
                .Bytes(Encoding.UTF8.GetBytes(arguments.Text("name_")))
                .Bytes(Encoding.UTF8.GetBytes(arguments.Text("symbol_")))
                .Number(arguments.Number("decimals_"))
                .ToArray([]);
            Assert.Equal(vector.Text("encoded"), Hex.Format(encoded));
        }
    }

    [Fact]
    public void Results_OfEveryVector_AreRead()
    {
        foreach (JsonElement vector in Vectors.Read("abi", "results"))
        {
            JsonElement values = vector.GetProperty("values");
            byte[] data = vector.Bytes("data");
            switch (vector.Text("name"))
            {
                case "sides":
                    Assert.Equal(
                        new Pots(
                            values.Number("potA"), values.Number("sentA"), values.Number("potB"),
                            values.Number("sentB"), (uint)values.Number("closesAt")),
                        PaymentChannelsCalls.ReadSides(data));
                    break;
                case "creditOf" or "balanceOf":
                    UInt128 expected = FitsUInt128(values.Text("0")) ? values.Number("0") : UInt128.MaxValue;
                    Assert.Equal(expected, TokenCalls.ReadAmount(data));
                    break;
                case "symbol":
                    Assert.Equal(values.Text("0"), new AbiReader(data).Text());
                    break;
                case "approve":
                    Assert.Equal(values.GetProperty("0").GetBoolean(), new AbiReader(data).Flag());
                    break;
            }
        }
    }

    [Fact]
    public void Events_OfEveryVector_AreRead()
    {
        foreach (JsonElement vector in Vectors.Read("abi", "events"))
        {
            Bytes32[] topics = [.. vector.GetProperty("topics").EnumerateArray().Select(ToWord)];
            JsonElement arguments = vector.GetProperty("arguments");

            ChainEvent? seen = PaymentChannelsEvents.Decode(topics, vector.Bytes("data"));
            ContractNotice? notice = PaymentChannelsEvents.DecodeNotice(topics, vector.Bytes("data"));

            Assert.Equal(Expected(vector.Text("name"), arguments), seen);
            Assert.Equal(ExpectedNotice(vector.Text("name"), arguments), notice);
        }
    }

    [Fact]
    public void Words_OfEveryVector_AreTakenApart()
    {
        foreach (JsonElement vector in Vectors.Read("abi", "words"))
        {
            var word = new byte[32];
            byte[] digits = BigInteger.Parse(vector.Text("word"), CultureInfo.InvariantCulture)
                .ToByteArray(isUnsigned: true, isBigEndian: true);
            digits.CopyTo(word, word.Length - digits.Length);

            Assert.Equal(
                new SideWord((uint)vector.Number("closesAt"), vector.Number("sent"), vector.Number("pot")),
                new AbiReader(word).SideWord());
        }
    }

    [Fact]
    public void Errors_OfEveryVector_AreTheRefusalsOfTheirNames()
    {
        foreach (JsonElement vector in Vectors.Read("abi", "errors"))
        {
            RevertReason reason = RevertReason.Decode(vector.Bytes("data"));

            bool isOurs = Enum.TryParse(vector.Text("name"), out Refusal refusal);
            Assert.Equal(isOurs ? refusal : Refusal.TransactionReverted, reason.Refusal);
            Assert.StartsWith(vector.Text("name") + "(", reason.Text, StringComparison.Ordinal);
            Assert.Equal(reason.Refusal, RevertReason.OfSelector(ContractArtifact.SelectorOf(vector.Bytes("selector"))));
        }
    }

    [Theory]
    [InlineData("0x", "without a reason")]
    [InlineData("0x08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000036e6f210000000000000000000000000000000000000000000000000000000000", "no!")]
    [InlineData("0x4e487b710000000000000000000000000000000000000000000000000000000000000011", "panic 0x11")]
    [InlineData("0x08c379a0ff", "0x08c379a0ff")]
    [InlineData("0x86c922dc00", "0x86c922dc00")]
    [InlineData("0x12345678", "error 0x12345678 0x")]
    public void RevertOfSomethingElse_IsTransactionRevertedWithWhatCanBeRead(string data, string text)
    {
        Assert.Equal(
            new RevertReason(Refusal.TransactionReverted, text), RevertReason.Decode(Hex.Parse(data)));
    }

    [Fact]
    public void RevertText_NamesTheArguments()
    {
        byte[] data = new AbiWriter(2).Number(1_700_000_000).Number(1_699_999_990)
            .ToArray([0x86, 0xc9, 0x22, 0xdc]);
        Assert.Equal("WindowOpen(closesAt 1700000000, timestamp 1699999990)", RevertReason.Decode(data).Text);
    }

    [Fact]
    public void Reader_OfWhatDoesNotFit_IsAFormatException()
    {
        byte[] ones = new byte[32];
        ones.AsSpan().Fill(0xff);

        Assert.Throws<FormatException>(() => new AbiReader(ones).Number());
        Assert.Throws<FormatException>(() => new AbiReader(ones).UInt32());
        Assert.Throws<FormatException>(() => new AbiReader(ones).Account());
        Assert.Throws<FormatException>(() => new AbiReader(ones).Side());
        Assert.Throws<FormatException>(() => new AbiReader(ones.AsSpan(1)).SideWord());
        Assert.Throws<FormatException>(() => new AbiReader(ones).Flag());
        Assert.Throws<FormatException>(() => new AbiReader(ones).Text());
        Assert.Throws<FormatException>(() => new AbiReader(ones.AsSpan(1)).Bytes32());
    }

    [Fact]
    public void Writer_WithTooFewWords_IsABug() =>
        Assert.Throws<InvalidOperationException>(() => new AbiWriter(2).Number(1).ToArray([]));

    private static byte[]? Encode(string function, JsonElement given) => function switch
    {
        "channelId" => PaymentChannelsCalls.ChannelId(TermsOf(given)),
        "deposit" => PaymentChannelsCalls.Deposit(
            TermsOf(given), (Side)(byte)given.Number("side"), given.Number("amount")),
        "depositMany" => PaymentChannelsCalls.DepositMany(
            given.Account("token"),
            [
                .. given.GetProperty("deposits").EnumerateArray().Select(row => PaymentChannelsCalls.DepositRow(
                    TermsOf(row), (Side)(byte)row.Number("side"), row.Number("amount"))),
            ]),
        "depositWithPermit" when FitsUInt128(given.GetProperty("permit").Text("deadline")) =>
            PaymentChannelsCalls.WithPermit(
                PaymentChannelsCalls.Deposit(
                    TermsOf(given), (Side)(byte)given.Number("side"), given.Number("amount")),
                given.GetProperty("permit").Number("deadline"), SplitOf(given.GetProperty("permit"))),
        "depositWithAuthorization" when FitsUInt64(given.GetProperty("authorization").Text("validAfter")) => PaymentChannelsCalls.DepositWithAuthorization(
            TermsOf(given), (Side)(byte)given.Number("side"), given.Number("amount"),
            AuthorizationOf(given.GetProperty("authorization"))),
        "close" => PaymentChannelsCalls.Close(
            TermsOf(given),
            new CooperativeClose(default, given.Number("sentA"), given.Number("sentB"), given.UInt64("deadline")),
            given.Bytes("signatureA"),
            given.Bytes("signatureB")),
        "startClose" => PaymentChannelsCalls.StartClose(
            TermsOf(given), UpdateOf(given).Number("sent"), UpdateOf(given).Number("received"), given.Bytes("signature")),
        "dispute" => PaymentChannelsCalls.Dispute(
            TermsOf(given), UpdateOf(given).Number("sent"), UpdateOf(given).Number("received"),
            given.Bytes("signature"), given.Bytes("consent")),
        "settle" => PaymentChannelsCalls.Settle(TermsOf(given)),
        "claim" => EncodeClaim(given.GetProperty("payee"), given.GetProperty("rows")),
        "withdrawCredit" => PaymentChannelsCalls.WithdrawCredit(given.Account("token")),
        "sides" => PaymentChannelsCalls.Sides(new ChannelId(given.Word("id"))),
        "creditOf" => PaymentChannelsCalls.CreditOf(given.Account("owner"), given.Account("token")),
        _ => null,
    };

    private static Signature SplitOf(JsonElement given) =>
        new(given.Word("r"), given.Word("s"), (byte)given.Number("v"));

    private static DepositAuthorization AuthorizationOf(JsonElement given) => new(
        given.Account("from"), given.UInt64("validAfter"), given.UInt64("validBefore"), given.Word("salt"), SplitOf(given));

    private static byte[] EncodeClaim(JsonElement payee, JsonElement rows)
    {
        var common = new ChannelTerms(
            default, new Party(payee.Account("owner"), payee.Account("signer")), payee.Account("token"),
            (uint)payee.Number("disputeWindow"), true, default);
        AbiWriter[] encoded =
        [
            .. rows.EnumerateArray().Select(row => PaymentChannelsCalls.ClaimRow(
                new Party(row.Account("payerOwner"), row.Account("payerSigner")),
                row.Word("salt"), row.Number("sent"), Expand(row.Word("r"), row.Word("vs")))),
        ];
        return PaymentChannelsCalls.Claim(common, encoded);
    }

    /// <summary>From the short form of a signature back to the long one.</summary>
    private static Signature Expand(Bytes32 r, Bytes32 vs) => new(
        r, new Bytes32(vs.W0 & ~(1UL << 63), vs.W1, vs.W2, vs.W3), (byte)(27 + (vs.W0 >> 63)));

    private static ChainEvent? Expected(string name, JsonElement given) => name switch
    {
        "Deposited" => new ChainEvent.Deposited(
            given.Channel(), (Side)(byte)given.Number("side"), given.Number("pot")),
        "CloseStarted" => new ChainEvent.CloseStarted(given.Channel(), PotsOf(given)),
        "Disputed" => new ChainEvent.Disputed(given.Channel(), PotsOf(given)),
        "Closed" => new ChainEvent.Closed(given.Channel(), PotsOf(given)),
        "Settled" => new ChainEvent.Settled(given.Channel(), PotsOf(given)),
        "Claimed" => new ChainEvent.Claimed(given.Channel(), PotsOf(given)),
        _ => null,
    };

    private static ContractNotice? ExpectedNotice(string name, JsonElement given) => name switch
    {
        "ClaimSkipped" => new ContractNotice.ClaimSkipped(given.Channel(), Refusal.NothingNew),
        "Credited" => new ContractNotice.Credited(given.Account("owner"), given.Account("token"), UInt128.MaxValue),
        _ => null,
    };

    /// <summary>From the words of both sides, or of the one that there is.</summary>
    private static Pots PotsOf(JsonElement given)
    {
        SideWord a = Parts(given.Text("a")), b = given.TryGetProperty("b", out _) ? Parts(given.Text("b")) : default;
        return new Pots(a.Pot, a.Sent, b.Pot, b.Sent, a.ClosesAtSeconds);
    }

    private static SideWord Parts(string word)
    {
        BigInteger value = BigInteger.Parse(word, CultureInfo.InvariantCulture), amount = BigInteger.One << 112;
        return new SideWord((uint)(value >> 224), (UInt128)((value >> 112) % amount), (UInt128)(value % amount));
    }

    private static ChannelTerms TermsOf(JsonElement given) => given.GetProperty("channel").Terms();

    private static JsonElement UpdateOf(JsonElement given) => given.GetProperty("update");

    private static bool FitsUInt64(string number) => ulong.TryParse(number, out _);

    private static bool FitsUInt128(string number) => UInt128.TryParse(number, out _);

    private static Bytes32 ToWord(JsonElement text) =>
        Bytes32.TryParse(text.GetString(), out Bytes32 word) ? word : throw new FormatException();
}
