using System.CommandLine;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>The global options that say which node a command asks, what proves that it is that node, and who asks.</summary>
internal sealed class NodeFlags
{
    public const string DefaultNode = "http://127.0.0.1:9801";
    public const string NodeVariable = "CHANNELNODE_NODE";
    public const string TokenVariable = "CHANNELNODE_ACCESS_TOKEN";
    /// <summary>Not the name of the option: of that, it would be the certificate of a node that runs in the same environment.</summary>
    public const string CertificateVariable = "CHANNELNODE_NODE_CERT";
    /// <summary>Of a node's setting, too: where it runs its socket is found.</summary>
    public const string DataVariable = SettingSources.Prefix + "DATA_DIR";
    public const string FingerprintVariable = "CHANNELNODE_TLS_FINGERPRINT";

    private const string FingerprintLimit = "64 hex digits, with or without colons";

    public NodeFlags()
    {
        Node = new Option<string>("--node")
        {
            Description = $"The node to talk to, http://, https:// or unix:/path; also set by {NodeVariable}. Else the one whose data folder "
                + $"{DataVariable} names, by its socket there",
            HelpName = "url",
            Recursive = true,
            DefaultValueFactory = result => VariableOf(NodeVariable) is { } set
                ? Checked(result, NodeVariable, set, IsNode, NodeLimit)!
                : VariableOf(DataVariable) is { } folder && DoorAddress.InFolder(folder) is { } socket ? socket.Text : DefaultNode,
            CustomParser = result => Checked(result, "--node", result.Tokens[0].Value, IsNode, NodeLimit)!,
        };
        Fingerprint = new Option<string?>("--tls-fingerprint")
        {
            Description = $"SHA-256 of the key (or certificate) of a node at https://, as it says when it is ready; also set by {FingerprintVariable}",
            HelpName = "hex",
            Recursive = true,
            DefaultValueFactory = result => VariableOf(FingerprintVariable) is { } set
                ? Checked(result, FingerprintVariable, set, IsFingerprint, FingerprintLimit)
                : null,
            CustomParser = result => Checked(result, "--tls-fingerprint", result.Tokens[0].Value, IsFingerprint, FingerprintLimit),
        };
    }

    private const string NodeLimit = "a URL that begins with http://, https:// or unix:/";

    public Option<string> Node { get; }

    public Option<string?> Fingerprint { get; }

    public Option<string?> TokenFile { get; } = new("--access-token-file")
    {
        Description = $"File with the access token to show to the node; {TokenVariable} holds one itself",
        HelpName = "path",
        Recursive = true,
    };

    public Option<string?> Certificate { get; } = new("--tls-cert")
    {
        Description = $"Certificate of a node at https://, or of who vouches for it, in PEM (its tls.cert); also set by {CertificateVariable}",
        HelpName = "path",
        Recursive = true,
        DefaultValueFactory = _ => VariableOf(CertificateVariable),
    };

    public IReadOnlyList<Option> All => [Node, TokenFile, Certificate, Fingerprint];

    /// <summary>Throws <see cref="CommandException"/> where the token or the certificate cannot be used.</summary>
    public NodeConnection Connect(ParseResult parsed)
    {
        string node = parsed.GetValue(Node)!;
        string? token = parsed.GetValue(TokenFile) is { } path
            ? CheckToken(
                ReadFile("--access-token-file", path), "--access-token-file", $"{path} holds no access token: expected one line, cn_...")
            : VariableOf(TokenVariable) is { } set ? CheckToken(set, TokenVariable, $"{TokenVariable} is no access token: expected cn_...") : null;
        if (token is not null && !IsPrivate(node))
        {
            throw Wrong(
                "--node", $"--node {node}: an access token would be readable on its way to another machine: use https://, and --tls-cert or "
                + "--tls-fingerprint where no authority vouches for the node");
        }

        return new NodeConnection(node, token, NodeTrust.Of(parsed.GetValue(Certificate), parsed.GetValue(Fingerprint)));
    }

    private static string CheckToken(string text, string flag, string message)
    {
        string token = text.Trim();
        bool isOne = token.StartsWith("cn_", StringComparison.Ordinal)
            && token.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-');
        return isOne ? token : throw Wrong(flag, message); // Never with what was found there.
    }

    /// <summary>All of a text file; where it cannot be read, which flag names it and why.</summary>
    public static string ReadFile(string flag, string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Wrong(flag, $"{flag}: {path} {FileTrouble.WhyUnread(path, error)}");
        }
    }

    public static CommandException Wrong(string flag, string message) =>
        new(new Failure(ExitCode.WrongUsage, Failure.InvalidArgument, message, flag));

    private static bool IsPrivate(string node) =>
        Fields.IsSocket(node) || !Uri.TryCreate(node, UriKind.Absolute, out Uri? uri) || uri.Scheme == "https" || uri.IsLoopback;

    private static bool IsNode(string text) => Fields.IsSocket(text) || Fields.IsUrl(text, "http", "https");

    private static bool IsFingerprint(string text) => text.Replace(":", "") is { Length: 64 } hex && hex.All(char.IsAsciiHexDigit);

    private static string? VariableOf(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } set ? set : null;

    private static string? Checked(
        System.CommandLine.Parsing.ArgumentResult result, string name, string text, Func<string, bool> isOne, string limit)
    {
        if (isOne(text)) return text;
        result.AddError($"{name}: '{text}' is not {limit}");
        return null;
    }
}
