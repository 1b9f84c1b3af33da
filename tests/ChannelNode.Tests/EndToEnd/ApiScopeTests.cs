using System.Text.RegularExpressions;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Tidy;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>Every method asks for the one scope that the proto's words give it, against a real node.</summary>
[Collection(DoorsCollection.Name)]
public sealed partial class ApiScopeTests(AnvilFixture anvil)
{
    private static readonly string[] TokenRefusals =
    [
        "ACCESS_TOKEN_MISSING", "ACCESS_TOKEN_INVALID", "ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_REVOKED", "SCOPE_MISSING", "ADDRESS_NOT_ALLOWED",
    ];

    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(bytes => bytes, bytes => bytes);

    /// <summary>For every token, as access.proto says above the scopes.</summary>
    private static readonly string[] ForAll = ["GetAccessToken", "NarrowAccessToken", "RevokeNarrowedAccessToken"];

    private static ServiceDescriptor Service => Wire.NodeService.Descriptor;

    /// <summary>As access.proto says it, in the comment of each scope.</summary>
    private static Dictionary<string, Wire.Scope> Documented()
    {
        string[] names = [.. Service.Methods.Select(method => method.Name)];
        string proto = File.ReadAllText(Repository.PathOf("proto/channelnode/v1/access.proto"));
        Dictionary<string, Wire.Scope> scopes = [];
        foreach (Match match in ScopeWithComment().Matches(proto))
        {
            Wire.Scope scope = Enum.Parse<Wire.Scope>(match.Groups["name"].Value, ignoreCase: true);
            foreach (Match word in Word().Matches(match.Groups["comment"].Value))
                if (names.Contains(word.Value)) scopes.Add(word.Value, scope); // A second scope for a method would throw.
        }

        return scopes;
    }

    [Fact]
    public void EveryMethod_AsksForOneScope()
    {
        Assert.Equal(Service.Methods.Select(method => method.Name).Order(), MethodScopes.Node.Keys.Order());
        Assert.Equal(ForAll, MethodScopes.Node.Where(entry => entry.Value == MethodScopes.Any).Select(entry => entry.Key).Order());
        string[] names = [.. MethodScopes.Node.Keys.Except(ForAll).Order()];
        Assert.Equal(names, Documented().Keys.Order());
        Assert.All(Documented(), entry => Assert.Equal(
            entry.Value, Enum.Parse<Wire.Scope>(MethodScopes.Node[entry.Key].ToString())));
        Assert.All(names.Select(name => MethodScopes.Node[name]), scope => Assert.Contains(scope, (Scopes[])[Scopes.Read, Scopes.Pay, Scopes.Channels, Scopes.Admin]));
    }

    [Fact]
    public async Task EveryScope_OpensItsMethodsAndNoOther()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(chain, options => options with { AccessTokenRequired = true });
        string admin = (await File.ReadAllTextAsync(Path.Combine(node.DataDirectory, "admin.token"))).Trim();
        using ApiCaller caller = new(node.Host.ApiUrl);
        Dictionary<Wire.Scope, string> secrets = new() { [Wire.Scope.Unspecified] = "" };
        foreach (Wire.Scope scope in (Wire.Scope[])[Wire.Scope.Read, Wire.Scope.Pay, Wire.Scope.Channels, Wire.Scope.Admin])
        {
            secrets[scope] = (await caller.CreateAccessTokenAsync(admin, request =>
            {
                request.Scopes.Add(scope);
                request.Uncapped = scope == Wire.Scope.Pay;
            })).Secret;
        }

        Dictionary<string, Wire.Scope> documented = Documented();
        IEnumerable<(MethodDescriptor Method, Wire.Scope Has, string Secret)> calls =
            from method in Service.Methods
            where !ForAll.Contains(method.Name)
            from secret in secrets
            select (method, secret.Key, secret.Value);
        foreach ((MethodDescriptor Method, Wire.Scope Has, string Secret)[] some in calls.Chunk(40))
        {
            Assert.All(
                await Task.WhenAll(some.Select(it => WrongAsync(caller, it.Method, documented[it.Method.Name], it.Has, it.Secret))), Assert.Null);
        }
    }

    /// <summary>Also one that is for a single method; and nobody sees another's.</summary>
    [Fact]
    public async Task EveryTokenSeesItself_AndWhatItHasSpent()
    {
        await using TestChain chain = await TestChain.OpenAsync(anvil);
        await using TestNode node = await TestNode.StartAsync(chain, options => options with { AccessTokenRequired = true });
        string admin = (await File.ReadAllTextAsync(Path.Combine(node.DataDirectory, "admin.token"))).Trim();
        using ApiCaller caller = new(node.Host.ApiUrl);
        async Task<Wire.AccessToken> SeenAsync(Metadata shown) =>
            (await caller.Api.GetAccessTokenAsync(new Wire.GetAccessTokenRequest(), shown)).AccessToken;

        Wire.CreateAccessTokenResponse payer = await caller.CreateAccessTokenAsync(admin, request =>
        {
            request.Name = "payer";
            request.Methods.Add("Pay");
            request.Caps.Add(new Wire.SpendingCap { PerDay = "5" });
        });

        Assert.Equal(payer.AccessToken, await SeenAsync(ApiCaller.Showing(payer.Secret)));
        Assert.Equal("payer", (await SeenAsync(ApiCaller.Showing(payer.Secret))).Name);
        Assert.Contains(Wire.Scope.Admin, (await SeenAsync(ApiCaller.Showing(admin))).Scopes);
        await Refusals.AssertRefusedAsync(() => SeenAsync([]), StatusCode.Unauthenticated, "ACCESS_TOKEN_MISSING");
        RpcException useless = await Assert.ThrowsAsync<RpcException>(
            () => caller.CreateAccessTokenAsync(admin, request => request.Methods.Add("GetAccessToken")));
        Refusals.AssertIs(useless, StatusCode.InvalidArgument, "INVALID_ARGUMENT", "methods");

        await using TestNode open = await TestNode.StartAsync(chain);
        await Refusals.AssertRefusedAsync(
            async () => await open.Api.GetAccessTokenAsync(new Wire.GetAccessTokenRequest()), StatusCode.Unauthenticated, "ACCESS_TOKEN_MISSING");
    }

    private static async Task<string?> WrongAsync(
        ApiCaller caller, MethodDescriptor method, Wire.Scope needed, Wire.Scope has, string secret)
    {
        string? expected = has == Wire.Scope.Unspecified ? "ACCESS_TOKEN_MISSING"
            : has == needed || has == Wire.Scope.Admin ? null
            : "SCOPE_MISSING";
        string answer = await AnswerAsync(caller, method, secret, TimeSpan.FromSeconds(expected is null ? 2 : 60));
        bool right = expected is null ? !TokenRefusals.Contains(answer) : answer == expected;
        return right ? null : $"{method.Name} with {has}: {answer}, expected {expected ?? "to be let in"}";
    }

    /// <summary>An empty request, as bytes; a stream that says nothing in time has let the caller in.</summary>
    private static async Task<string> AnswerAsync(ApiCaller caller, MethodDescriptor method, string secret, TimeSpan time)
    {
        CallOptions options = new(secret.Length == 0 ? [] : ApiCaller.Showing(secret), DateTime.UtcNow + time);
        MethodType type = method.IsClientStreaming ? MethodType.DuplexStreaming
            : method.IsServerStreaming ? MethodType.ServerStreaming
            : MethodType.Unary;
        Method<byte[], byte[]> call = new(type, Service.FullName, method.Name, Bytes, Bytes);
        CallInvoker invoker = caller.Channel.CreateCallInvoker();
        try
        {
            switch (type)
            {
                case MethodType.Unary:
                    await invoker.AsyncUnaryCall(call, null, options, []);
                    break;
                case MethodType.ServerStreaming:
                    using (var stream = invoker.AsyncServerStreamingCall(call, null, options, []))
                        await stream.ResponseStream.MoveNext(CancellationToken.None);
                    break;
                default:
                    using (var stream = invoker.AsyncDuplexStreamingCall(call, null, options))
                    {
                        await stream.RequestStream.CompleteAsync();
                        await stream.ResponseStream.MoveNext(CancellationToken.None);
                    }

                    break;
            }

            return "OK";
        }
        catch (RpcException error) when (error.StatusCode == StatusCode.DeadlineExceeded)
        {
            return "OK";
        }
        catch (RpcException error)
        {
            return Refusals.NameOf(error);
        }
    }

    [GeneratedRegex(@"(?<comment>(^\s+//.*\n)+)\s+SCOPE_(?<name>\w+) = \d+;", RegexOptions.Multiline)]
    private static partial Regex ScopeWithComment();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}
