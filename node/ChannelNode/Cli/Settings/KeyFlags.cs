using System.CommandLine;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>Where the key is that signs.</summary>
internal sealed class KeyFlags
{
    private readonly Option<string> _keyFile = new("--key-file")
    {
        Description = "File with the signer's private key: a keystore, as 'key new' writes it, or 64 hex digits",
        HelpName = "path",
        DefaultValueFactory = _ => KeyCommand.DefaultFile,
    };
    private readonly Option<string> _passwordFile = KeyCommand.PasswordFile();
    private readonly Option<string> _signerUrl = Fields.Url(
        "--signer-url", "A signer with web3signer's HTTP API (eth1) that holds the key, instead of --key-file", "http", "https");
    private readonly Option<Address> _signerAddress = Fields.Address(
        "--signer-address", "Which of the signer's keys is meant; its only one when not given");
    private readonly Option<uint> _signerTimeoutMs = Fields.Number(
        "--signer-timeout-ms", "Milliseconds that one question to the signer may take", 100u, 60_000u, Defaults.SignerTimeoutMs);
    private readonly Option<int> _signerRequestsMax = Fields.Number(
        "--signer-requests-max", "Questions to the signer that are under way at a time; more wait", 1, 1_024,
        Defaults.SignerRequestsMax);

    private static KeySource Defaults { get; } = new("", "");

    public IEnumerable<Option> All() =>
        [_keyFile, _passwordFile, _signerUrl, _signerAddress, _signerTimeoutMs, _signerRequestsMax];

    /// <summary>Whether the operator says where the key is.</summary>
    public bool IsGiven(ParseResult parsed) =>
        parsed.GetResult(_keyFile) is { Implicit: false } || parsed.GetResult(_signerUrl) is { Implicit: false };

    /// <summary>One key only: a wrong guess which one is meant would sign with a key that nobody wanted.</summary>
    public IEnumerable<SettingFault> Wrong(ParseResult parsed)
    {
        if (parsed.GetValue(_signerUrl) is not { Length: > 0 } url || parsed.GetResult(_keyFile) is not { Implicit: false }) yield break;
        yield return new SettingFault(
            "--signer-url", $"--signer-url: {url} goes without --key-file {parsed.GetValue(_keyFile)}: the signer has the key", "--key-file");
    }

    public KeySource Read(ParseResult parsed) => new(parsed.GetValue(_keyFile)!, parsed.GetValue(_passwordFile) ?? "")
    {
        SignerUrl = parsed.GetValue(_signerUrl) ?? "",
        SignerAddress = parsed.GetValue(_signerAddress),
        SignerTimeoutMs = parsed.GetValue(_signerTimeoutMs),
        SignerRequestsMax = parsed.GetValue(_signerRequestsMax),
    };
}
