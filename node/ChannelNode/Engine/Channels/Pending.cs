using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// Why a channel needs to be known even before anyone asks for it. The store keeps an index of the channels in which
/// something is pending, so that a node with a million channels looks at a handful when it starts.
/// </summary>
[Flags]
internal enum Pending : byte
{
    None = 0,

    /// <summary>Its first deposit: such channels are limited in number.</summary>
    Deposit = 1,

    /// <summary>It is closing, or about to: the guardian's.</summary>
    Close = 2,

    /// <summary>
    /// What this node has signed may not be acknowledged: the peer is asked when it is back. Stays set while the channel
    /// is in memory, or every payment would write it twice.
    /// </summary>
    Acknowledgement = 4,

    All = Deposit | Close | Acknowledgement,
}

internal static class PendingOf
{
    public static Pending State(in ChannelState state) =>
        (state.EverFunded ? Pending.None : Pending.Deposit)
        | (state.OnChain.IsClosing || state.CloseDeadlineSeconds != 0 ? Pending.Close : Pending.None)
        | (state.Sent > state.Acknowledged ? Pending.Acknowledgement : Pending.None);
}
