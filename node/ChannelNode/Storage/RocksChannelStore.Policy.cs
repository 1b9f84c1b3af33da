using ChannelNode.Core;
using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>The operator's rules about peers, and the log of what they decided.</summary>
internal sealed partial class RocksChannelStore
{
    public IReadOnlyList<PolicyFact> ReadPolicy()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Policy).SeekToFirst();
        var facts = new List<PolicyFact>();
        for (; rows.HasRow(); rows.Next()) facts.Add(PolicyRow.Read(rows.GetKeySpan(), rows.GetValueSpan()));
        return facts;
    }

    public IReadOnlyList<PolicyFact.Listed> ReadPolicyList(PeerList list, Address? after, int countMax)
    {
        Span<byte> key = stackalloc byte[PolicyRow.KeySizeMax];
        ReadOnlySpan<byte> from = PolicyRow.ListKey(key, list, after ?? Address.Zero);
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Policy);
        rows.Seek(from);
        var entries = new List<PolicyFact.Listed>();
        for (; rows.HasRow() && entries.Count < countMax; rows.Next())
        {
            if (PolicyRow.Read(rows.GetKeySpan(), rows.GetValueSpan()) is not PolicyFact.Listed entry || entry.List != list) break;
            if (entry.Peer != after) entries.Add(entry);
        }

        return entries;
    }

    public ulong ReadAuditCursor()
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _audit.LastCursor();
    }

    public IReadOnlyList<PolicyAuditEntry> ReadAudit(ulong afterCursor, int countMax)
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _audit.Read(afterCursor, countMax);
    }

    public void TrimAudit(TimeSpan keptFor, ulong countMax, long nowMs)
    {
        using StoreGate.Pass pass = _gate.Enter();
        _audit.Trim(keptFor, countMax, nowMs);
    }
}
