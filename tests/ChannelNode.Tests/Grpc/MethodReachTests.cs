using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Storage;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.Grpc;

/// <summary>What is decided of each method for tokens that are for some channels only, and what is decided where nobody has.</summary>
public sealed class MethodReachTests
{
    private static AccessTokenEntry Entry(params ChannelId[] channels)
    {
        AccessToken token = new() { Number = 1, Name = "site", Hash = default, Scopes = Scopes.Read, CreatedAtMs = 1, Channels = channels };
        TokenLine line = new(token);
        return new AccessTokenEntry(line, new PaymentBudget(line, []));
    }

    [Fact]
    public void EveryMethod_HasAReach_AndThoseOfAdminsTheWholeNodes()
    {
        Assert.Equal(Wire.NodeService.Descriptor.Methods.Select(method => method.Name).Order(), MethodReach.Node.Keys.Order());
        Assert.All(
            MethodScopes.Node.Where(it => it.Value == Scopes.Admin), it => Assert.Equal((it.Key, Reach.WholeNode), (it.Key, MethodReach.Node[it.Key])));
    }

    [Theory]
    [InlineData("/channelnode.v1.NodeService/Pay", nameof(Reach.NamedChannels))]
    [InlineData("/channelnode.v1.NodeService/GetStatus", nameof(Reach.WholeNode))]
    [InlineData("/channelnode.v1.NodeService/MadeTomorrow", nameof(Reach.WholeNode))]
    [InlineData("/channelnode.v1.PeerService/Exchange", nameof(Reach.WholeNode))]
    [InlineData("/somebody.Else/Get", nameof(Reach.WholeNode))]
    [InlineData("", nameof(Reach.WholeNode))]
    [InlineData("/grpc.health.v1.Health/Check", nameof(Reach.NoChannel))]
    [InlineData("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", nameof(Reach.NoChannel))]
    public void MethodThatNobodyDecidedAbout_IsTheWholeNodes(string fullName, string reach) => Assert.Equal(reach, $"{MethodReach.Of(fullName)}");

    [Fact]
    public void WhatIsAboutOthersToo_OrAboutNoChannel_IsNotShown()
    {
        ChannelId own = StoreFolder.IdOf(1), second = StoreFolder.IdOf(2), other = StoreFolder.IdOf(3);
        CallerChannels seen = new(Entry(own, second));

        Assert.True(seen.ContainsAll([own]) && seen.ContainsAll([second, own]));
        Assert.False(seen.ContainsAll([]) || seen.ContainsAll([other]) || seen.ContainsAll([own, other]));
        foreach (CallerChannels all in (CallerChannels[])[new(Entry()), default]) Assert.True(all.ContainsAll([]) && all.ContainsAll([own, other]));
    }

    [Fact]
    public void ChannelOfSomebodyElse_IsRefusedByName()
    {
        CallerChannels seen = new(Entry(StoreFolder.IdOf(1)));

        Assert.Equal(StoreFolder.IdOf(1), seen.Require(StoreFolder.IdOf(1)));
        RefusalException refused = Assert.Throws<RefusalException>(() => seen.Require(StoreFolder.IdOf(3), "channel_ids"));
        Assert.Equal((Refusal.ChannelNotAllowed, "channel_ids", StoreFolder.IdOf(3).ToString()), (refused.Refusal, refused.Field, refused.Value));
        Assert.Equal(StoreFolder.IdOf(3), default(CallerChannels).Require(StoreFolder.IdOf(3)));
    }
}
