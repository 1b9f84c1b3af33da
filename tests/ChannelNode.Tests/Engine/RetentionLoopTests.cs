using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using ChannelNode.Tests.Core;
using ChannelNode.Tests.Simulation;
using ChannelNode.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using static ChannelNode.Tests.Storage.StoreFolder;

namespace ChannelNode.Tests.Engine;

public sealed class RetentionLoopTests : IAsyncLifetime
{
    private const int HourMs = 3_600_000;

    private static readonly NodeOptions Options = new()
    {
        DataDirectory = "",
        KeyFile = "",
        RpcUrl = "",
        Contract = Address.Zero,
        SentKeptHours = 1,
        DiskReserveBytes = ulong.MaxValue, // No disk has as much: it is low.
    };

    private readonly StoreFolder _folder = new();
    private readonly SimulatedTime _time = new();
    private readonly RocksChannelStore _store;
    private readonly WatchedStore _watched;
    private readonly Ledger _ledger;
    private readonly Retention _retention;
    private readonly ChannelBook _book;

    public RetentionLoopTests()
    {
        _store = _folder.Open();
        _watched = new WatchedStore(_store);
        foreach (byte number in new byte[] { 1, 2 })
        {
            ChannelState state = Sample.Funded(100, 100) with { Sent = 10, Acknowledged = number == 1 ? 5u : 10u };
            _store.Write(batch =>
            {
                batch.PutChannel(ChannelOf(number));
                batch.PutState(IdOf(number), state);
                batch.PutPending(IdOf(number), PendingOf.State(state));
                batch.PutOutgoing(Outgoing(number, 5, $"{number}: 5"));
                batch.PutOutgoing(Outgoing(number, 10, $"{number}: 10"));
            });
        }

        NodeClock clock = new(_time);
        _book = new ChannelBook(_store, new PeerLinks(), 1_024);
        _ledger = new Ledger(
            _book, _store, new ChainView(_store.ReadBlocks().LastOrDefault(), _time, TimeSpan.FromHours(1)), clock, Options, NullLogger<Ledger>.Instance);
        _ledger.Start();
        _retention = new Retention(_book, _ledger, _watched, clock, Options, NullLogger<Retention>.Instance);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _store.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task KeyOfAPaymentUnderWay_IsKeptHoweverOld_AndAllOthersGo()
    {
        for (int hour = 0; hour < 10; hour++)
        {
            await _retention.LookAsync(CancellationToken.None);
            _time.Advance(HourMs);
        }

        Assert.Equal((UInt128)10, _store.FindOutgoing("1: 10")!.Total);
        Assert.Equal([(UInt128)10], _store.ReadOutgoing(IdOf(1), 0).Select(payment => payment.Total));
        Assert.Null(_store.FindOutgoing("1: 5"));
        Assert.Null(_store.FindOutgoing("2: 10"));
        Assert.Empty(_store.ReadOutgoing(IdOf(2), 0));
    }

    /// <summary>A row that nobody writes again would keep the log of all that is written over: to ask again and again would fill a disk that is low.</summary>
    [Fact]
    public async Task WhereTheDiskIsLow_WhatIsWrittenOverTakesNoMoreOfIt_IfItHasRoomForThat()
    {
        const int perWrite = 1_000, mebibyte = 1 << 20;
        _store.Write(batch => batch.PutBlock(new ChainBlock(1, default, default, 1)));
        UInt128 sent = 10;
        while (LogBytes() < 40 * mebibyte)
        {
            _store.Write(batch =>
            {
                for (int row = 0; row < perWrite; row++) batch.PutState(IdOf(1), Sample.Funded(100, 100) with { Sent = ++sent });
            });
        }

        // Its rows take as much in the files, before it goes: where that is not left, the disk would be full.
        _watched.FreeBytes = (ulong)LogBytes() - 1;
        await _retention.LookAsync(CancellationToken.None);
        Assert.InRange(LogBytes(), 40 * mebibyte, long.MaxValue);

        _watched.FreeBytes = (ulong)LogBytes();
        await _retention.LookAsync(CancellationToken.None);
        Assert.InRange(LogBytes(), 0, mebibyte);
        Assert.Equal(sent, _store.FindChannel(IdOf(1))!.State.Sent);

        long LogBytes() => new DirectoryInfo(_folder.Database).EnumerateFiles("*.log").Sum(file => file.Length);
    }
}
