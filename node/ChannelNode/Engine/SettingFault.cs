using System.Net;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>What is wrong with settings that can each be read, but not be had together, or not served safely.</summary>
/// <param name="Field">The option to change, as it is typed.</param>
/// <param name="Message">Names the field, its value and what is allowed.</param>
/// <param name="Beside">The other options that it is about: where one of them cannot be read, nothing is known of this.</param>
internal sealed record SettingFault(string Field, string Message, params IReadOnlyList<string> Beside)
{
    /// <summary>A node starts all the same, and tells of it as it goes on: better so than not to guard any channel.</summary>
    public bool IsBearable { get; init; }
}

/// <summary>All that is wrong with the settings of a node or a watchtower. Looks at nothing else: no file (that is Preflight), no port, no chain.</summary>
internal static class SettingFaults
{
    private const string Made = "(a certificate is made where none is given by --tls-cert and --tls-key)";

    /// <summary>Throws <see cref="RefusalException"/> with all of them, and the field of the first.</summary>
    public static void Refuse(IReadOnlyList<SettingFault> faults)
    {
        if (faults.Count == 0) return;
        throw new RefusalException(Refusal.InvalidArgument, string.Join("; ", faults.Select(fault => fault.Message)))
        {
            Field = faults[0].Field,
        };
    }

    public static IReadOnlyList<SettingFault> Of(NodeOptions options) =>
    [
        .. InTheClear(options),
        .. OfTls(options, options.ApiTls || options.PeerTls, "--api-tls", "--peer-tls"),
        .. TakenTwice(
            ("--api-listen", options.ApiListen), ("--peer-listen", options.PeerListen),
            ("--json-listen", options.Applications.JsonListen), ("--metrics-listen", options.MetricsListen)),
        .. OfSigner(options), .. OfBackups(options), .. OfWindows(options),
        .. WithoutTokens(options), .. WithoutJson(options), .. OfSilence(options),
    ];

    public static IReadOnlyList<SettingFault> Of(WatchtowerOptions options) =>
    [
        .. MetricsForOthers(options.Node.MetricsListen),
        .. OfTls(options.Node, options.Tls, "--tls"),
        .. TakenTwice(("--listen", options.Listen), ("--metrics-listen", options.Node.MetricsListen)),
        .. OfSigner(options.Node), .. OfSilence(options.Node),
    ];

    /// <summary>An API, or metrics, that strangers could reach in the clear.</summary>
    private static IEnumerable<SettingFault> InTheClear(NodeOptions options)
    {
        const string Tokens = "without TLS whoever is on the way reads the tokens that spend this node's money";
        if (options.ApiTls) yield break;
        if (IsForOthers(options.ApiListen))
        {
            yield return Unsafe(
                "--api-listen", options.ApiListen, $"{Tokens}: add --api-tls {Made}, or listen on 127.0.0.1 or unix:/path");
        }

        if (IsForOthers(options.Applications.JsonListen))
        {
            yield return Unsafe(
                "--json-listen", options.Applications.JsonListen,
                $"{Tokens}: add --api-tls, which is for this port too {Made}, or listen on 127.0.0.1");
        }

        if (IsForOthers(options.MetricsListen))
        {
            yield return Unsafe(
                "--metrics-listen", options.MetricsListen,
                "without TLS whoever is on the way reads what this node counts, and the token that is shown for it: add --api-tls, "
                + $"which is for metrics too {Made}, or listen on 127.0.0.1");
        }

        static SettingFault Unsafe(string field, string listen, string why) =>
            new(field, $"{field}: {listen} is reached from other machines, and {why}", "--api-tls");
    }

    /// <summary>A watchtower has no access tokens, so nobody beyond this machine is told what it counts.</summary>
    private static IEnumerable<SettingFault> MetricsForOthers(string listen)
    {
        if (!IsForOthers(listen)) yield break;
        yield return new SettingFault(
            "--metrics-listen",
            $"--metrics-listen: {listen} is reached from other machines, and a watchtower has no access tokens to ask for: listen on "
            + "127.0.0.1, and let a proxy that asks who comes stand before it");
    }

    private static IEnumerable<SettingFault> OfTls(NodeOptions options, bool isServed, params string[] switches)
    {
        if (!isServed && options.TlsDomains.Count > 0)
        {
            yield return new SettingFault(
                "--tls-domain", $"--tls-domain: {options.TlsDomains[0]} is given, and nothing is served over TLS: add {string.Join(" or ", switches)}",
                switches);
        }

        (string field, string given, string value) = options.TlsCertificate.Length > 0
            ? ("--tls-key", "--tls-cert", options.TlsCertificate) : ("--tls-cert", "--tls-key", options.TlsKey);
        if (value.Length == 0) yield break;
        if (options.TlsCertificate.Length == 0 || options.TlsKey.Length == 0)
            yield return new SettingFault(field, $"{field}: is missing beside {given} {value}: a certificate is given with its key, or neither", given);
        if (!isServed)
        {
            yield return new SettingFault(
                given, $"{given}: {value} is given, and nothing is served over TLS: add {string.Join(" or ", switches)}", switches);
        }
    }

    /// <summary>Each pair of doors that could not both be opened.</summary>
    private static IEnumerable<SettingFault> TakenTwice(params (string Flag, string Listen)[] doors)
    {
        for (int second = 1; second < doors.Length; second++)
        {
            for (int first = 0; first < second; first++)
            {
                if (!Collide(doors[first].Listen, doors[second].Listen)) continue;
                yield return new SettingFault(
                    doors[second].Flag,
                    $"{doors[second].Flag}: {doors[second].Listen} is taken by {doors[first].Flag} {doors[first].Listen}: each needs a port of "
                    + "its own (0 takes a free one)",
                    doors[first].Flag);
                break;
            }
        }
    }

    /// <summary>An address that stands for all of this machine's takes the port of each of them; that of IPv6 those of IPv4 too.</summary>
    private static bool Collide(string one, string other)
    {
        if (one.Length == 0 || other.Length == 0) return false;
        if (DoorAddress.Parse(one).EndPoint is not IPEndPoint first || DoorAddress.Parse(other).EndPoint is not IPEndPoint second) return false;
        return first.Port != 0 && first.Port == second.Port
            && (first.Address.Equals(second.Address) || Covers(first.Address, second.Address) || Covers(second.Address, first.Address));
    }

    private static bool Covers(IPAddress any, IPAddress other) =>
        any.Equals(IPAddress.IPv6Any) || (any.Equals(IPAddress.Any) && other.AddressFamily == any.AddressFamily);

    private static bool IsForOthers(string listen) => listen.Length > 0 && !DoorAddress.Parse(listen).IsLocal;

    private static IEnumerable<SettingFault> OfSigner(NodeOptions options)
    {
        if (options.SignerAddress.IsZero || options.SignerUrl.Length > 0) yield break;
        yield return new SettingFault(
            "--signer-address", $"--signer-address: {options.SignerAddress} is one of a signer's keys, and no --signer-url names a signer",
            "--signer-url");
    }

    private static IEnumerable<SettingFault> OfBackups(NodeOptions options)
    {
        if (options.BackupTo.Length > 0 && options.BackupRecipients.Count == 0)
        {
            yield return new SettingFault(
                "--backup-recipient", $"--backup-recipient: needed with --backup-to {options.BackupTo}: whose key opens the backups?", "--backup-to");
        }

        if (options.BackupTo.Length == 0 && options.BackupRecipients.Count > 0)
        {
            yield return new SettingFault(
                "--backup-to", $"--backup-to: needed with --backup-recipient {options.BackupRecipients[0]}: without a folder no backup is made",
                "--backup-recipient");
        }
    }

    /// <summary>Without a token whoever speaks on this machine is the operator; and a page of this origin, or a proxy for this name, speaks there for anybody.</summary>
    private static IEnumerable<SettingFault> WithoutTokens(NodeOptions options)
    {
        if (DoorAddress.AsksForTokens(options)) yield break;
        (string field, IReadOnlyList<string> named) = options.Applications.CorsOrigins.Count > 0
            ? ("--cors-origin", options.Applications.CorsOrigins) : ("--json-host", options.Applications.JsonHosts);
        if (named.Count == 0) yield break;
        yield return new SettingFault(
            field,
            $"{field}: {named[0]} is let in, and without a token whoever is let in may do all that the operator may: add --access-token-required, "
            + "and give the page, or the proxy's callers, tokens of their own",
            "--access-token-required");
    }

    private static IEnumerable<SettingFault> WithoutJson(NodeOptions options)
    {
        if (options.Applications.JsonListen.Length > 0) yield break;
        foreach ((string field, IReadOnlyList<string> named) in ((string, IReadOnlyList<string>)[])
            [("--cors-origin", options.Applications.CorsOrigins), ("--json-host", options.Applications.JsonHosts)])
        {
            if (named.Count == 0) continue;
            yield return new SettingFault(
                field, $"{field}: {named[0]} is given, and neither JSON nor gRPC-Web is served: add --json-listen", "--json-listen");
        }
    }

    /// <summary>An RPC that is asked over HTTP tells nothing between two questions.</summary>
    private static IEnumerable<SettingFault> OfSilence(NodeOptions options)
    {
        if (options.RpcUrl?.StartsWith("http", StringComparison.Ordinal) != true || options.PollMs < options.ChainSilenceSecondsMax * 1_000) yield break;
        yield return new SettingFault(
            "--poll-ms",
            $"--poll-ms: {options.PollMs} is not less than --chain-silence, {options.ChainSilenceSecondsMax} seconds: over HTTP nothing is heard of the "
            + "chain between two questions, and so nothing would be paid or accepted",
            "--chain-silence", "--rpc-url");
    }

    /// <summary>Two nodes of the same settings can open a channel to each other.</summary>
    private static IEnumerable<SettingFault> OfWindows(NodeOptions options)
    {
        if (options.DisputeWindowSeconds >= options.DisputeWindowSecondsMin) yield break;
        yield return new SettingFault(
            "--dispute-window",
            $"--dispute-window: {options.DisputeWindowSeconds} is less than --dispute-window-min, "
            + $"{options.DisputeWindowSecondsMin}: the node would offer what it refuses itself",
            "--dispute-window-min");
    }
}
