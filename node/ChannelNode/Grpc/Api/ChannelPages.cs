using ChannelNode.Core;
using ChannelNode.Engine;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>
/// ListChannels in pages, read from the store: a list of a million channels brings none of them into memory. A token is
/// the id of the last channel looked at, so a list that goes on after a restart goes on where it was.
/// </summary>
internal static class ChannelPages
{
    private const int PageSizeDefault = 100;

    /// <summary>About a megabyte.</summary>
    private const int PageSizeMax = 1_000;

    /// <summary>Channels looked at for one page, however few have the wanted status.</summary>
    private const int LooksMax = 20_000;

    public static Wire.ListChannelsResponse Read(Node node, CallerChannels seen, Wire.ListChannelsRequest request)
    {
        if (!Enum.IsDefined(request.Status))
            throw Fields.Invalid("status", ((int)request.Status).ToString(), "0 to 5");
        if (request.PageSize < 0) throw Fields.Invalid("page_size", request.PageSize.ToString(), "0 or more");
        int pageSize = request.PageSize == 0 ? PageSizeDefault : Math.Min(request.PageSize, PageSizeMax);
        IdPrefix prefix = ReadPrefix(request.ChannelIdPrefix);
        ChannelId? after = request.PageToken.Length == 0
            ? prefix.Before
            : Fields.ReadChannelId(request.PageToken, "page_token");

        Wire.ListChannelsResponse response = new();
        int looksAtOnce = request.Status == Wire.ChannelStatus.Unspecified ? pageSize : PageSizeMax;
        for (int looks = 0; looks < LooksMax; looks += looksAtOnce)
        {
            IReadOnlyList<StoredChannel> stored = seen.IsConfined
                ? [.. seen.Known(node.Store).Where(it => after is not { } last || it.Channel.Id.CompareTo(last) > 0).Take(looksAtOnce)]
                : node.Book.Read(after, looksAtOnce);
            foreach (StoredChannel channel in stored)
            {
                after = channel.Channel.Id;
                if (!prefix.Fits(after.Value)) return response;
                if (!Has(request.Status, channel.State)) continue;
                response.Channels.Add(Write(node, channel));
                if (response.Channels.Count == pageSize) return WithToken(response, after);
            }

            if (stored.Count < looksAtOnce) return response;
        }

        return WithToken(response, after);
    }

    /// <summary>The hex digits that an id begins with, and the id right before all such.</summary>
    private readonly record struct IdPrefix(string Digits, ChannelId? Before)
    {
        public bool Fits(ChannelId id) => Digits.Length == 0 || id.ToString().AsSpan(2).StartsWith(Digits);
    }

    private static IdPrefix ReadPrefix(string text)
    {
        string digits = (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text).ToLowerInvariant();
        if (digits.Length > 2 * Bytes32.Size || !ChannelId.TryParse(digits.PadRight(2 * Bytes32.Size, '0'), out ChannelId first))
            throw Fields.Invalid("channel_id_prefix", text, "at most 64 hex digits");

        Span<byte> before = stackalloc byte[Bytes32.Size];
        first.Write(before);
        int index = before.Length - 1;
        while (index >= 0 && before[index]-- == 0) index--;
        return new IdPrefix(digits, index < 0 ? null : ChannelId.Read(before));
    }

    public static Wire.Channel Write(Node node, ChannelSlot slot) =>
        Write(node, new StoredChannel(slot.Channel, slot.State));

    private static Wire.Channel Write(Node node, StoredChannel stored)
    {
        ChannelSlot? slot = node.Book.Peek(stored.Channel.Id);
        Address peer = stored.Channel.Theirs.Signer;
        Wire.Channel wire = NodeWire.Write(
            stored.Channel,
            stored.State,
            node.Peers.IsConnected(peer),
            slot?.PeerRefusal ?? Refusal.None,
            slot?.ProvenByPeer ?? UInt128.Zero);
        wire.RestoredUnconfirmed = slot?.IsUnconfirmed ?? node.Store.IsUnconfirmed(peer, stored.Channel.Id);
        wire.PeerRefusalUntilSeconds = slot?.PeerRefusalUntilSeconds ?? 0;
        RestoredHold hold = node.Book.Hold;
        if (hold.IsOn && (slot?.IsHeld ?? node.Store.IsHeld(peer, stored.Channel.Id))) wire.RestoredHeldUntilSeconds = hold.UntilSeconds;
        return wire;
    }

    private static bool Has(Wire.ChannelStatus wanted, in ChannelState state) =>
        wanted == Wire.ChannelStatus.Unspecified || wanted == NodeWire.Write(state.Status);

    private static Wire.ListChannelsResponse WithToken(Wire.ListChannelsResponse response, ChannelId? after)
    {
        response.NextPageToken = after.ToString();
        return response;
    }
}
