using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using Google.Protobuf;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// Somebody whom nobody knows, at the tower: shakes hands in others' names and with broken bytes, and says in a session of his
/// own what nodes have said, as it was and spoilt. Nothing of it is kept, and it costs no node anything.
/// </summary>
internal sealed class WorldStranger(ChannelWorld world)
{
    private static readonly Address Key = new(0, 0, 0xE0);

    private readonly List<Task> _sayings = [];

    /// <summary>What he said that was no message, or no handshake.</summary>
    public int Malformed { get; private set; }

    public void Act(SimulatedTower tower, IReadOnlyList<byte[]> heard)
    {
        if (heard.Count == 0 || world.Random.Next(3) == 0) ShakeHands();
        else _sayings.Add(SayAsync(tower, Spoil(heard[world.Random.Next(heard.Count)])));
    }

    /// <summary>Whether what he said did anything else than to be refused.</summary>
    public void Check()
    {
        foreach (Task ended in _sayings.Where(it => it.IsCompleted)) ended.GetAwaiter().GetResult();
        _sayings.RemoveAll(it => it.IsCompleted);
    }

    /// <summary>As it was, cut short, or with some bits changed.</summary>
    private byte[] Spoil(byte[] said)
    {
        byte[] spoilt = [.. said];
        int how = world.Random.Next(4);
        if (how == 0) spoilt = spoilt[..world.Random.Next(spoilt.Length)];
        for (int changes = how <= 1 ? 0 : world.Random.Next(1, 4); changes > 0 && spoilt.Length > 0; changes--)
            spoilt[world.Random.Next(spoilt.Length)] ^= (byte)(1 << world.Random.Next(8));
        return spoilt;
    }

    private async Task SayAsync(SimulatedTower tower, byte[] said)
    {
        GuardClient client = tower.Tower.Guards.Join(Key);
        try
        {
            if (Wire.GuardRequest.Parser.ParseFrom(said).Frame is not { } frame) return; // The session ends there.
            GuardAnswer answer = await tower.Tower.Guards.TakeAsync(client, WatchtowerWire.Read(frame), CancellationToken.None);
            Assert.True(answer.Stored.Count == 0, $"a stranger has the tower keep {string.Join(", ", answer.Stored)}");
        }
        catch (Exception error) when (IsMalformed(error))
        {
            Malformed++;
        }
        finally
        {
            tower.Tower.Guards.Leave(client);
        }
    }

    /// <summary>In a node's name, with a proof by his own key; whatever bits are changed, he is never taken for anybody.</summary>
    private void ShakeHands()
    {
        Party node = world.Places[world.Random.Next(2)].Us;
        Handshake tower = new(IdentityOf(new Party(WorldTower.Key, WorldTower.Key), WorldTower.Key), WatchtowerWire.ProtocolVersion);
        Handshake stranger = new(IdentityOf(node, Key), WatchtowerWire.ProtocolVersion);
        stranger.Take(tower.Hello(), null);
        byte[] hello = Spoil(stranger.Hello().ToByteArray());
        byte[] proof = Spoil(stranger.ProofAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult().ToByteArray());
        try
        {
            tower.Take(Wire.Hello.Parser.ParseFrom(hello), null);
            tower.Take(Wire.HelloProof.Parser.ParseFrom(proof));
        }
        catch (Exception error) when (IsMalformed(error) || error is RefusalException)
        {
            Malformed++;
            return;
        }

        Assert.Fail($"the tower takes a stranger for {tower.Them.Signer}");
    }

    private static bool IsMalformed(Exception error) =>
        error is InvalidProtocolBufferException or RefusalException { Refusal: Refusal.InvalidArgument };

    private NodeIdentity IdentityOf(Party us, Address provenBy) => new(
        1, world.Places[0].Options.Contract, us,
        (owner, to, ours, theirs, _) => ValueTask.FromResult(Proof(provenBy, owner, to, ours, theirs)),
        (them, theirs, ours, signature) => signature == Proof(them.Signer, them.Owner, us.Signer, theirs, ours));

    /// <summary>Nothing but what is signed and by whom.</summary>
    private static Signature Proof(Address by, Address owner, Address to, in Bytes32 own, in Bytes32 other) => new(
        own with { W0 = own.W0 ^ owner.Low, W1 = own.W1 ^ to.Low }, other with { W3 = other.W3 ^ by.Low }, 27);
}
