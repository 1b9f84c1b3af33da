using ChannelNode.Core;
using ChannelNode.Signing;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A watchtower as its own process.</summary>
internal sealed class TowerProcess : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly TestChain _chain;
    private readonly int _port = Ports.Free();
    private ProgramProcess? _process;

    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly string[] _more;

    private TowerProcess(TestChain chain, IReadOnlyDictionary<string, string> environment, string[] more) =>
        (_chain, _environment, _more) = (chain, environment, more);

    public string Url => $"http://127.0.0.1:{_port}";

    public Address Signer { get; private set; }

    public ProgramProcess Process => _process!;

    /// <param name="more">Options beside the usual ones.</param>
    public static Task<TowerProcess> StartAsync(TestChain chain, params string[] more) =>
        StartAsync(chain, new Dictionary<string, string>(), more);

    public static async Task<TowerProcess> StartAsync(
        TestChain chain, IReadOnlyDictionary<string, string> environment, params string[] more)
    {
        TowerProcess tower = new(chain, environment, more);
        using (PrivateKey key = KeyFile.Create(Path.Combine(tower._folder, "key")))
        {
            tower.Signer = key.Address;
            await chain.FundAsync(key.Address);
        }

        await tower.StartAsync();
        return tower;
    }

    public Task StartAsync()
    {
        _process = ProgramProcess.Start(
            (_, _) => { },
            [
                "watchtower", "--data-dir", Path.Combine(_folder, "data"), "--key-file", Path.Combine(_folder, "key"),
                "--rpc-url", _chain.RpcUrl, "--contract", _chain.Contract.ToString(), "--listen", $"127.0.0.1:{_port}",
                "--dispute-window-min", "10", "--replace-after", "1", "--poll-ms", "100", .. _more,
            ],
            _environment);
        return _process.WhenReadyAsync();
    }

    public async Task KillAsync()
    {
        await _process!.KillAsync();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
