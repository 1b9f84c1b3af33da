using ChannelNode.Grpc;
using Xunit;

namespace ChannelNode.Tests.Grpc;

public sealed class PulseTests
{
    private readonly List<ulong> _said = [];
    private int _begun;

    private Pulse Of(TimeSpan every) => new(
        () =>
        {
            _begun++;
            return Task.CompletedTask;
        },
        cursor =>
        {
            _said.Add(cursor);
            return Task.CompletedTask;
        },
        every);

    [Fact]
    public async Task WithNothingToTell_ItSpeaksAgainAndAgain()
    {
        using Pulse pulse = Of(TimeSpan.FromMilliseconds(20));
        for (ulong cursor = 1; cursor <= 3; cursor++)
        {
            await pulse.WaitAsync(until => Task.Delay(Timeout.Infinite, until), CancellationToken.None);
            // The clocks of waiting and speaking need not agree to the millisecond.
            for (int look = 0; look < 1_000 && _said.Count < (int)cursor; look++)
            {
                await pulse.SpeakAsync(cursor);
                await Task.Delay(1);
            }
        }

        Assert.Equal([1ul, 2, 3], _said);
        Assert.Equal(3, _begun);
    }

    [Fact]
    public async Task WhereSomethingWasTold_ItIsSilent()
    {
        using Pulse pulse = Of(TimeSpan.FromMinutes(10));
        await pulse.WaitAsync(_ => Task.CompletedTask, CancellationToken.None);
        await pulse.SpeakAsync(1);
        pulse.Told();
        await pulse.SpeakAsync(2);

        Assert.Empty(_said);
    }

    [Fact]
    public async Task CallersEnd_EndsTheWaiting_AndIsNoPulse()
    {
        using Pulse pulse = Of(TimeSpan.FromMinutes(10));
        using CancellationTokenSource gone = new();
        Task waiting = pulse.WaitAsync(until => Task.Delay(Timeout.Infinite, until), gone.Token);
        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Empty(_said);
    }
}
