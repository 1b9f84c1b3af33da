using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Proto.V1;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>channel open, channel deposit</summary>
internal static class ChannelFundingCommands
{
    public static CliCommand Open(CommandShell shell)
    {
        Option<string> peer = Fields.Url("--peer", "Where the peer listens; not needed for a known peer", "http", "https");
        Option<Address> peerSigner = Fields.Address("--peer-signer", "The peer's signer; checked when --peer is given too");
        Option<AskedAmount> amount = Fields.Amount("--amount", "First deposit");
        amount.Required = true;
        Option<Address> token = Fields.Address("--token", "ERC-20 contract; ether when not given");
        Option<uint> window = Fields.Number(
            "--window", "Seconds of dispute window; the node's default when not given",
            ChannelTerms.DisputeWindowSecondsMin, ChannelTerms.DisputeWindowSecondsMax, (uint?)null);
        var oneWay = new Option<bool>("--one-way") { Description = "This node pays, the peer only receives" };
        Option<string> salt = Fields.Bytes32(
            "--salt", "Part of the terms, random when not given; the same one never opens a second channel");
        Option<bool> gasless = Gasless();
        var command = new CliCommand(
            "open", "Agrees terms with a peer, makes the first deposit and waits until the channel is usable.",
            "channelnode channel open --peer http://127.0.0.1:9812 --amount '1 ETH' --yes")
        {
            peer, peerSigner, amount, token, window, oneWay, salt, gasless,
        };
        Confirmation confirmation = Confirmation.On(command);
        Waiting waiting = Waiting.On(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(peer) is null && result.GetResult(peerSigner) is null)
                result.AddError("--peer: give the peer's URL, or --peer-signer for a known peer");
        });
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            TokenUnits tokens = shell.UnitsOf(parsed, node);
            TokenUnit unit = await tokens.OfAsync(parsed.GetValue(token), cancel);
            string units = parsed.GetValue(amount).In(unit, "--amount").ToString();
            confirmation.Require(parsed, terminal, $"Open a channel with {unit.Show(units)}");
            var request = new OpenChannelRequest
            {
                PeerUrl = parsed.GetValue(peer) ?? "",
                Peer = Written(parsed.GetValue(peerSigner)),
                Token = Written(parsed.GetValue(token)),
                Amount = units,
                DisputeWindowSeconds = parsed.GetValue(window),
                OneWay = parsed.GetValue(oneWay),
                Salt = parsed.GetValue(salt) ?? "",
                Gasless = parsed.GetValue(gasless),
            };
            return await terminal.FollowAsync(
                node.Client.OpenChannel(request, cancellationToken: cancel), step => step.Progress, tokens, cancel,
                waiting.UntilConfirmed(parsed));
        });
    }

    public static CliCommand Deposit(CommandShell shell)
    {
        Argument<string[]> channels = Fields.Channels("Channels, by id or the first 6 or more hex digits of it");
        channels.Arity = ArgumentArity.OneOrMore;
        Option<AskedAmount> amount = Fields.Amount("--amount", "What to add to this node's side of each");
        amount.Required = true;
        Option<string> key = Fields.Text("--key", "Idempotency key: the same one deposits once, however often it is asked", 1, 64);
        Option<bool> gasless = Gasless();
        var command = new CliCommand(
            "deposit",
            "Adds to this node's side of channels; opens again those that were paid out. Without a key each call deposits.",
            "channelnode channel deposit 0x1a2b3c --amount '0.5 ETH' --key top-up-7 --yes")
        { channels, amount, key, gasless };
        Confirmation confirmation = Confirmation.On(command);
        Waiting waiting = Waiting.On(command);
        command.Validators.Add(result =>
        {
            bool isMany = result.GetResult(channels) is { Tokens.Count: > 1 };
            if (result.GetValue(gasless) && isMany)
                result.AddError("--gasless: a peer relays deposits one by one; give one channel");
            if (result.GetResult(key) is null) return;
            if (isMany) result.AddError("--key: remembers one deposit; give one channel");
            if (result.GetValue(gasless)) result.AddError("--key: a deposit that the peer sends is not remembered");
        });
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            var ids = new List<string>();
            foreach (string channel in parsed.GetValue(channels)!) ids.Add(await node.ResolveAsync(channel, cancel));
            TokenUnits tokens = shell.UnitsOf(parsed, node);
            string each = (await tokens.ReadAsync(parsed.GetValue(amount), ids[0], "--amount", cancel)).ToString();
            foreach (string id in parsed.GetValue(amount).HasUnit ? ids : [])
            {
                // A unit means the same number of smallest units in every channel that is named, or nothing is done.
                UInt128 here = await tokens.ReadAsync(parsed.GetValue(amount), id, "--amount", cancel);
                if (here.ToString() != each) throw new CommandException(new(ExitCode.WrongUsage, Failure.InvalidArgument, $"--amount: means {each} in {ids[0]} and {here} in {id}", "--amount"));
            }

            foreach (string id in ids) await NoteWhatIsOwedAsync(node, tokens, terminal, id, cancel);
            confirmation.Require(parsed, terminal, $"Deposit {parsed.GetValue(amount)} into {ids.Count} channel(s)");
            if (ids.Count == 1)
            {
                var one = new DepositChannelRequest
                {
                    ChannelId = ids[0],
                    Amount = each,
                    Gasless = parsed.GetValue(gasless),
                    IdempotencyKey = parsed.GetValue(key) ?? "",
                };
                return await terminal.FollowAsync(
                    node.Client.DepositChannel(one, cancellationToken: cancel), step => step.Progress, tokens, cancel,
                    waiting.UntilConfirmed(parsed));
            }

            var many = new DepositChannelsRequest();
            foreach (string id in ids) many.Deposits.Add(new ChannelDeposit { ChannelId = id, Amount = each });
            return await terminal.FollowAsync(
                node.Client.DepositChannels(many, cancellationToken: cancel), step => step.Progress, tokens, cancel,
                waiting.UntilConfirmed(parsed));
        });
    }

    /// <summary>
    /// What a settling had not recorded of this node's payments the peer can still prove: it has it of the next deposits. Whoever may
    /// deposit need not be one who may read: then nothing is said.
    /// </summary>
    private static async Task NoteWhatIsOwedAsync(
        NodeConnection node, TokenUnits tokens, Terminal terminal, string id, CancellationToken cancel)
    {
        try
        {
            GetChannelRequest question = new() { ChannelId = id };
            Proto.V1.Channel channel = (await node.Client.GetChannelAsync(question, cancellationToken: cancel)).Channel;
            UInt128 paid = Amounts.Excess(UInt128.Parse(channel.Sent), UInt128.Parse(channel.OurRecordedSent));
            UInt128 received = Amounts.Excess(UInt128.Parse(channel.Received), UInt128.Parse(channel.TheirRecordedSent));
            UInt128 owed = Amounts.Excess(paid, received + UInt128.Parse(channel.OurPot));
            if (owed == UInt128.Zero) return;
            string first = (await tokens.OfChannelAsync(id, cancel)).Show(owed.ToString());
            terminal.Note($"{Views.Short(id)}: the first {first} of what is deposited are the peer's at once: payments that the chain had not "
                + "recorded when the channel was settled");
        }
        catch (RpcException) when (!cancel.IsCancellationRequested)
        {
        }
    }

    private static Option<bool> Gasless() => new("--gasless")
    {
        Description = "Only sign the deposit (a token with EIP-3009) and have the peer send it: this node needs no ether",
    };

    private static string Written(Address address) => address.IsZero ? "" : address.ToString();
}
