using ChannelNode.Engine;
using RocksDbSharp;

namespace ChannelNode.Storage;

/// <summary>How far webhooks have come. Beside the ledger's commits, which none of this waits for: no channel depends on it.</summary>
internal sealed partial class RocksChannelStore
{
    /// <summary>The newest cursor that a webhook has taken; null for a new one.</summary>
    public ulong? ReadWebhookCursor(string url, WebhookTopic topic)
    {
        using StoreGate.Pass pass = _gate.Enter();
        return _database.Get(WebhookRow.Key(url, topic), _families.Meta) is { } row ? WebhookRow.Read(row) : null;
    }

    /// <summary>On disk when this returns.</summary>
    public void PutWebhookCursor(string url, WebhookTopic topic, ulong cursor)
    {
        var row = new RowWriter(stackalloc byte[WebhookRow.Size]);
        WebhookRow.Write(ref row, cursor);
        using StoreGate.Pass pass = _gate.Enter();
        _database.Put(WebhookRow.Key(url, topic), row.Row, _families.Meta, _synced);
    }

    /// <summary>Of all webhooks that were ever named, each once.</summary>
    public IReadOnlyList<string> ReadWebhookUrls()
    {
        using StoreGate.Pass pass = _gate.Enter();
        using Iterator rows = _database.NewIterator(_families.Meta).Seek(WebhookRow.Prefix);
        List<string> urls = [];
        for (; rows.HasRow() && WebhookRow.UrlOf(rows.GetKeySpan()) is { } url; rows.Next())
            if (!urls.Contains(url)) urls.Add(url);
        return urls;
    }

    /// <summary>Gives one's cursors to another that has none. On disk when this returns.</summary>
    public void MoveWebhook(string from, string to)
    {
        using StoreGate.Pass pass = _gate.Enter();
        using WriteBatch moved = new();
        foreach (WebhookTopic topic in Enum.GetValues<WebhookTopic>())
        {
            if (_database.Get(WebhookRow.Key(from, topic), _families.Meta) is not { } row) continue;
            moved.Put(WebhookRow.Key(to, topic), row, _families.Meta);
            moved.Delete(WebhookRow.Key(from, topic), _families.Meta);
        }

        _database.Write(moved, _synced);
    }
}
