namespace ChannelNode.Engine;

/// <summary>By which of its tags a chain says that a block stays.</summary>
internal enum FinalityTag : byte
{
    Finalized = 0,
    Safe = 1,
}
