namespace ChannelNode.Engine;

/// <summary>What a database holds, every row of it read and checked.</summary>
/// <param name="Schema">Its number.</param>
/// <param name="Block">The newest block followed; 0 for none.</param>
/// <param name="ReceivedCursor">The newest payment received; 0 for none.</param>
/// <param name="EventCursor">The newest event; 0 for none.</param>
/// <param name="Rows">Rows of each kind, by its name.</param>
internal sealed record StoreContents(
    uint Schema, StoreIdentity Identity, ulong Block, ulong ReceivedCursor, ulong EventCursor, IReadOnlyDictionary<string, ulong> Rows);
