using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>
/// Gives a node what it needs on an Anvil of one's own, as --network anvil promises: ether, and the contract. What is there
/// already stays as it is. Another chain is refused: it could be one where this costs money.
/// </summary>
internal sealed class TrialChain(EthereumRpc rpc, TimeProvider time, ILogger log)
{
    public const ulong ChainId = 31_337;

    /// <summary>As much as Anvil gives to its own accounts.</summary>
    private const string TenThousandEther = "0x21e19e0c9bab2400000";

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MinedWithin = TimeSpan.FromSeconds(30);

    /// <summary>Anvil has it from the first block on, as most chains have: it creates what it is sent, by CREATE2.</summary>
    private static readonly Address Creator = ParseAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C");

    /// <summary>
    /// Where the contract of this version is on every trial chain, whoever has deployed it: so nodes that are started one by one
    /// find each other's.
    /// </summary>
    public static Address Contract { get; } = ContractAddress();

    /// <summary>Throws <see cref="RefusalException"/> where the chain is no Anvil, or cannot be asked.</summary>
    /// <param name="rpcUrl">JSON-RPC of the chain.</param>
    /// <param name="contract">Deployed if it is <see cref="Contract"/>; another one has to be there.</param>
    /// <param name="isKnown">Whether the node was on this chain before. Then one without the contract is another one: WrongChain.</param>
    /// <param name="account">Gets ether if it has none; zero for nobody.</param>
    public static async Task PrepareAsync(
        string rpcUrl, Address contract, bool isKnown, Address account, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        await using RpcClient client = new(rpcUrl, time, log);
        TrialChain chain = new(new EthereumRpc(client), time, log);
        await chain.RequireAnvilAsync(cancel);
        bool isNew = contract == Contract && !await chain.IsThereAsync(cancel);
        if (isNew && isKnown)
        {
            throw new RefusalException(
                Refusal.WrongChain, $"the chain at {client.Name} is a new one: it has no contract at {Contract}, where the database's chain had it");
        }

        if (!account.IsZero) await chain.GiveEtherAsync(account, cancel);
        if (isNew) await chain.DeployAsync(cancel);
    }

    private async Task RequireAnvilAsync(CancellationToken cancel)
    {
        ulong id = await rpc.ChainIdAsync(cancel);
        string client = await rpc.AskAsync<string>("web3_clientVersion", [], cancel);
        if (id == ChainId && client.StartsWith("anvil/", StringComparison.Ordinal)) return;
        throw new RefusalException(
            Refusal.WrongChain,
            $"--network anvil is for an Anvil with chain id {ChainId}, but {rpc.Client.Name} is '{client}' with chain id {id}");
    }

    private async Task GiveEtherAsync(Address account, CancellationToken cancel)
    {
        if (await rpc.BalanceAsync(account, cancel) > 0) return;
        await rpc.AskAsync<object?>("anvil_setBalance", [account.ToString(), TenThousandEther], cancel);
        Log.EtherGiven(log, account);
    }

    /// <summary>By the first of Anvil's own accounts, for which it signs. Of several that do this at once one succeeds, which is enough.</summary>
    private async Task DeployAsync(CancellationToken cancel)
    {
        string[] accounts = await rpc.AskAsync<string[]>("eth_accounts", [], cancel);
        if (accounts.Length > 0 && (await rpc.CodeAsync(Creator, cancel)).Length > 0)
        {
            object transaction = new { from = accounts[0], to = Creator.ToString(), data = Hex.Format(Creation()) };
            await rpc.AskAsync<string>("eth_sendTransaction", [transaction], cancel);
            long since = time.GetTimestamp();
            while (time.GetElapsedTime(since) < MinedWithin)
            {
                if (await IsThereAsync(cancel))
                {
                    Log.TrialContract(log, Contract);
                    return;
                }

                await Task.Delay(Poll, time, cancel);
            }
        }

        throw new RefusalException(
            Refusal.WrongContract,
            $"the contract could not be put on {rpc.Client.Name} (no account of its own, no CREATE2 deployer at {Creator}, or no blocks): "
            + "deploy it with 'channelnode contract deploy', and name it by --contract");
    }

    private async Task<bool> IsThereAsync(CancellationToken cancel) => (await rpc.CodeAsync(Contract, cancel)).Length > 0;

    /// <summary>The salt, which is zero, and the code.</summary>
    private static byte[] Creation() => [.. new byte[Bytes32.Size], .. ContractArtifact.PaymentChannels.Bytecode.Span];

    /// <summary>As EIP-1014 says.</summary>
    private static Address ContractAddress()
    {
        byte[] salt = new byte[Bytes32.Size], hash = new byte[Bytes32.Size];
        Keccak.Hash(ContractArtifact.PaymentChannels.Bytecode.Span, hash);
        Keccak.Hash([0xff, .. Creator.ToArray(), .. salt, .. hash], hash);
        return Address.Read(hash.AsSpan(Bytes32.Size - Address.Size));
    }

    private static Address ParseAddress(string text) =>
        Address.TryParse(text, out Address address) ? address : throw new FormatException(text);
}
