using System.Runtime.InteropServices;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using ChannelNode.Storage;
using Microsoft.Win32.SafeHandles;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>
/// Writes open channels into a node's database by the node's own storage code, before the node is started: a million
/// real deposits would take a chain longer than anyone waits. The chain never heard of them; nobody here asks it.
/// </summary>
internal sealed partial class StoredChannels(NodeUnderTest node, Anvil anvil)
{
    private const int ChannelsPerCommit = 2_000;

    private readonly TypedData _typed = new(Anvil.ChainId, anvil.Contract);

    /// <summary>Each payer's channels, then <paramref name="others"/> of which each has a payer of its own that never connects.</summary>
    public async Task<IReadOnlyList<IReadOnlyList<PaidChannel>>> WriteAsync(
        IReadOnlyList<LoadKey> payers, int channelsEach, int others)
    {
        ChainBlock head = await anvil.HeadAsync();
        using (RocksChannelStore store = RocksChannelStore.Open(
            node.DataFolder, new StoreIdentity(Anvil.ChainId, anvil.Contract, node.Signer)))
        {
            List<IReadOnlyList<PaidChannel>> paid = [];
            foreach (LoadKey payer in payers)
            {
                PaidChannel[] channels = [.. Enumerable.Range(0, channelsEach).Select(salt => Of(payer, salt))];
                Put(store, channels.Select(channel => new Channel(channel.Id, channel.Terms, Side.B)));
                paid.Add(channels);
            }

            foreach (int[] some in Enumerable.Range(0, others).Chunk(ChannelsPerCommit))
                Put(store, some.AsParallel().AsOrdered().Select(Stranger));
            IStoreBatch last = store.NewBatch();
            last.PutBlock(head);
            store.Commit(last, durable: true);
            return paid;
        }
    }

    /// <summary>Lets the kernel forget what it has of the files, so that the node's start reads the disk.</summary>
    public void DropFromCache()
    {
        const int dontNeed = 4;
        foreach (string path in Directory.EnumerateFiles(node.DataFolder, "*", SearchOption.AllDirectories))
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            RandomAccess.FlushToDisk(file);
            if (Advise(file, 0, 0, dontNeed) != 0) throw new IOException($"the cache of {path} could not be dropped");
        }
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);

    private static void Put(RocksChannelStore store, IEnumerable<Channel> channels)
    {
        ChannelState open = new() { OnChain = new Pots(Site.Deposit, 0, 0, 0, 0), EverFunded = true };
        foreach (Channel[] some in channels.Chunk(ChannelsPerCommit))
        {
            IStoreBatch batch = store.NewBatch();
            foreach (Channel channel in some)
            {
                batch.PutChannel(channel);
                batch.PutState(channel.Id, open);
            }

            store.Commit(batch, durable: false);
        }
    }

    private PaidChannel Of(LoadKey payer, int salt)
    {
        ChannelTerms terms = Terms(payer.Address, (ulong)salt);
        return new PaidChannel(payer, terms, new ChannelId(_typed.Of(terms)));
    }

    private Channel Stranger(int number)
    {
        Bytes32 random = Keccak.Hash(BitConverter.GetBytes(number));
        ChannelTerms terms = Terms(new Address(random.W0, random.W1, (uint)random.W2), random.W3);
        return new Channel(new ChannelId(_typed.Of(terms)), terms, Side.B);
    }

    private ChannelTerms Terms(Address payer, ulong salt) => new(
        new Party(payer, payer), new Party(node.Signer, node.Signer), Address.Zero, 3_600, OneWay: false, new Bytes32(0, 0, 0, salt));
}
