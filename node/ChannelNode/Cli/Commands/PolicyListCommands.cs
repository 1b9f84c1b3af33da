using System.CommandLine;
using System.Globalization;
using System.Text;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Address = ChannelNode.Core.Address;

namespace ChannelNode.Cli;

/// <summary>policy allow, policy deny, policy import</summary>
internal static class PolicyListCommands
{
    private const int EntriesPerPart = 1_000;
    private const int CommentBytesMax = 256;

    public static CliCommand Of(CommandShell shell, PeerList list, string name, string description)
    {
        var add = new CliCommand("add", "Puts a peer on the list.", $"channelnode policy {name} add 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --comment 'ticket 42'");
        var remove = new CliCommand("remove", "Takes a peer off the list.", $"channelnode policy {name} remove 0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
        var show = new CliCommand("list", "Prints the list.", $"channelnode policy {name} list");
        Option<string> comment = Fields.Text("--comment", "A note", 0, CommentBytesMax);
        add.Options.Add(comment);
        return new CliCommand(name, description, $"channelnode policy {name} list")
        {
            Change(shell, add, list, comment),
            Change(shell, remove, list, null),
            shell.Asks(show, async (_, node, terminal, cancel) =>
            {
                using var call = node.Client.ReadPeerList(new ReadPeerListRequest { List = list }, cancellationToken: cancel);
                while (await call.ResponseStream.MoveNext(cancel))
                {
                    foreach (PeerListEntry entry in call.ResponseStream.Current.Entries)
                    {
                        if (terminal.Json) terminal.Document(entry);
                        else terminal.Line($"{entry.Peer}  {entry.Comment}".TrimEnd());
                    }
                }

                return ExitCode.Done;
            }),
        };
    }

    private static CliCommand Change(CommandShell shell, CliCommand command, PeerList list, Option<string>? comment)
    {
        Argument<Address> peer = PolicyCommand.Peer();
        command.Arguments.Add(peer);
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            ChangePeerListRequest request = new()
            {
                List = list,
                Peer = parsed.GetValue(peer).ToString(),
                Comment = comment is null ? "" : parsed.GetValue(comment) ?? "",
                Remove = comment is null,
            };
            ChangePeerListResponse done = await node.Client.ChangePeerListAsync(request, cancellationToken: cancel);
            if (terminal.Json) terminal.Document(done);
            else terminal.Line($"{request.Peer} {(request.Remove ? "taken off the list" : "is on the list")}");
            return ExitCode.Done;
        });
    }

    public static CliCommand Import(CommandShell shell)
    {
        Option<PeerList> list = Fields.Word(
            "--list", "The list to replace", new Dictionary<string, PeerList> { ["allow"] = PeerList.Allow, ["deny"] = PeerList.Deny });
        list.Required = true;
        var file = new Argument<string>("file")
        {
            Description = "One address in each line, and behind it a comment; empty lines, and those that begin with #, are passed over",
        };
        Option<bool> empty = Fields.Switch("--empty", "The file may have no address: the list is emptied");
        var command = new CliCommand(
            "import", "Replaces a whole list by a file's, at once: until all of it is on disk the old one holds.",
            "channelnode policy import --list deny sanctioned.txt") { list, file, empty };
        return shell.Asks(command, async (parsed, node, terminal, cancel) =>
        {
            List<PeerListEntry> entries = await ReadAsync(parsed.GetValue(file)!, cancel);
            if (entries.Count == 0 && !parsed.GetValue(empty))
            {
                throw new CommandException(new Failure(
                    ExitCode.Refused, Failure.InvalidArgument,
                    $"{parsed.GetValue(file)} has no address: with --empty the {parsed.GetValue(list).ToString().ToLowerInvariant()} list would have none any more", "file"));
            }

            using AsyncClientStreamingCall<ImportPeerListRequest, ImportPeerListResponse> call =
                node.Client.ImportPeerList(cancellationToken: cancel);
            await SendAsync(call.RequestStream, parsed.GetValue(list), entries, cancel);
            ImportPeerListResponse done = await call;
            if (terminal.Json) terminal.Document(done);
            else terminal.Line($"{done.Added} added, {done.Removed} removed, {done.Kept} kept");
            return ExitCode.Done;
        });
    }

    /// <summary>Does not throw where the node ended the call meanwhile: its answer tells why.</summary>
    private static async Task SendAsync(
        IClientStreamWriter<ImportPeerListRequest> writer, PeerList list, List<PeerListEntry> entries, CancellationToken cancel)
    {
        try
        {
            foreach (PeerListEntry[] part in entries.Chunk(EntriesPerPart).DefaultIfEmpty([]))
            {
                ImportPeerListRequest request = new() { List = list };
                request.Entries.AddRange(part);
                await writer.WriteAsync(request, cancel);
            }

            await writer.CompleteAsync();
        }
        catch (Exception ended) when (ended is RpcException or InvalidOperationException or IOException)
        {
        }
    }

    /// <summary>The whole file is read and right before anything is sent.</summary>
    private static async Task<List<PeerListEntry>> ReadAsync(string path, CancellationToken cancel)
    {
        List<PeerListEntry> entries = [];
        int number = 0;
        await foreach (string line in File.ReadLinesAsync(path, cancel))
        {
            number++;
            string text = line.Trim();
            if (text.Length == 0 || text[0] == '#') continue;
            int end = text.IndexOfAny([' ', '\t', ',', '#']);
            string address = end < 0 ? text : text[..end], comment = end < 0 ? "" : text[end..].TrimStart(' ', '\t', ',', '#');
            if (!Address.TryParse(address, out Address peer) || peer.IsZero) throw Wrong(path, number, $"'{address}' is not an address of 40 hex digits");
            if (Encoding.UTF8.GetByteCount(comment) > CommentBytesMax) throw Wrong(path, number, $"the comment has more than {CommentBytesMax} bytes");
            entries.Add(new PeerListEntry { Peer = peer.ToString(), Comment = comment });
        }

        return entries;
    }

    private static CommandException Wrong(string path, int line, string what) => new(new Failure(
        ExitCode.Refused, Failure.InvalidArgument, string.Create(CultureInfo.InvariantCulture, $"{path}, line {line}: {what}"), "file"));
}
