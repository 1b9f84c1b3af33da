using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Simulation;
using Xunit;

namespace ChannelNode.Tests.Grpc;

/// <summary>A second's worth at once, then as many as the limit says.</summary>
public sealed class CallAllowanceTests
{
    private readonly SimulatedTime _time = new();

    private int Taken(CallAllowance allowance, int tries)
    {
        int taken = 0;
        for (int count = 0; count < tries; count++)
        {
            try
            {
                allowance.Pass("somebody");
                taken++;
            }
            catch (RefusalException refusal) when (refusal.Refusal == Refusal.RateLimited)
            {
            }
        }

        return taken;
    }

    [Fact]
    public void CallsBeyondASecondsWorth_WaitTheirTurn()
    {
        CallAllowance allowance = new(_time, perSecondMax: 10, openMax: 1);

        Assert.Equal(10, Taken(allowance, 100));
        RefusalException refusal = Assert.Throws<RefusalException>(() => allowance.Pass("somebody"));
        Assert.Equal(("requests_per_second", "10", TimeSpan.FromMilliseconds(100)), (refusal.Field, refusal.Limit, refusal.RetryAfter));

        _time.Advance(99);
        Assert.Equal(0, Taken(allowance, 1));
        _time.Advance(1);
        Assert.Equal(1, Taken(allowance, 100));
        _time.Advance(500);
        Assert.Equal(5, Taken(allowance, 100));
        _time.Advance(60_000);
        Assert.Equal(10, Taken(allowance, 100));
    }

    [Fact]
    public void CallsThatAreOpen_AreCounted()
    {
        CallAllowance allowance = new(_time, perSecondMax: 100, openMax: 2);
        allowance.Enter("somebody");
        allowance.Enter("somebody");

        RefusalException refusal = Assert.Throws<RefusalException>(() => allowance.Enter("somebody"));

        Assert.Equal((Refusal.TooManyStreams, "streams", "3", "2"), (refusal.Refusal, refusal.Field, refusal.Value, refusal.Limit));
        allowance.Leave();
        allowance.Enter("somebody");
    }

    [Fact]
    public void MoreAddressesThanAreRemembered_ShareOneAllowance_UntilOthersAreIdle()
    {
        AddressAllowances allowances = new(_time, perSecondMax: 10, openMax: 5, addressesMax: 2);
        CallAllowance first = allowances.Of(IPAddress.Parse("10.0.0.1"));
        first.Pass("first");
        allowances.Of(IPAddress.Parse("10.0.0.2")).Enter("second");

        Assert.Same(allowances.Of(IPAddress.Parse("10.0.0.3")), allowances.Of(IPAddress.Parse("10.0.0.4")));
        Assert.Same(first, allowances.Of(IPAddress.Parse("::ffff:10.0.0.1")));
        _time.Advance(1_000);

        Assert.NotSame(allowances.Of(IPAddress.Parse("10.0.0.3")), allowances.Of(IPAddress.Parse("10.0.0.4")));
    }
}
