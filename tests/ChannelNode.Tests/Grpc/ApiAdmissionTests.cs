using System.Net;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Engine;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace ChannelNode.Tests.Grpc;

/// <summary>What stands in a request's headers, where clients' libraries would not put it.</summary>
public sealed class ApiAdmissionTests : IAsyncLifetime
{
    private readonly LedgerRig _rig = new();
    private readonly AccessTokenBook _book;
    private readonly ApiAccess _access;

    public ApiAdmissionTests()
    {
        _book = new AccessTokenBook(_rig.Store, _rig.Ledger, new NodeClock(TimeProvider.System), NullLogger<AccessTokenBook>.Instance);
        NodeOptions options = new() { DataDirectory = "", KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        _access = new ApiAccess(_book, options, TimeProvider.System, tokensRequired: true);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _book.Dispose();
        await _rig.DisposeAsync();
    }

    private Refusal Admit(StringValues shown, string from = "127.0.0.1")
    {
        DefaultHttpContext http = new();
        http.Connection.RemoteIpAddress = IPAddress.Parse(from);
        http.Request.Headers.Authorization = shown;
        try
        {
            _access.Admit(http, Scopes.Read, "GetInfo", Reach.ShownChannels).Dispose();
            return Refusal.None;
        }
        catch (RefusalException refusal)
        {
            return refusal.Refusal;
        }
    }

    private async Task<string> SecretAsync(params string[] networks) => (await _book.CreateAsync(
        new AccessTokenOrder("test", Scopes.Read) { Networks = [.. networks.Select(text => IPNetwork.Parse(text))] }, "", CancellationToken.None)).Secret;

    [Fact]
    public async Task WhatCallsSend_CountsWithTheirToken_OrWithTheirAddressWithoutOne()
    {
        string first = "Bearer " + await SecretAsync(), second = "Bearer " + await SecretAsync();
        MessageRoom room = new(100, funded: null);
        object CallerOf(string shown, string from)
        {
            DefaultHttpContext http = new();
            http.Connection.RemoteIpAddress = IPAddress.Parse(from);
            if (shown.Length > 0) http.Request.Headers.Authorization = shown;
            MessageRoom.Part part = room.Enter();
            http.Features.Set(part);
            _access.Knows(http);
            return part.Caller;
        }

        Assert.Equal(CallerOf(first, "10.0.0.1"), CallerOf(first, "10.0.0.2"));
        Assert.NotEqual(CallerOf(first, "10.0.0.1"), CallerOf(second, "10.0.0.1"));
        Assert.Equal(CallerOf("", "10.0.0.1"), CallerOf("", "10.0.0.1"));
    }

    [Fact]
    public async Task SeveralAuthorizationLines_AreNoToken_EvenIfOneIsGood()
    {
        string good = "Bearer " + await SecretAsync();

        Assert.Equal(Refusal.None, Admit(good));
        Assert.Equal(Refusal.None, Admit("bearer " + good[7..]));
        StringValues[] wrong =
        [
            new([good, good]), new([good, "Bearer cn_9_x"]), new(["Bearer cn_9_x", good]), new([good, ""]), new(["", good]),
            new([null, good]), new(""), new("Bearer"), new("Bearer\t" + good[7..]),
        ];
        Assert.All(wrong, shown => Assert.Equal(Refusal.AccessTokenInvalid, Admit(shown)));
        Assert.Equal(Refusal.AccessTokenMissing, Admit(StringValues.Empty));
    }

    [Theory]
    [InlineData("10.1.2.3", Refusal.None)]
    [InlineData("::ffff:10.1.2.3", Refusal.None)]
    [InlineData("11.0.0.1", Refusal.AddressNotAllowed)]
    [InlineData("::ffff:11.0.0.1", Refusal.AddressNotAllowed)]
    [InlineData("fd00::5", Refusal.None)]
    [InlineData("fe00::5", Refusal.AddressNotAllowed)]
    public async Task TokensNetworks_CountForAddressesOfBothKinds(string from, Refusal expected) =>
        Assert.Equal(expected, Admit("Bearer " + await SecretAsync("10.0.0.0/8", "fd00::/16"), from));
}
