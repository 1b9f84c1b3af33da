using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Where the key is that signs: in a file, or with another program where <see cref="SignerUrl"/> is set.</summary>
/// <param name="File">File with the private key: a keystore of version 3, or 64 hex digits.</param>
/// <param name="PasswordFile">File with the keystore's password; where empty, the environment or the terminal is asked.</param>
internal sealed record KeySource(string File, string PasswordFile)
{
    /// <summary>http:// or https:// URL of a signer with web3signer's API; empty for none.</summary>
    public string SignerUrl { get; init; } = "";

    /// <summary>Which of the signer's keys; zero where it has only one.</summary>
    public Address SignerAddress { get; init; }

    /// <summary>How long one question to the signer may take. 100 to 60,000.</summary>
    public uint SignerTimeoutMs { get; init; } = 2_000;

    /// <summary>Questions to the signer that are under way at a time; more wait. 1 to 1,024.</summary>
    public int SignerRequestsMax { get; init; } = 16;
}
