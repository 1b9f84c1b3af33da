using System.IO.Pipelines;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Xunit;

namespace ChannelNode.Tests.Grpc;

public sealed class MeteredBodyTests
{
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));
    private readonly MessageRoom _room = new(1 << 20, funded: null);
    private readonly DefaultHttpContext _http = new();

    /// <summary>What a call sees whose body is this pipe's.</summary>
    private async Task CallAsync(Func<PipeReader, MessageRoom.Part, Task> call, bool isKnown = true, PipeReader? body = null)
    {
        _http.Features.Set<IRequestBodyPipeFeature>(new Body(body ?? _pipe.Reader));
        await MeteredBody.MeterAsync(_http, http => call(http.Request.BodyReader, MeteredBody.PartOf(http)), _room, _ => isKnown);
    }

    [Fact]
    public Task WhatIsNotWhole_IsCounted_AndWhatWasTaken_UntilTheNextIsAskedFor() => CallAsync(async (reader, part) =>
    {
        await _pipe.Writer.WriteAsync(new byte[100]);
        ReadResult read = await reader.ReadAsync();
        reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        Assert.Equal(100, part.Bytes);

        await _pipe.Writer.WriteAsync(new byte[50]);
        read = await reader.ReadAsync();
        reader.AdvanceTo(read.Buffer.GetPosition(120), read.Buffer.GetPosition(120)); // Whole, and in somebody's hands.
        Assert.Equal((150, 150), (part.Bytes, _room.Held));

        Assert.True(reader.TryRead(out read));
        Assert.Equal(30, part.Bytes);
        reader.AdvanceTo(read.Buffer.End);
        Assert.Equal(30, part.Bytes);
        ValueTask<ReadResult> next = reader.ReadAsync();
        Assert.Equal(0, part.Bytes);
        reader.CancelPendingRead();
        Assert.True((await next).IsCanceled);
    });

    [Fact]
    public Task CallerThatIsNotKnown_MayNotHaveMuchWait() => CallAsync(
        async (reader, _) =>
        {
            await _pipe.Writer.WriteAsync(new byte[MeteredBody.UnknownBytesMax + 1]);
            ReadResult read = await reader.ReadAsync();
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);

            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => reader.ReadAsync().AsTask());
            Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        },
        isKnown: false);

    [Fact]
    public Task CallerThatHasToGiveWay_IsToldSo_WhileItsReaderWaits() => CallAsync(async (reader, _) =>
    {
        ValueTask<ReadResult> waiting = reader.ReadAsync();
        using MessageRoom.Part other = _room.Enter();
        MeteredBody.PartOf(_http).Add(1);
        other.Add(1 << 20);
        Assert.False(waiting.IsCompleted); // The other held more.

        MeteredBody.PartOf(_http).Add((1 << 20) + 1);
        RpcException why = await Assert.ThrowsAsync<RpcException>(() => waiting.AsTask());
        Assert.Equal(StatusCode.ResourceExhausted, why.StatusCode);
    });

    /// <summary>Whoever makes room must not fall by it.</summary>
    [Fact]
    public async Task CallThatWasReset_OrIsOver_IsEndedWithoutAnError()
    {
        MessageRoom.Part? ended = null;
        await CallAsync(
            (_, part) =>
            {
                ended = part;
                part.Add(1 << 20);
                using MessageRoom.Part honest = _room.Enter();
                honest.Add(1);
                Assert.Equal(Refusal.TooManyBytes, part.Why?.Refusal);
                return Task.CompletedTask;
            },
            body: new Reset());
        Assert.Equal(0, _room.Held);
        Assert.Null(Record.Exception(() => ended!.Add(1 << 21)));
    }

    private sealed class Body(PipeReader reader) : IRequestBodyPipeFeature
    {
        public PipeReader Reader => reader;
    }

    /// <summary>As Kestrel's where the caller has reset the stream.</summary>
    private sealed class Reset : PipeReader
    {
        public override void CancelPendingRead() => throw new TaskCanceledException();

        public override bool TryRead(out ReadResult result) => throw new IOException();

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => throw new IOException();

        public override void AdvanceTo(SequencePosition consumed) { }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) { }

        public override void Complete(Exception? exception = null) { }
    }
}
