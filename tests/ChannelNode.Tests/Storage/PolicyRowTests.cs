using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Storage;
using Xunit;

namespace ChannelNode.Tests.Storage;

/// <summary>Rows of the policy and its audit log as they lie on disks: a change needs a new version byte, not a new fixture.</summary>
public sealed class PolicyRowTests
{
    private static readonly Address Peer = StoreFolder.AddressOf(0x11);
    private static readonly Address Token = StoreFolder.AddressOf(0x22);

    private static readonly PolicyRules Rules = new()
    {
        Accept = AcceptFrom.Listed,
        ChannelsMax = 3,
        CountPerDayMax = 0x10,
        Tokens = [Token],
        Amounts = new Dictionary<Address, AmountRules>
        {
            [Address.Zero] = new() { DepositMax = 0x1234, SumPerDayMax = Amounts.Max },
            [Token] = new() { PaymentMin = 0 },
        },
    };

    private static readonly string RulesHex = "01" + "1b" + "02" + "00000003" + "00000010" + "00000001" + Repeat("22", 20)
        + "00000002" + Repeat("00", 20) + "11" + "021234" + "0e" + Repeat("ff", 14) + Repeat("22", 20) + "02" + "00";

    public static TheoryData<string, string, string> Facts => new()
    {
        { "tier", "01" + "7431", RulesHex },
        { "peer", "02" + Repeat("11", 20), "01" + "00" + "00000000" },
        {
            "standing", "03" + Repeat("11", 20),
            "01" + "027431" + "0000000000000005" + "0000000000000006" + Repeat("33", 20) + Repeat("44", 32)
        },
        { "allowed", "04" + Repeat("11", 20), "01" + "00000002" + "6f6b" },
        { "denied", "05" + Repeat("11", 20), "01" + "00000000" },
        { "attestor", "06" + Repeat("11", 20), "01" + "00000001" + "61" },
        { "revoked", "07" + Repeat("44", 32), "01" },
        { "spent", "08" + Repeat("11", 20) + Repeat("22", 20) + "01" + "0000000000000007", "01" + "0109" + "0000000000000008" },
    };

    private static PolicyFact FactOf(string name) => name switch
    {
        "tier" => new PolicyFact.TierRules("t1", Rules),
        "peer" => new PolicyFact.PeerRules(Peer, PolicyRules.Nothing),
        "standing" => new PolicyFact.Standing(Peer, "t1", 5, 6, StoreFolder.AddressOf(0x33), StoreFolder.Bytes32Of(0x44)),
        "allowed" => new PolicyFact.Listed(PeerList.Allow, Peer, "ok"),
        "denied" => new PolicyFact.Listed(PeerList.Deny, Peer, ""),
        "attestor" => new PolicyFact.TrustedAttestor(Peer, "a"),
        "revoked" => new PolicyFact.Revoked(StoreFolder.Bytes32Of(0x44)),
        _ => new PolicyFact.Spent(Peer, Token, IsSent: true, 7, 9, 8),
    };

    [Theory]
    [MemberData(nameof(Facts))]
    public void Fact_LiesAsDocumented(string name, string key, string row)
    {
        PolicyFact fact = FactOf(name);

        Assert.Equal(key, Convert.ToHexStringLower(PolicyRow.Key(new byte[PolicyRow.KeySizeMax], fact)));
        Assert.Equal(row, Convert.ToHexStringLower(PolicyRow.Write(fact)));
        PolicyFact read = PolicyRow.Read(Convert.FromHexString(key), Convert.FromHexString(row));
        Assert.Equal(fact.GetType(), read.GetType());
        Assert.Equal(row, Convert.ToHexStringLower(PolicyRow.Write(read)));
    }

    [Fact]
    public void AuditEntry_LiesAsDocumented()
    {
        PolicyAuditEntry entry = new(PolicyAuditKind.ReceivingRefused, "so many")
        {
            Cursor = 9,
            TimeMs = 0x1122,
            Peer = Peer,
            Channel = StoreFolder.IdOf(0xEE),
            Token = Token,
            Tier = "t1",
            Decision = new PolicyDecision(PolicyRule.SumPerDay, 0x0102, Amounts.Max),
            Count = 3,
            Actor = "me",
        };
        string Hex(string version, string actor) => version + "04" + "0000000000001122" + Repeat("11", 20) + Repeat("ee", 32) + Repeat("22", 20)
            + "0b" + "020102" + "0e" + Repeat("ff", 14) + "0000000000000003" + "027431" + actor + Convert.ToHexStringLower("so many"u8);

        var row = new RowWriter(new byte[AuditRow.SizeMax(entry)]);
        AuditRow.Write(ref row, entry);

        Assert.Equal(Hex("02", "026d65"), Convert.ToHexStringLower(row.Row));
        Assert.Equal(entry, AuditRow.Read([0, 0, 0, 0, 0, 0, 0, 9], row.Row));
        Assert.Equal(entry with { Actor = "" }, AuditRow.Read([0, 0, 0, 0, 0, 0, 0, 9], Convert.FromHexString(Hex("01", ""))));
        Assert.Contains("version 3", Assert.Throws<StoreException>(
            () => AuditRow.Read([0, 0, 0, 0, 0, 0, 0, 9], Convert.FromHexString(Hex("03", "026d65")))).Message);
    }

    [Fact]
    public void AuditLog_KeepsSoManyAndSoLong_AndGoesOnFromAnyCursor()
    {
        using StoreFolder folder = new();
        using RocksChannelStore store = folder.Open();
        for (ulong cursor = 1; cursor <= 3_000; cursor += 500)
        {
            IStoreBatch batch = store.NewBatch();
            for (ulong at = cursor; at < cursor + 500; at++)
                batch.PutAudit(new PolicyAuditEntry(PolicyAuditKind.RulesChanged, "x") { Cursor = at, TimeMs = (long)at * 1_000 });
            store.Commit(batch, durable: false);
        }

        Assert.Equal((3_000ul, 1_500ul), (store.ReadAuditCursor(), store.ReadAudit(1_499, 1)[0].Cursor));
        store.TrimAudit(TimeSpan.FromDays(1), 2_000, 0);
        Assert.Equal(1_001ul, store.ReadAudit(0, 1)[0].Cursor);
        store.TrimAudit(TimeSpan.FromSeconds(1_000), 2_000, 3_000_000);
        Assert.Equal(2_000ul, store.ReadAudit(0, 1)[0].Cursor);
        Assert.Equal(3_000ul, store.ReadAuditCursor());
    }

    [Fact]
    public void ReplacedList_LeavesTheOther_AndIsReadInPages()
    {
        using StoreFolder folder = new();
        using RocksChannelStore store = folder.Open();
        Put(store, PeerList.Allow, 1, 2, 3, 4, 5);
        Put(store, PeerList.Deny, 6);
        Put(store, PeerList.Allow, 2, 7, 8);

        IReadOnlyList<PolicyFact.Listed> first = store.ReadPolicyList(PeerList.Allow, null, 2);
        IReadOnlyList<PolicyFact.Listed> rest = store.ReadPolicyList(PeerList.Allow, first[^1].Peer, 9);

        Assert.Equal([2u, 7u, 8u], first.Concat(rest).Select(it => it.Peer.Low));
        Assert.Equal(6u, Assert.Single(store.ReadPolicyList(PeerList.Deny, null, 9)).Peer.Low);
    }

    private static void Put(RocksChannelStore store, PeerList list, params uint[] peers)
    {
        IStoreBatch batch = store.NewBatch();
        batch.DropPolicyList(list);
        foreach (uint peer in peers) batch.PutPolicy(new PolicyFact.Listed(list, new Address(0, 0, peer), ""));
        store.Commit(batch, durable: true);
    }

    private static string Repeat(string hex, int times) => string.Concat(Enumerable.Repeat(hex, times));
}
