using System.Buffers.Binary;
using System.Security.Cryptography;
using ChannelNode.Engine;

namespace ChannelNode.Backups;

/// <summary>
/// age's payload: a nonce of 16 bytes, then chunks of 64 KiB, each under ChaCha20-Poly1305 with its number and whether it
/// is the last as nonce. So no chunk can be changed, left out, moved or put at the end without being noticed.
/// </summary>
internal sealed class AgeChunks : IDisposable
{
    public const int SaltBytes = 16;
    public const int ChunkBytes = 64 * 1024;
    public const int TagBytes = 16;

    private const int NonceBytes = 12;
    private const int KeyBytes = 32;

    private readonly ChaCha20Poly1305 _cipher;
    private readonly byte[] _nonce = new byte[NonceBytes];
    private ulong _number;

    public AgeChunks(byte[] fileKey, byte[] salt) => _cipher = new ChaCha20Poly1305(
        HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, KeyBytes, salt, "payload"u8.ToArray()));

    public void Encrypt(ReadOnlySpan<byte> plain, Span<byte> target, bool isLast) =>
        _cipher.Encrypt(NextNonce(isLast), plain, target[..plain.Length], target.Slice(plain.Length, TagBytes));

    /// <summary>False when it is not what was encrypted at this place.</summary>
    public bool TryDecrypt(ReadOnlySpan<byte> chunk, Span<byte> plain, bool isLast)
    {
        try
        {
            _cipher.Decrypt(NextNonce(isLast), chunk[..^TagBytes], chunk[^TagBytes..], plain[..(chunk.Length - TagBytes)]);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    private byte[] NextNonce(bool isLast)
    {
        BinaryPrimitives.WriteUInt64BigEndian(_nonce.AsSpan(3, 8), _number++);
        _nonce[^1] = isLast ? (byte)1 : (byte)0;
        return _nonce;
    }

    public void Dispose() => _cipher.Dispose();
}

/// <summary>Encrypts to an age file. What was written is whole only after <see cref="FinishAsync"/>.</summary>
internal sealed class AgeWriteStream : SequentialStream
{
    private readonly Stream _target;
    private readonly AgeChunks _chunks;
    private readonly byte[] _plain = new byte[AgeChunks.ChunkBytes];
    private readonly byte[] _sealed = new byte[AgeChunks.ChunkBytes + AgeChunks.TagBytes];
    private readonly byte[] _beginning;
    private int _filled;
    private bool _hasBegun;

    public AgeWriteStream(Stream target, IReadOnlyList<AgeRecipient> recipients)
    {
        _target = target;
        using MemoryStream beginning = new();
        byte[] fileKey = AgeHeader.Write(beginning, recipients);
        byte[] salt = RandomNumberGenerator.GetBytes(AgeChunks.SaltBytes);
        beginning.Write(salt);
        _beginning = beginning.ToArray();
        _chunks = new AgeChunks(fileKey, salt);
        CryptographicOperations.ZeroMemory(fileKey);
    }

    public override bool CanWrite => true;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default)
    {
        while (!bytes.IsEmpty)
        {
            // A full chunk leaves when more comes: only then is it not the last.
            if (_filled == _plain.Length) await LeaveAsync(isLast: false, cancellationToken);
            int taken = Math.Min(bytes.Length, _plain.Length - _filled);
            bytes.Span[..taken].CopyTo(_plain.AsSpan(_filled));
            _filled += taken;
            bytes = bytes[taken..];
        }
    }

    /// <summary>Writes the last chunk; nothing more may follow.</summary>
    public Task FinishAsync(CancellationToken cancel) => LeaveAsync(isLast: true, cancel);

    private async Task LeaveAsync(bool isLast, CancellationToken cancel)
    {
        if (!_hasBegun) await _target.WriteAsync(_beginning, cancel);
        _hasBegun = true;
        _chunks.Encrypt(_plain.AsSpan(0, _filled), _sealed, isLast);
        await _target.WriteAsync(_sealed.AsMemory(0, _filled + AgeChunks.TagBytes), cancel);
        _filled = 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _chunks.Dispose();
        CryptographicOperations.ZeroMemory(_plain);
        base.Dispose(disposing);
    }
}

/// <summary>Decrypts an age file; throws <see cref="RefusalException"/> with BackupDamaged at the first byte that is not as it was.</summary>
internal sealed class AgeReadStream : SequentialStream
{
    private readonly Stream _source;
    private readonly AgeChunks _chunks;
    private readonly byte[] _plain = new byte[AgeChunks.ChunkBytes];
    private byte[] _next = new byte[AgeChunks.ChunkBytes + AgeChunks.TagBytes];
    private byte[] _chunk = new byte[AgeChunks.ChunkBytes + AgeChunks.TagBytes];
    private int _nextBytes;
    private int _from;
    private int _to;
    private bool _isFirst = true;
    private bool _isOver;

    /// <summary>Reads the header.</summary>
    public AgeReadStream(Stream source, IReadOnlyList<AgeIdentity> identities)
    {
        _source = source;
        byte[] fileKey = AgeHeader.Read(source, identities);
        var salt = new byte[AgeChunks.SaltBytes];
        if (source.ReadAtLeast(salt, salt.Length, throwOnEndOfStream: false) < salt.Length) throw Truncated();
        _chunks = new AgeChunks(fileKey, salt);
        CryptographicOperations.ZeroMemory(fileKey);
    }

    public override bool CanRead => true;

    public override async ValueTask<int> ReadAsync(Memory<byte> target, CancellationToken cancellationToken = default)
    {
        if (target.IsEmpty) return 0;
        while (_from == _to)
        {
            if (_isOver) return 0;
            await OpenNextAsync(cancellationToken);
        }

        int taken = Math.Min(target.Length, _to - _from);
        _plain.AsMemory(_from, taken).CopyTo(target);
        _from += taken;
        return taken;
    }

    /// <summary>Reads on to the end, so that every chunk was checked, also those behind what anybody wanted.</summary>
    public async Task CheckRestAsync(CancellationToken cancel)
    {
        var rest = new byte[AgeChunks.ChunkBytes];
        while (await ReadAsync(rest, cancel) > 0) { }
    }

    /// <summary>Which chunk is the last is known from what follows it: nothing.</summary>
    private async Task OpenNextAsync(CancellationToken cancel)
    {
        if (_isFirst) _nextBytes = await _source.ReadAtLeastAsync(_next, _next.Length, throwOnEndOfStream: false, cancel);
        (_chunk, _next) = (_next, _chunk);
        int bytes = _nextBytes;
        _nextBytes = bytes < _chunk.Length ? 0 : await _source.ReadAtLeastAsync(_next, _next.Length, throwOnEndOfStream: false, cancel);
        bool isLast = _nextBytes == 0;
        if (bytes < AgeChunks.TagBytes) throw Truncated();
        if (!_chunks.TryDecrypt(_chunk.AsSpan(0, bytes), _plain, isLast)) throw isLast ? CutOrChanged() : Changed();
        (_from, _to) = (0, bytes - AgeChunks.TagBytes);
        if (_to == 0 && !_isFirst) throw Changed(); // Only a file of nothing ends in nothing.
        _isFirst = false;
        _isOver = isLast;
    }

    private static RefusalException Truncated() => AgeHeader.Damaged("its end is missing");

    private static RefusalException CutOrChanged() => AgeHeader.Damaged("its end is missing or was changed");

    private static RefusalException Changed() => AgeHeader.Damaged("it was changed since it was written");

    protected override void Dispose(bool disposing)
    {
        if (disposing) _chunks.Dispose();
        CryptographicOperations.ZeroMemory(_plain);
        base.Dispose(disposing);
    }
}

/// <summary>A stream that is only read, or only written, from its beginning to its end, without holding up a thread.</summary>
internal abstract class SequentialStream : Stream
{
    public override bool CanRead => false;

    public override bool CanWrite => false;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() { }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
        ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Write(byte[] buffer, int offset, int count) =>
        WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
