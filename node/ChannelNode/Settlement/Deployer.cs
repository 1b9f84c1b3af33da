using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>A contract that was put on a chain.</summary>
internal sealed record Deployment(Address Contract, ulong ChainId, TransactionReceipt Receipt);

/// <summary>Puts contracts on a chain; each call opens and closes a connection of its own.</summary>
internal static class Deployer
{
    private static readonly TimeSpan PollMax = TimeSpan.FromSeconds(1);

    /// <summary>PaymentChannels, as compiled into this program, at the cost of <paramref name="account"/>.</summary>
    public static Task<Deployment> DeployPaymentChannelsAsync(
        string rpcUrl, Address account, MessageSigner sign, TimeProvider time, ILogger log,
        IProgress<TransactionStep>? progress, CancellationToken cancel) =>
        DeployAsync(rpcUrl, account, sign, ContractArtifact.PaymentChannels.Bytecode, time, log, progress, cancel);

    /// <summary><paramref name="initCode"/>: bytecode, and the constructor's arguments after it.</summary>
    public static async Task<Deployment> DeployAsync(
        string rpcUrl, Address account, MessageSigner sign, ReadOnlyMemory<byte> initCode, TimeProvider time, ILogger log,
        IProgress<TransactionStep>? progress, CancellationToken cancel)
    {
        await using var client = new RpcClient(rpcUrl, time, log);
        var rpc = new EthereumRpc(client);
        ulong chainId = await rpc.ChainIdAsync(cancel);
        var sender = new TransactionSender(rpc, chainId, account, sign, PollMax, time, log);
        MinedTransaction mined = await sender.SendAsync("deploy", new Call(null, 0, initCode), progress, cancel);
        return mined.Created is { } contract
            ? new Deployment(contract, chainId, mined.Receipt)
            : throw new RefusalException(Refusal.ChainUnavailable, "the RPC's receipt names no created contract");
    }
}
