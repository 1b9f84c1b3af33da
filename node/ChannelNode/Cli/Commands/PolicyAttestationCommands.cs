using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ChannelNode.Proto.V1;
using Address = ChannelNode.Core.Address;

namespace ChannelNode.Cli;

/// <summary>policy attest, policy attest trust, policy attest revoke</summary>
internal static class PolicyAttestationCommands
{
    public static CliCommand Create(CommandShell shell) =>
        new("attest", "What attestors sign of peers: shows it to the node, revokes it, says whose counts.",
            "channelnode policy attest show alice.attestation.json")
        {
            Show(shell),
            Revoke(shell),
            Trust(shell, "trust", "Lets an attestor's signature move peers to tiers.", remove: false),
            Trust(shell, "distrust", "No more; peers that stand by its attestations fall back to the first tier.", remove: true),
        };

    private static CliCommand Show(CommandShell shell)
    {
        var file = new Argument<string>("file")
        {
            Description = "JSON with peer, tier, validUntil, issuedAt (Unix seconds), node, attestor and signature",
        };
        var command = new CliCommand(
            "show", "Moves a peer to a tier by what an attestor has signed: EIP-712 PeerAttestation(address peer,string tier,"
            + "uint64 validUntil,uint64 issuedAt,address node) under the contract's domain.",
            "channelnode policy attest show alice.attestation.json") { file };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            AttestPeerRequest request = Read(parsed.GetValue(file)!);
            AttestPeerResponse done = await node.Client.AttestPeerAsync(request, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(done);
            else terminal.Line($"{request.Peer} is in tier {request.Tier}, attestation {done.Attestation}");
            return ExitCode.Done;
        });
    }

    private static AttestPeerRequest Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return new AttestPeerRequest
            {
                Peer = Text("peer"),
                Tier = Text("tier"),
                ValidUntilSeconds = ulong.Parse(Text("validUntil"), NumberStyles.None, CultureInfo.InvariantCulture),
                IssuedAtSeconds = ulong.Parse(Text("issuedAt"), NumberStyles.None, CultureInfo.InvariantCulture),
                Node = Text("node"),
                Attestor = Text("attestor"),
                Signature = Text("signature"),
            };

            string Text(string name) => document.RootElement.GetProperty(name) is { ValueKind: JsonValueKind.String } text
                ? text.GetString()!
                : document.RootElement.GetProperty(name).GetRawText();
        }
        catch (Exception wrong) when (wrong is JsonException or KeyNotFoundException or FormatException or OverflowException or InvalidOperationException)
        {
            throw new CommandException(new Failure(
                ExitCode.Refused, Failure.InvalidArgument,
                $"{path} is not JSON with peer, tier, validUntil, issuedAt, node, attestor and signature: {wrong.Message}", "file"));
        }
    }

    private static CliCommand Revoke(CommandShell shell)
    {
        var id = new Argument<string>("attestation") { Description = "Its id, as 'policy attest show' prints it" };
        var command = new CliCommand(
            "revoke", "From now on the attestation does not count; who stands by it falls back to the first tier.",
            "channelnode policy attest revoke 0x4be3212ca32f5e5f2f7a4bd44c1f1b9aa2f5b1f9a3f52a9ed23a0d6b8d6b57aa") { id };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            RevokeAttestationResponse done = await node.Client.RevokeAttestationAsync(
                new RevokeAttestationRequest { Attestation = parsed.GetValue(id)! }, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(done);
            else terminal.Line("revoked");
            return ExitCode.Done;
        });
    }

    private static CliCommand Trust(CommandShell shell, string name, string description, bool remove)
    {
        Argument<Address> attestor = Fields.AddressArgument("attestor", "The address that signs");
        Option<string> comment = Fields.Text("--comment", "A note", 0, 256);
        var command = new CliCommand(name, description, $"channelnode policy attest {name} 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
        { attestor };
        if (!remove) command.Options.Add(comment);
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            ChangeAttestorRequest request = new()
            {
                Attestor = parsed.GetValue(attestor).ToString(),
                Comment = remove ? "" : parsed.GetValue(comment) ?? "",
                Remove = remove,
            };
            ChangeAttestorResponse done = await node.Client.ChangeAttestorAsync(request, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(done);
            else terminal.Line($"{request.Attestor} is {(remove ? "not trusted any more" : "trusted")}");
            return ExitCode.Done;
        });
    }
}
