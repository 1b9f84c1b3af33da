using ChannelNode.Core;

namespace ChannelNode.Cli;

/// <summary>A token that a network's preset knows.</summary>
internal sealed record KnownToken(string Symbol, int Decimals, string Address);

/// <summary>
/// What --network presets, below whatever is given by file, variable or flag: values of flags by their names. No contract of a
/// public network is among them: none is deployed that everybody could be told to trust.
/// </summary>
internal sealed record Network(
    string Name, ulong ChainId, IReadOnlyDictionary<string, string[]> Values, IReadOnlyList<KnownToken> Tokens)
{
    /// <summary>
    /// The chain for trying: what a node on it lacks is made when it starts. The contract's address follows from its code.
    /// </summary>
    public const string Trial = "anvil";
    public const string TrialContract = "0xde27fee22706cca2afca460627178c9451ec74d3";
    public const string TrialFolder = "anvil-node";

    /// <summary>In the database's folder, so that several nodes can be tried side by side.</summary>
    public const string TrialKeyFile = "signer.key";

    /// <summary>
    /// Confirmations and windows grow with what is at stake and with how long a chain can be congested or stand still; polls go
    /// with the time between blocks. Base's sequencer orders blocks alone, and what counts there is what it wrote to Ethereum.
    /// </summary>
    public static readonly IReadOnlyList<Network> All =
    [
        Of(Trial, 31_337, "finalized", pollMs: 100, confirmations: 1, windowMin: 10, token: null,
            ("rpc-url", "ws://127.0.0.1:8545"), ("data-dir", TrialFolder), ("contract", TrialContract),
            ("access-token-required", "false"), // What it holds is worth nothing.
            // It mines when something is sent, and is not reorganised: deposits count at once.
            ("credit-small", "1000000000000000000000"), ("credit-larger", "1000000000000000000000"),
            ("token-credit-small", "1000000000000"), ("token-credit-larger", "1000000000000")),
        Of("sepolia", 11_155_111, "finalized", pollMs: 4_000, confirmations: 2, windowMin: 3_600,
            token: "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238"),
        Of("mainnet", 1, "finalized", pollMs: 4_000, confirmations: 3, windowMin: 14_400,
            token: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
        Of("base", 8_453, "finalized", pollMs: 1_000, confirmations: 3, windowMin: 14_400,
            token: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
    ];

    public static Network? Find(string? name) => All.FirstOrDefault(network => network.Name == name);

    /// <summary>What is said where a contract is missing.</summary>
    public string AboutContract =>
        $"no contract is preset for {Name}: deploy one with 'channelnode contract deploy', or take the one that your peers use";

    private static Network Of(
        string name, ulong chainId, string finality, uint pollMs, uint confirmations, uint windowMin, string? token,
        params ReadOnlySpan<(string Flag, string Value)> more)
    {
        Dictionary<string, string[]> values = new()
        {
            ["chain-id"] = [$"{chainId}"],
            ["finality"] = [finality],
            ["poll-ms"] = [$"{pollMs}"],
            ["confirmations"] = [$"{confirmations}"],
            ["dispute-window-min"] = [$"{windowMin}"],
        };
        if (token is not null) values["accept-token"] = [token];
        foreach ((string flag, string value) in more) values[flag] = [value];
        return new Network(name, chainId, values, token is null ? [] : [new KnownToken("USDC", 6, token)]);
    }
}
