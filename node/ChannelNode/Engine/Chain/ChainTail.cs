namespace ChannelNode.Engine;

/// <summary>
/// The newest blocks that were taken over, linked by their parents: those from which a reorganisation can be found and
/// undone. Not for several threads.
/// </summary>
/// <param name="depthMax">Blocks kept below the newest.</param>
/// <param name="known">Oldest first. Those before a gap are too old: a power cut can leave one, of blocks in which nothing happened.</param>
internal sealed class ChainTail(uint depthMax, IEnumerable<ChainBlock> known)
{
    private readonly List<ChainBlock> _blocks = AfterGaps(known);

    public ChainBlock? Newest => _blocks.Count == 0 ? null : _blocks[^1];

    public ChainBlock? Oldest => _blocks.Count == 0 ? null : _blocks[0];

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<ChainBlock> Blocks => _blocks;

    private static List<ChainBlock> AfterGaps(IEnumerable<ChainBlock> known)
    {
        List<ChainBlock> blocks = [];
        foreach (ChainBlock block in known)
        {
            if (blocks.Count > 0 && block.Number != blocks[^1].Number + 1) blocks.Clear();
            blocks.Add(block);
        }

        return blocks;
    }

    public ChainBlock? Find(ulong number) =>
        Oldest is { } oldest && number >= oldest.Number && number <= Newest!.Number
            ? _blocks[(int)(number - oldest.Number)]
            : null;

    /// <summary>The newest block with that many confirmations, its own included.</summary>
    public ChainBlock? WithConfirmations(uint confirmations) =>
        Newest is { } newest && newest.Number + 1 >= confirmations ? Find(newest.Number + 1 - confirmations) : null;

    /// <summary>The block's parent must be the newest; answers the numbers that are too old now.</summary>
    public (ulong First, ulong Last)? Add(ChainBlock block)
    {
        if (Newest is { } newest && (block.Parent != newest.Hash || block.Number != newest.Number + 1))
            throw new InvalidOperationException($"block {block.Number} does not follow block {newest.Number}");
        _blocks.Add(block);
        int tooMany = _blocks.Count - 1 - (int)depthMax;
        if (tooMany <= 0) return null;
        (ulong, ulong) old = (_blocks[0].Number, _blocks[tooMany - 1].Number);
        _blocks.RemoveRange(0, tooMany);
        return old;
    }

    /// <summary>Only this block is known from now on.</summary>
    public void JumpTo(ChainBlock block)
    {
        _blocks.Clear();
        _blocks.Add(block);
    }

    /// <summary>Blocks after it are no longer known.</summary>
    public void BackTo(ChainBlock block)
    {
        if (Find(block.Number) != block) throw new InvalidOperationException($"block {block.Number} is not known");
        int kept = (int)(block.Number - _blocks[0].Number) + 1;
        _blocks.RemoveRange(kept, _blocks.Count - kept);
    }
}
