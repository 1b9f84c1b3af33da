using System.Text.RegularExpressions;
using ChannelNode.Cli;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Proto.V1;
using ChannelNode.Settlement;
using CsCheck;
using Google.Protobuf;
using Xunit;
using Address = ChannelNode.Core.Address;
using Channel = ChannelNode.Proto.V1.Channel;
using ChannelStatus = ChannelNode.Proto.V1.ChannelStatus;

namespace ChannelNode.Tests.Cli;

/// <summary>Amounts as people write them: exact or refused, and what is shown can be typed again.</summary>
public sealed class AmountTests
{
    private static readonly Address Token = new(0, 0, 0xEE);
    private static readonly TokenUnit Dollar = new(Token, "USDC", 6);

    [Theory]
    [InlineData("1000000", "1000000")]
    [InlineData("1000000 wei", "1000000")]
    [InlineData("3 gwei", "3000000000")]
    [InlineData("0.5 ETH", "500000000000000000")]
    [InlineData("0.5ETH", "500000000000000000")]
    [InlineData("1 ether", "1000000000000000000")]
    [InlineData("0.000000000000000001 ETH", "1")]
    [InlineData("1.500000000000000000 ETH", "1500000000000000000")]
    [InlineData("5192296858534827.628530496329220095 ETH", "5192296858534827628530496329220095")]
    public void AmountOfEther_IsExact(string text, string units)
    {
        Assert.True(AskedAmount.TryParse(text, out AskedAmount amount));
        Assert.Equal(units, amount.In(TokenUnit.Ether, "amount").ToString());
    }

    [Theory]
    [InlineData("0.0000000000000000001 ETH", "has 19 digits behind the point, and ETH has 18; nothing is rounded")]
    [InlineData("1.5 wei", "has 1 digit behind the point, and wei has 0")]
    [InlineData("0 ETH", "is not from 1 to")]
    [InlineData("5192296858534827.628530496329220096 ETH", "is not from 1 to 5192296858534827628530496329220095")]
    [InlineData("99999999999999999999999999999999999999999 ETH", "is not from 1 to")]
    [InlineData("1 USDC", "is in USDC, expected ETH, gwei or wei")]
    public void AmountThatIsNone_NamesValueAndLimit(string text, string why)
    {
        Assert.True(AskedAmount.TryParse(text, out AskedAmount amount));
        Failure failure = Assert.Throws<CommandException>(() => amount.In(TokenUnit.Ether, "--amount")).Failure;
        Assert.Contains($"--amount: '{text}' {why}", failure.Message);
    }

    [Fact]
    public void UnitOfAToken_IsItsOwnSymbol_AndNoOther()
    {
        Assert.Equal((UInt128)1_250_000, Read("1.25 USDC", Dollar));
        Assert.Equal((UInt128)7, Read("7 units", Dollar));
        foreach (string wrong in (string[])["1 ETH", "1 wei", "1 usdc", "1 USDT", "1.1234567 USDC"])
            Assert.Throws<CommandException>(() => Read(wrong, Dollar));
        Assert.Contains(
            "name it with --token-info",
            Assert.Throws<CommandException>(() => Read("1 USDC", Dollar with { Symbol = "", Decimals = 0 })).Message);

        static UInt128 Read(string text, TokenUnit unit) =>
            AskedAmount.TryParse(text, out AskedAmount amount) ? amount.In(unit, "amount") : throw new FormatException(text);
    }

    /// <summary>No digit is lost on the way to people and back, whatever the token.</summary>
    [Fact]
    public void WhatIsShown_CanBeTypedAgain()
    {
        Gen<UInt128> amounts = Gen.Select(Gen.ULong, Gen.ULong, Gen.Int[0, 112]).Select(
            (high, low, shift) => (((UInt128)high << 64 | low) & Amounts.Max) >> shift);
        Gen.Select(amounts, Gen.Int[0, 36]).Sample((amount, decimals) =>
        {
            if (amount == UInt128.Zero) return;
            foreach (TokenUnit unit in (TokenUnit[])[TokenUnit.Ether, new(Token, "TOK", decimals), new(Token, "", 0)])
            {
                string shown = unit.Show(amount.ToString());
                Assert.True(AskedAmount.TryParse(shown, out AskedAmount again), shown);
                Assert.Equal(amount, again.In(unit, "amount"));
            }
        });
    }

    [Theory]
    [InlineData("ETH")]
    [InlineData("wei")]
    [InlineData("Ether")]
    [InlineData("")]
    [InlineData("US DC")]
    [InlineData("USDC\u202e")]
    [InlineData("\u0415TH")]
    [InlineData("\u001b[31mX")]
    [InlineData("1INCH")]
    [InlineData("AVERYLONGSYMBOL")]
    public void SymbolThatCouldMislead_IsNotShown(string symbol) => Assert.False(TokenNames.IsName(symbol));

    [Fact]
    public async Task Token_IsAskedOnce_AndWhatItCannotSayIsUnknown()
    {
        int asked = 0;
        TokenNames names = new((token, _) =>
        {
            asked++;
            return Task.FromResult<(string, UInt128)?>(token.Low switch { 1 => ("USDC", 6), 2 => ("ETH", 18), 3 => ("BIG", 37), _ => null });
        });

        Assert.Equal(new TokenName("USDC", 6), await names.OfAsync(new Address(0, 0, 1), default));
        Assert.Equal(new TokenName("USDC", 6), await names.OfAsync(new Address(0, 0, 1), default));
        Assert.Equal(1, asked);
        foreach (uint hostile in (uint[])[2, 3, 4]) Assert.False((await names.OfAsync(new Address(0, 0, hostile), default)).IsKnown);
        Assert.Equal(new TokenName("ETH", 18), await names.OfAsync(Address.Zero, default));
    }

    [Fact]
    public void SymbolsOfEitherForm_AreRead_AndMalformedOnesAreNot()
    {
        byte[] word = new byte[32];
        "MKR"u8.CopyTo(word);
        byte[] text = [.. new byte[31], 32, .. new byte[31], 4, .. "USDC"u8, .. new byte[28]];
        byte[] lying = [.. new byte[31], 32, .. Enumerable.Repeat((byte)0xFF, 32), .. "USDC"u8, .. new byte[28]];

        Assert.Equal("MKR", TokenCalls.ReadSymbol(word));
        Assert.Equal("USDC", TokenCalls.ReadSymbol(text));
        Assert.Null(TokenCalls.ReadSymbol(lying));
        Assert.Null(TokenCalls.ReadSymbol([]));
    }

    [Fact]
    public async Task TokenInfo_NamesAToken_ForReadingAndShowing()
    {
        Payment? paid = null;
        await using FakeNode node = await FakeNode.StartAsync(answers =>
        {
            answers.Get = id =>
            {
                Channel channel = FakeNode.Channel(id);
                channel.Token = Token.ToString();
                return channel;
            };
            answers.Pay = payment =>
            {
                paid = payment;
                return new PayResponse { TotalSent = "2500000" };
            };
        });

        CliRun run = await CliRun.AskAsync(
            node, "pay", FakeNode.IdA, "1.25 USDC", "--key", "k", "--token-info", $"{Token}=USDC:6");

        Assert.Equal("1.25 USDC paid; total sent 2.5 USDC (key k)\n", run.Output);
        Assert.Equal("1250000", paid!.Amount);
    }

    [Fact]
    public async Task WhatCostsGas_IsRefusedWithoutYes_WhereNobodyCanBeAsked()
    {
        IMessage? asked = null;
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.Job = request =>
        {
            asked = request;
            return [];
        });
        string[][] commands =
        [
            ["channel", "open", "--peer", "http://127.0.0.1:1", "--amount", "1 ETH"], ["channel", "deposit", FakeNode.IdA, "--amount", "1"],
            ["channel", "close", FakeNode.IdA], ["channel", "start-close", FakeNode.IdA], ["channel", "settle", FakeNode.IdA],
            ["channel", "claim"], ["channel", "withdraw-credit"],
        ];
        foreach (string[] command in commands)
        {
            CliRun run = await CliRun.AskAsync(node, command);

            Assert.Equal(ExitCode.WrongUsage, run.ExitCode);
            Assert.StartsWith("error: NOT_CONFIRMED: --yes: ", run.Error);
            Assert.Null(asked);
        }
    }

    [Fact]
    public async Task WithoutWaiting_ACommandEndsWhenItsTransactionIsSent()
    {
        await using FakeNode node = await FakeNode.StartAsync();

        CliRun run = await CliRun.AskAsync(node, "channel", "close", FakeNode.IdA, "--yes", "--wait", "false", "--json");

        Assert.Contains("STAGE_SENT", Assert.Single(run.OutputLines));
    }

    [Theory]
    [InlineData(11_520, "closing, 3 h 12 min left")]
    [InlineData(59, "closing, 59 s left")]
    [InlineData(90_061, "closing, 1 d 1 h left")]
    [InlineData(-1, "closing, the dispute window is over")]
    public async Task ClosingChannel_SaysHowLongItHas(int seconds, string expected)
    {
        await using FakeNode node = await FakeNode.StartAsync(answers => answers.List = _ =>
        {
            Channel channel = FakeNode.Channel(FakeNode.IdA);
            channel.Status = ChannelStatus.Closing;

            // Half a minute more or less does not change what is expected, the shortest aside.
            channel.ClosesAtSeconds = (ulong)(DateTimeOffset.UtcNow.ToUnixTimeSeconds() + seconds + (seconds > 60 ? 30 : 0));
            return new ListChannelsResponse { Channels = { channel } };
        });

        CliRun run = await CliRun.AskAsync(node, "channel", "list");

        if (seconds == 59) Assert.Matches(new Regex("closing, 5[0-9] s left"), run.Output);
        else Assert.Contains(expected, run.Output);
    }
}
