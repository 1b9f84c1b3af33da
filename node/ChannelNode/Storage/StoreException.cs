namespace ChannelNode.Storage;

/// <summary>
/// The database cannot be opened, read or written. Never a refusal: a node that cannot trust its memory must stop.
/// </summary>
internal sealed class StoreException(string message, Exception? inner = null) : IOException(message, inner);
