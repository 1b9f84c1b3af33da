using System.Globalization;
using System.Numerics;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Tests.EndToEnd;

namespace ChannelNode.Tests.Settlement.Comparison;

/// <summary>One contract, two tokens and five actors on a chain; the same for all scripts, which leave no trace on it.</summary>
internal sealed class World : IDisposable
{
    private static readonly BigInteger CurveOrder = BigInteger.Parse(
        "00fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private readonly PrivateKey[] _keys =
    [
        .. Enum.GetNames<Actor>().Select(name => new PrivateKey(Keccak.Hash(Encoding.UTF8.GetBytes(name)).ToArray())),
    ];

    private readonly SignatureScheme[] _schemes;

    private World(AnvilFixture anvil, Address contract, Address token, Address dollar, Bytes32 domain)
    {
        (Anvil, Contract, Token, Dollar, DollarDomain) = (anvil, contract, token, dollar, domain);
        Typed = new TypedData(AnvilFixture.ChainId, contract);
        _schemes = [.. _keys.Select(key => new SignatureScheme(key, AnvilFixture.ChainId, contract))];
    }

    public AnvilFixture Anvil { get; }

    public Address Contract { get; }

    /// <summary>Takes no signatures.</summary>
    public Address Token { get; }

    /// <summary>Takes permits and authorizations.</summary>
    public Address Dollar { get; }

    public Bytes32 DollarDomain { get; }

    public TypedData Typed { get; }

    public PrivateKey this[Actor actor] => _keys[(int)actor];

    public SignatureScheme Signs(Actor actor) => _schemes[(int)actor];

    public static async Task<World> OpenAsync(AnvilFixture anvil)
    {
        Address dollar = await anvil.DollarAsync();
        byte[] question = ContractArtifact.Load("GaslessToken").Selector("DOMAIN_SEPARATOR");
        string domain = await anvil.RpcAsync<string>(
            "eth_call", new { to = dollar.ToString(), data = Hex.Format(question) }, "latest");
        return new World(
            anvil, await anvil.NewPaymentChannelsAsync(), await anvil.TokenAsync(), dollar,
            Bytes32.Read(Hex.Parse(domain)));
    }

    /// <summary>A signature of the kind asked for, as bytes; <paramref name="another"/> is what nobody meant.</summary>
    public byte[] Prove(Actor signer, Bytes32 digest, Bytes32 another, Proof proof) => proof switch
    {
        Proof.Empty => [],
        Proof.Short => Split(signer, digest, another, Proof.Right).ToArray()[..63],
        Proof.Compact => Compact(Split(signer, digest, another, Proof.Right)),
        _ => Split(signer, digest, another, proof).ToArray(),
    };

    /// <summary>The same for where v, r and s stand apart: no length is wrong there.</summary>
    public Signature Split(Actor signer, Bytes32 digest, Bytes32 another, Proof proof) => proof switch
    {
        Proof.ByOutsider => this[signer == Actor.Outsider ? Actor.SignerA : Actor.Outsider].Sign(digest),
        Proof.OverAnother => this[signer].Sign(another),
        Proof.HighS => WithHighS(this[signer].Sign(digest)),
        Proof.WrongV => this[signer].Sign(digest) with { V = 29 },
        Proof.Zero or Proof.Empty or Proof.Short => new Signature(default, default, 27),
        _ => this[signer].Sign(digest),
    };

    private static byte[] Compact(Signature signature) => [.. signature.R.ToArray(), .. signature.Vs.ToArray()];

    /// <summary>The other of the two signatures that the curve's symmetry makes of one.</summary>
    private static Signature WithHighS(Signature signature)
    {
        BigInteger s = CurveOrder - new BigInteger(signature.S.ToArray(), isUnsigned: true, isBigEndian: true);
        byte[] bytes = s.ToByteArray(isUnsigned: true, isBigEndian: true);
        Span<byte> word = stackalloc byte[Bytes32.Size];
        word.Clear();
        bytes.CopyTo(word[(Bytes32.Size - bytes.Length)..]);
        return new Signature(signature.R, Bytes32.Read(word), (byte)(27 + 28 - signature.V));
    }

    public void Dispose()
    {
        foreach (PrivateKey key in _keys) key.Dispose();
    }
}
