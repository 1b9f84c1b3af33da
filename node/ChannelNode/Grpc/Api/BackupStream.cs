using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>One CreateBackup call: the file's bytes, as they are made. A caller that reads nothing for a minute loses it.</summary>
internal sealed class BackupStream(IServerStreamWriter<Wire.CreateBackupResponse> responses) : Stream
{
    /// <summary>Longer nothing waits for a caller: the copy holds on to files that the database would let go of.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private ulong _expected;

    public static async Task RunAsync(
        Node node, Wire.CreateBackupRequest request, IServerStreamWriter<Wire.CreateBackupResponse> responses, CancellationToken cancel)
    {
        BackupDesk desk = node.Backups ?? throw new RefusalException(Refusal.NotReady, "the node is starting");
        await using BackupStream stream = new(responses);
        BackupMade made = await desk.WriteAsync(request.Recipients, stream, bytes => stream._expected = bytes, cancel);
        Wire.BackupSummary summary = new()
        {
            AtMs = made.AtMs,
            Channels = made.Channels,
            BlockNumber = made.Block,
            ReceivedCursor = made.ReceivedCursor,
        };
        await responses.WriteAsync(new Wire.CreateBackupResponse { Summary = summary }, cancel);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Wire.CreateBackupResponse response = new() { Data = ByteString.CopyFrom(buffer.Span), BytesExpected = _expected };
        _expected = 0;
        try
        {
            await responses.WriteAsync(response, cancellationToken).WaitAsync(Patience, cancellationToken);
        }
        catch (TimeoutException error)
        {
            throw new RefusalException(Refusal.NotReady, "the caller reads too slowly for a backup", error);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() { }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
