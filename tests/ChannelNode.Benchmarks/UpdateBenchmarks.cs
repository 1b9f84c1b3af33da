using BenchmarkDotNet.Attributes;
using ChannelNode.Core;
using ChannelNode.Signing;

namespace ChannelNode.Benchmarks;

/// <summary>What one update costs in its parts: signing, checking, deciding. Deciding and checking allocate nothing.</summary>
[MemoryDiagnoser]
public class UpdateBenchmarks
{
    /// <summary>Those that stand between a peer's frame and the commit.</summary>
    public static readonly string[] HotPath = [nameof(Verify), nameof(Accept)];

    private readonly PrivateKey _ours = PrivateKey.Generate();
    private readonly PrivateKey _theirs = PrivateKey.Generate();
    private SignatureScheme _scheme = null!;
    private Channel _channel = null!;
    private ChannelState _state;
    private BalanceUpdate _update;
    private Signature _signature;
    private VerifiedUpdate _verified;

    [GlobalSetup]
    public void Setup()
    {
        Address contract = new(1, 2, 3);
        _scheme = new SignatureScheme(_ours, 31337, contract);
        ChannelTerms terms = new(
            new Party(_theirs.Address, _theirs.Address), new Party(_ours.Address, _ours.Address),
            Address.Zero, 3_600, OneWay: false, default);
        _channel = new Channel(_scheme.IdOf(terms), terms, Side.B);
        _state = new ChannelState { OnChain = new Pots(1_000_000, 0, 0, 0, 0), EverFunded = true };
        _update = new BalanceUpdate(_channel.Id, 10, 0);
        _signature = new SignatureScheme(_theirs, 31337, contract).Sign(_update);
        if (!VerifiedUpdate.TryVerify(_scheme, _update, _signature, _theirs.Address, out _verified))
            throw new InvalidOperationException("the benchmark's own signature is wrong");
    }

    [Benchmark]
    public Signature Sign() => _scheme.Sign(_update);

    [Benchmark]
    public bool Verify() => _scheme.Verify(_update, _signature, _theirs.Address);

    [Benchmark]
    public Refusal Accept() => Updates.Accept(_channel, _state, _verified, 10, out _);

    [Benchmark]
    public Refusal Pay() => Updates.Pay(
        _channel, _state with { TheirSent = 10 }, 1, out _);
}
