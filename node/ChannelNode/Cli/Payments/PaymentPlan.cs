using System.Globalization;
using System.Text;
using ChannelNode.Proto.V1;
using Google.Protobuf;

namespace ChannelNode.Cli;

/// <summary>
/// Many payments of one amount. The i-th, from 0, has the item id "item-i" and the idempotency key "key-i": the same
/// plan run again pays nothing twice.
/// </summary>
internal sealed record PaymentPlan(string ChannelId, UInt128 Amount, string Item, string Key, int Count)
{
    /// <summary>Bytes of an item id and of a key, as the node checks them.</summary>
    public const int NameBytesMax = 64;

    public const int CountMax = 10_000_000;

    private readonly string _amount = Amount.ToString(CultureInfo.InvariantCulture);

    public Payment At(int index) => new()
    {
        ChannelId = ChannelId,
        Amount = _amount,
        ItemId = ByteString.CopyFromUtf8(ItemAt(index)),
        IdempotencyKey = KeyAt(index),
    };

    public string KeyAt(int index) => $"{Key}-{index}";

    public string ItemAt(int index) => $"{Item}-{index}";

    /// <summary>The first part that would be too long with the longest number behind it, as a sentence; or null.</summary>
    public string? TooLong()
    {
        int keyBytes = Encoding.UTF8.GetByteCount(KeyAt(Count - 1));
        if (keyBytes > NameBytesMax) return $"--key: '{KeyAt(Count - 1)}' has {keyBytes} bytes; the limit is {NameBytesMax}";
        int itemBytes = Encoding.UTF8.GetByteCount(ItemAt(Count - 1));
        return itemBytes > NameBytesMax
            ? $"--item: '{ItemAt(Count - 1)}' has {itemBytes} bytes; the limit is {NameBytesMax}"
            : null;
    }
}
