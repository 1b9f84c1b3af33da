using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using RocksDbSharp;

namespace ChannelNode.Tests.Storage;

/// <summary>A folder of its own for each test, gone afterwards, and values to fill a database with.</summary>
public sealed class StoreFolder : IDisposable
{
    internal static readonly StoreIdentity Identity = new(31337, AddressOf(0xC0), AddressOf(0x51));

    private static readonly Party Ours = new(AddressOf(1), Identity.Signer);

    public StoreFolder() => Directory.CreateDirectory(Root);

    public string Root { get; } = Path.Combine(Path.GetTempPath(), "channelnode-store-" + Guid.NewGuid().ToString("N"));

    /// <summary>Not made yet.</summary>
    public string Database => Path.Combine(Root, "data", "node");

    internal RocksChannelStore Open() => RocksChannelStore.Open(Database, Identity);

    internal RocksChannelStore Open(DbOptions options) => RocksChannelStore.Open(Database, Identity, options);

    public void Dispose() => Directory.Delete(Root, recursive: true);

    internal static Address AddressOf(byte fill) => Address.Read(Filled(fill, Address.Size));

    internal static Bytes32 Bytes32Of(byte fill) => Bytes32.Read(Filled(fill, Bytes32.Size));

    internal static ChannelId IdOf(byte fill) => new(Bytes32Of(fill));

    internal static Channel ChannelOf(byte fill, Side ourSide = Side.A) => new(
        IdOf(fill),
        new ChannelTerms(
            ourSide == Side.A ? Ours : new Party(AddressOf(3), AddressOf(4)),
            ourSide == Side.B ? Ours : new Party(AddressOf(3), AddressOf(4)),
            AddressOf(5), 86_400, false, Bytes32Of(fill)),
        ourSide);

    internal static OutgoingPayment Outgoing(byte channel, UInt128 total, string key = "") =>
        new(IdOf(channel), total, 7, new byte[] { 1, 2, 3 }, key);

    /// <summary>A run of payments of 5 each with the item id 9.</summary>
    internal static ReceivedRun Received(ulong cursor, int count = 1) =>
        new(cursor, count, IdOf(1), (cursor - 1) * 5, 1_700_000_000_000);

    internal static byte[] Payments(int count = 1) => [.. Enumerable.Repeat(new byte[] { 5, 1, 9 }, count).SelectMany(one => one)];

    private static byte[] Filled(byte fill, int size)
    {
        var bytes = new byte[size];
        Array.Fill(bytes, fill);
        return bytes;
    }
}

internal static class StoreWrites
{
    public static IReadOnlyList<StoredChannel> ReadChannels(this IChannelStore store) => store.ReadChannels(null, int.MaxValue);

    public static void PutReceived(this IStoreBatch batch, ReceivedRun run) =>
        batch.PutReceived(run, StoreFolder.Payments(run.Count));

    /// <summary>A run of one.</summary>
    public static void PutOutgoing(this IStoreBatch batch, OutgoingPayment payment) => batch.PutSent(payment);

    /// <summary>As one run, each total higher than the one before by the payment's amount.</summary>
    public static void PutSent(this IStoreBatch batch, params OutgoingPayment[] payments)
    {
        NewPayments run = new();
        foreach (OutgoingPayment payment in payments)
            run.Add(payment.Total, payment.Amount, payment.ItemId.Span, payment.IdempotencyKey);
        batch.PutSent(run.Run(payments[0].Channel));
    }

    /// <summary>One batch, committed.</summary>
    public static void Write(this RocksChannelStore store, Action<IStoreBatch> write, bool durable = true)
    {
        IStoreBatch batch = store.NewBatch();
        write(batch);
        store.Commit(batch, durable);
    }
}
