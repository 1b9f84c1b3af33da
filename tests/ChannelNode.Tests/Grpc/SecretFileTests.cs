using System.Runtime.Versioning;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Engine;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace ChannelNode.Tests.Grpc;

/// <summary>The secrets that a node makes for its doors are whole under their names or not there, whenever it dies, and its owner's alone.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class SecretFileTests : IAsyncLifetime
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-").FullName;
    private readonly LedgerRig _rig = new();
    private readonly AccessTokenBook _tokens;

    public SecretFileTests() =>
        _tokens = new AccessTokenBook(_rig.Store, _rig.Ledger, new NodeClock(TimeProvider.System), NullLogger<AccessTokenBook>.Instance);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _tokens.Dispose();
        await _rig.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private string PathOf(string name) => Path.Combine(_folder, name);

    private async Task MakeAsync()
    {
        NodeOptions options = new() { DataDirectory = _folder, KeyFile = "", RpcUrl = "", Contract = Address.Zero };
        TlsCertificate.Open(options, [DoorAddress.Parse("127.0.0.1:9801")], TimeProvider.System, NullLogger.Instance);
        await AdminToken.WriteAsync(_tokens, _folder, NullLogger.Instance, CancellationToken.None);
    }

    [Theory]
    [InlineData("tls.key")]
    [InlineData("tls.cert")]
    [InlineData("admin.token")]
    public async Task WhatADeadProcessLeftOfASecret_IsReplaced_AndNobodyElseReadsTheNewOne(string name)
    {
        File.WriteAllText(PathOf(name + ".new"), new string('!', 10_000));
        File.SetUnixFileMode(PathOf(name + ".new"), OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.OtherRead);

        await MakeAsync();

        Assert.Equal(OwnerOnly, File.GetUnixFileMode(PathOf(name)));
        Assert.DoesNotContain("!", File.ReadAllText(PathOf(name)));
        Assert.EndsWith("\n", File.ReadAllText(PathOf(name)));
        Assert.Equal(["admin.token", "tls.cert", "tls.key"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order());
    }

    /// <summary>Written where the name leads, it would be there by half for a while: a link tells the one from the other.</summary>
    [Theory]
    [InlineData("tls.cert")]
    [InlineData("admin.token")]
    public async Task Secret_TakesItsName_WhenItIsWhole(string name)
    {
        File.CreateSymbolicLink(PathOf(name), PathOf("elsewhere"));

        await MakeAsync();

        Assert.False(File.Exists(PathOf("elsewhere")));
        Assert.Null(new FileInfo(PathOf(name)).LinkTarget);
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(PathOf(name)));
    }

    /// <summary>Else it would be the one that there is for ever, and nobody could make another.</summary>
    [Fact]
    public async Task FirstToken_IsNone_WhileItsSecretCouldNotBeWritten()
    {
        Directory.CreateDirectory(PathOf("admin.token"));

        await Assert.ThrowsAnyAsync<Exception>(MakeAsync);
        Assert.False(_tokens.HasAdmin);

        Directory.Delete(PathOf("admin.token"));
        await MakeAsync();
        Assert.Equal(Scopes.Admin, _tokens.Require(File.ReadAllText(PathOf("admin.token")).Trim()).Token.Scopes);
    }

    [Fact]
    public async Task FirstToken_IsNotMadeAgain_WhileItIsGood()
    {
        await MakeAsync();
        string secret = File.ReadAllText(PathOf("admin.token"));

        await MakeAsync();

        Assert.Equal(secret, File.ReadAllText(PathOf("admin.token")));
    }
}
