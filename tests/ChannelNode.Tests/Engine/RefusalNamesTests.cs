using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using Xunit;

namespace ChannelNode.Tests.Engine;

/// <summary>A refusal has one name wherever people read it: that of the proto.</summary>
public sealed class RefusalNamesTests
{
    [Fact]
    public void Name_IsTheProtos()
    {
        foreach (Refusal refusal in Enum.GetValues<Refusal>().Where(refusal => refusal != Refusal.None))
            Assert.Equal(RefusalStatus.NameOf(refusal), refusal.Name());
        Assert.Equal("PEER_REFUSING", Refusal.PeerRefusing.Name());
        Assert.Equal("255", ((Refusal)255).Name()); // Of a newer program, maybe.
    }

    [Fact]
    public void EventsAndLogs_SayIt()
    {
        Job job = new()
        {
            Number = 7,
            Kind = JobKind.Close,
            Purpose = "close",
            Channels = [],
            Call = new ChainCall("close", default, UInt128.Zero, default),
            CreatedAtSeconds = 1,
        };
        using LoggedLines log = new();

        log.CreateLogger("x").UpdateRefused(default, 5, Refusal.PeerRefusing.Name());

        Assert.Equal("job 7 (close): waits, FEE_TOO_HIGH: too much", JobEvents.Waits(job, Refusal.FeeTooHigh, "too much").Sentence);
        Job failed = job with { Status = JobStatus.Failed, Refusal = Refusal.PeerRefusing, Message = "not now" };
        Assert.Equal("job 7 (close): failed, PEER_REFUSING: not now", Assert.Single(JobEvents.Between(job, failed)).Sentence);
        Assert.EndsWith("the peer refused our update of 5: PEER_REFUSING", Assert.Single(log.All));
    }
}
