using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Proto.V1;

namespace ChannelNode.Cli;

/// <summary>channel open, channel deposit</summary>
internal static class ChannelFundingCommands
{
    public static CliCommand Open(CommandShell shell)
    {
        Option<string> peer = Fields.Url("--peer", "Where the peer listens; not needed for a known peer", "http", "https");
        Option<Address> peerSigner = Fields.Address("--peer-signer", "The peer's signer; checked when --peer is given too");
        Option<UInt128> amount = Fields.Amount("--amount", "First deposit");
        amount.Required = true;
        Option<Address> token = Fields.Address("--token", "ERC-20 contract; ether when not given");
        Option<uint> window = Fields.Number(
            "--window", "Seconds of dispute window; the node's default when not given",
            ChannelTerms.DisputeWindowSecondsMin, ChannelTerms.DisputeWindowSecondsMax, (uint?)null);
        var oneWay = new Option<bool>("--one-way") { Description = "This node pays, the peer only receives" };
        Option<string> salt = Fields.Bytes32("--salt", "Part of the terms; the same one never opens a second channel");
        var command = new CliCommand(
            "open", "Agrees terms with a peer, makes the first deposit and waits until the channel is usable.",
            "channelnode channel open --peer http://127.0.0.1:9812 --amount 1000000000000000000")
        {
            peer, peerSigner, amount, token, window, oneWay, salt,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(peer) is null && result.GetResult(peerSigner) is null)
                result.AddError("--peer: give the peer's URL, or --peer-signer for a known peer");
        });
        return shell.Asks(command, (parsed, node, terminal, cancel) =>
        {
            var request = new OpenChannelRequest
            {
                PeerUrl = parsed.GetValue(peer) ?? "",
                Peer = Written(parsed.GetValue(peerSigner)),
                Token = Written(parsed.GetValue(token)),
                Amount = parsed.GetValue(amount).ToString(),
                DisputeWindowSeconds = parsed.GetValue(window),
                OneWay = parsed.GetValue(oneWay),
                Salt = parsed.GetValue(salt) ?? "",
            };
            return terminal.FollowAsync(
                node.Client.OpenChannel(request, cancellationToken: cancel), step => step.Progress, cancel);
        });
    }

    public static CliCommand Deposit(CommandShell shell)
    {
        Argument<string> channel = Fields.Channel();
        Option<UInt128> amount = Fields.Amount("--amount", "What to add to this node's side");
        amount.Required = true;
        Option<string> key = Fields.Text("--key", "Idempotency key: the same one deposits once, however often it is asked", 1, 64);
        var command = new CliCommand(
            "deposit",
            "Adds to this node's side of a channel; opens again one that was paid out. Without a key each call deposits.",
            "channelnode channel deposit 0x1a2b3c --amount 1000000000000000000 --key top-up-7") { channel, amount, key };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            var request = new DepositChannelRequest
            {
                ChannelId = await node.ResolveAsync(parsed.GetValue(channel)!, cancel),
                Amount = parsed.GetValue(amount).ToString(),
                IdempotencyKey = parsed.GetValue(key) ?? "",
            };
            return await terminal.FollowAsync(
                node.Client.DepositChannel(request, cancellationToken: cancel), step => step.Progress, cancel);
        });
    }

    private static string Written(Address address) => address.IsZero ? "" : address.ToString();
}
