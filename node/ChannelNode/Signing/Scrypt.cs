using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ChannelNode.Signing;

/// <summary>
/// scrypt (RFC 7914) in memory that is zeroed afterwards and that the garbage collector never sees. BouncyCastle's leaves
/// its memory behind, and refuses the r of 1 with which some keystores were made.
/// </summary>
internal static unsafe class Scrypt
{
    private const int SalsaWords = 16;
    private const int SalsaBytes = SalsaWords * sizeof(uint);

    /// <summary>
    /// <paramref name="n"/> is a power of two from 2 on. Takes 128 * n * r bytes, and time in proportion to n * r * p: all of
    /// them were checked before.
    /// </summary>
    public static void DeriveKey(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int n, int r, int p, Span<byte> target)
    {
        if (!BitConverter.IsLittleEndian) throw new PlatformNotSupportedException("scrypt is written for little-endian machines");
        nuint blockBytes = (nuint)(2 * r * SalsaBytes), allBytes = blockBytes * (nuint)p;
        nuint workBytes = blockBytes * ((nuint)n + 1);
        byte* blocks = (byte*)NativeMemory.Alloc(allBytes);
        byte* work = null;
        try
        {
            work = (byte*)NativeMemory.Alloc(workBytes);
            Rfc2898DeriveBytes.Pbkdf2(password, salt, new Span<byte>(blocks, (int)allBytes), 1, HashAlgorithmName.SHA256);
            for (int index = 0; index < p; index++)
                Mix((uint*)(blocks + (nuint)index * blockBytes), (uint*)work, n, r);
            Rfc2898DeriveBytes.Pbkdf2(password, new ReadOnlySpan<byte>(blocks, (int)allBytes), target, 1, HashAlgorithmName.SHA256);
        }
        finally
        {
            Free(blocks, allBytes);
            Free(work, workBytes);
        }
    }

    private static void Free(byte* memory, nuint size)
    {
        if (memory == null) return;
        NativeMemory.Clear(memory, size);
        NativeMemory.Free(memory);
    }

    /// <summary>scryptROMix, two steps at a time. <paramref name="work"/> has room for n blocks and one to mix into.</summary>
    private static void Mix(uint* block, uint* work, int n, int r)
    {
        nuint words = (nuint)(2 * r * SalsaWords);
        uint* spare = work + (nuint)n * words;
        for (nuint index = 0; index < (nuint)n; index += 2)
        {
            Copy(block, work + index * words, words);
            MixBlock(block, spare, r);
            Copy(spare, work + (index + 1) * words, words);
            MixBlock(spare, block, r);
        }

        uint mask = (uint)(n - 1);
        for (int index = 0; index < n; index += 2)
        {
            Add(block, work + (block[words - SalsaWords] & mask) * words, words);
            MixBlock(block, spare, r);
            Add(spare, work + (spare[words - SalsaWords] & mask) * words, words);
            MixBlock(spare, block, r);
        }
    }

    private static void Copy(uint* from, uint* to, nuint words) =>
        new ReadOnlySpan<uint>(from, (int)words).CopyTo(new Span<uint>(to, (int)words));

    private static void Add(uint* target, uint* other, nuint words)
    {
        for (nuint word = 0; word < words; word++) target[word] ^= other[word];
    }

    /// <summary>scryptBlockMix: 2 * r pieces; the even ones become the first half, the odd ones the second.</summary>
    private static void MixBlock(uint* from, uint* to, int r)
    {
        uint* mixed = from + (2 * r - 1) * SalsaWords;
        for (int index = 0; index < 2 * r; index++)
        {
            uint* target = to + (index / 2 + (index % 2) * r) * SalsaWords;
            uint* piece = from + index * SalsaWords;
            for (int word = 0; word < SalsaWords; word++) target[word] = mixed[word] ^ piece[word];
            Salsa(target);
            mixed = target;
        }
    }

    /// <summary>Salsa20/8 of 16 words, in place.</summary>
    private static void Salsa(uint* words)
    {
        uint* x = stackalloc uint[SalsaWords];
        for (int word = 0; word < SalsaWords; word++) x[word] = words[word];
        for (int round = 0; round < 8; round += 2)
        {
            Quarter(ref x[0], ref x[4], ref x[8], ref x[12]);
            Quarter(ref x[5], ref x[9], ref x[13], ref x[1]);
            Quarter(ref x[10], ref x[14], ref x[2], ref x[6]);
            Quarter(ref x[15], ref x[3], ref x[7], ref x[11]);
            Quarter(ref x[0], ref x[1], ref x[2], ref x[3]);
            Quarter(ref x[5], ref x[6], ref x[7], ref x[4]);
            Quarter(ref x[10], ref x[11], ref x[8], ref x[9]);
            Quarter(ref x[15], ref x[12], ref x[13], ref x[14]);
        }

        for (int word = 0; word < SalsaWords; word++) words[word] += x[word];
    }

    private static void Quarter(ref uint a, ref uint b, ref uint c, ref uint d)
    {
        b ^= BitOperations.RotateLeft(a + d, 7);
        c ^= BitOperations.RotateLeft(b + a, 9);
        d ^= BitOperations.RotateLeft(c + b, 13);
        a ^= BitOperations.RotateLeft(d + c, 18);
    }
}
