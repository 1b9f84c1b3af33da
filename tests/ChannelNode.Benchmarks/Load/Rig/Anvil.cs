using System.Globalization;
using System.Text.RegularExpressions;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>A real Anvil on a free port with the contract on it. A block each second holds whatever waits.</summary>
internal sealed partial class Anvil : IAsyncDisposable
{
    public const ulong ChainId = 31337;

    /// <summary>All deposits of a run fit in a few blocks.</summary>
    private const string BlockGasMax = "1000000000";
    private const string DepositGas = "0x30d40"; // 200,000
    private const string GasPrice = "0x174876e800"; // 100 gwei
    private const int DepositsPerCall = 256;

    private readonly ChildProcess _process;
    private readonly RpcClient _rpc;
    private readonly PrivateKey _key;

    /// <summary>Held while nonces are given out: who opens channels at once waits for the same blocks.</summary>
    private readonly SemaphoreSlim _nonces = new(1);

    private Anvil(ChildProcess process, string url, PrivateKey key)
    {
        (_process, Url, _key) = (process, url, key);
        _rpc = new RpcClient(url, TimeProvider.System, NullLogger.Instance);
    }

    public string Url { get; }

    public Address Contract { get; private set; }

    public static async Task<Anvil> StartAsync(string foundry)
    {
        ChildProcess process = await ChildProcess.StartAsync(
            "Anvil", line => ListeningLine().IsMatch(line), foundry, "anvil", "--host", "127.0.0.1", "--port", "0",
            "--block-time", "1", "--gas-limit", BlockGasMax, "--accounts", "1");
        await process.WhenReadyAsync(TimeSpan.FromSeconds(30));
        int port = int.Parse(ListeningLine().Match(process.ReadyLine).Groups[1].Value, CultureInfo.InvariantCulture);
        PrivateKey key = new(Hex.Parse(KeyLine().Match(process.Output).Groups[1].Value));
        Anvil anvil = new(process, $"ws://127.0.0.1:{port}", key);
        anvil.Contract = (await Deployer.DeployPaymentChannelsAsync(
            anvil.Url, key.Address, key.SignAsync, TimeProvider.System, NullLogger.Instance, null, CancellationToken.None)).Contract;
        return anvil;
    }

    public Task FundAsync(Address account) =>
        _rpc.CallAsync<object?>("anvil_setBalance", [account.ToString(), "0x56BC75E2D63100000"], CancellationToken.None);

    public async Task<ChainBlock> HeadAsync()
    {
        BlockHeader head = await new EthereumRpc(_rpc).LatestBlockAsync(CancellationToken.None);
        return new ChainBlock(head.Number, head.Hash, head.Parent, head.TimestampSeconds);
    }

    /// <summary>Real deposits of side A, many at once, which are mined then, not with the next block of the clock.</summary>
    public async Task DepositAsync(IEnumerable<ChannelTerms> channels, UInt128 amount)
    {
        await _nonces.WaitAsync();
        try
        {
            ulong nonce = await new EthereumRpc(_rpc).NextNonceAsync(_key.Address, null, CancellationToken.None);
            foreach (ChannelTerms[] some in channels.Chunk(DepositsPerCall))
            {
                await Task.WhenAll(some.Select(terms => SendAsync(PaymentChannelsCalls.Deposit(terms, Side.A, amount), amount, nonce++)));
            }

            await _rpc.CallAsync<object?>("evm_mine", [], CancellationToken.None);
        }
        finally
        {
            _nonces.Release();
        }
    }

    /// <summary>
    /// The payer closes without the payee and says nothing of what it has paid: an old state. Signed, and not sent yet: this is work,
    /// and none of it is the node's.
    /// </summary>
    public async Task<SignedTransaction> SignStartCloseAsync(PaidChannel channel)
    {
        PrivateKey account = channel.Payer.Key;
        await FundAsync(account.Address);
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = Url, Contract = Contract };
        await using EthereumChain chain = await EthereumChain.ConnectAsync(
            options, account.Address, account.SignAsync, TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        Channel ours = new(channel.Id, channel.Terms, Side.A);
        PreparedCall call = await chain.PrepareAsync(chain.StartClose(ours, null, default), CancellationToken.None);
        AccountLook look = await chain.LookAsync(1, CancellationToken.None);
        TransactionFees fees = FeePolicy.First(await chain.FeesAsync(CancellationToken.None));
        return await chain.SignAsync(call, look.PendingNonce, fees, CancellationToken.None);
    }

    /// <summary>Sends it, and does not wait until it is mined.</summary>
    public Task SendAsync(SignedTransaction signed) => new EthereumRpc(_rpc).SendRawAsync(signed.Raw, CancellationToken.None);

    private Task<string> SendAsync(byte[] data, UInt128 value, ulong nonce) => _rpc.CallAsync<string>(
        "eth_sendTransaction",
        [
            new
            {
                from = _key.Address.ToString(),
                to = Contract.ToString(),
                data = Hex.Format(data),
                value = Quantity.Format(value),
                gas = DepositGas,
                gasPrice = GasPrice,
                nonce = Quantity.Format(nonce),
            },
        ],
        CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await _rpc.DisposeAsync();
        _nonces.Dispose();
        _key.Dispose();
        await _process.DisposeAsync();
    }

    [GeneratedRegex(@"\(0\) (0x[0-9a-f]{64})")]
    private static partial Regex KeyLine();

    [GeneratedRegex(@"^Listening on 127\.0\.0\.1:(\d+)")]
    private static partial Regex ListeningLine();
}
