using System.Collections;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using ChannelNode.Tests.Cli;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Xunit;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Tests.EndToEnd;

/// <summary>A token for one channel of a node that has another one, with another peer: what it does there and sees of it, by every call.</summary>
[Collection(DoorsCollection.Name)]
public sealed partial class ConfinedTokenTests(AnvilFixture anvil) : IAsyncLifetime
{
    private const string NotAllowed = "CHANNEL_NOT_ALLOWED";
    private const string OtherDeposit = "777777777", OtherPayment = "666666", OtherKey = "other-key", OtherItem = "other-item";

    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(bytes => bytes, bytes => bytes);

    private TestChain _chain = null!;
    private TestNode _node = null!;
    private TestNode _bob = null!;
    private TestNode _carol = null!;
    private string _own = "";
    private string _other = "";
    private string _admin = "";

    public async Task InitializeAsync()
    {
        _chain = await TestChain.OpenAsync(anvil);
        _node = await TestNode.StartAsync(_chain, options => options with
        {
            AccessTokenRequired = true,
            MetricsListen = "127.0.0.1:0",
            Applications = options.Applications with { JsonListen = "127.0.0.1:0" },
        });
        (_bob, _carol) = (await TestNode.StartAsync(_chain), await TestNode.StartAsync(_chain));
        _admin = _node.ShowAdminToken();
        _own = await _node.OpenAsync(_bob, "1000");
        _other = await _node.OpenAsync(_carol, OtherDeposit);
        await _node.PayAsync(_own, "50", "own-key", "own-item");
        await _node.PayAsync(_other, OtherPayment, OtherKey, OtherItem);
        await _bob.PayAsync(_own, "5", item: "own-item");
        await _carol.PayAsync(_other, "444444", item: OtherItem);
        await _node.UntilAsync(_other, channel => channel.Received == "444444");
    }

    public async Task DisposeAsync()
    {
        foreach (TestNode node in (TestNode[])[_node, _bob, _carol]) await node.DisposeAsync();
        await _chain.DisposeAsync();
    }

    private async Task<string> CreateAsync(params string[] channels)
    {
        Wire.CreateAccessTokenRequest request = new() { Name = "site", Uncapped = true, Scopes = { Wire.Scope.Read, Wire.Scope.Pay, Wire.Scope.Channels } };
        request.ChannelIds.AddRange(channels);
        return (await _node.Api.CreateAccessTokenAsync(request)).Secret;
    }

    /// <summary>What would tell of the other channel, in any answer.</summary>
    private string[] Secrets => [_other[2..], _carol.Signer.ToString()[2..], OtherDeposit, OtherPayment, OtherKey, OtherItem, "777111111", "777555555", "444444"];

    private bool TellsOfOthers(string text) => Secrets.Any(secret => text.Contains(secret, StringComparison.OrdinalIgnoreCase));

    /// <summary>Names a channel wherever a request has a place for one, and whatever else is looked at before it; whether it has such a place.</summary>
    private static bool Name(IMessage request, string channel)
    {
        bool names = false;
        foreach (FieldDescriptor field in request.Descriptor.Fields.InDeclarationOrder())
        {
            if (field.Name is "amount" or "name") field.Accessor.SetValue(request, "1");
            if (field.FieldType == FieldType.String && field.Name == "channel_id") field.Accessor.SetValue(request, channel);
            else if (field.FieldType == FieldType.String && field.Name == "channel_ids") ((IList)field.Accessor.GetValue(request)).Add(channel);
            else if (field.FieldType != FieldType.Message || field.MessageType.Name is not ("Payment" or "ChannelDeposit" or "CreateAccessTokenRequest")) continue;
            else
            {
                IMessage part = field.MessageType.Parser.ParseFrom([]);
                Name(part, channel);
                if (field.IsRepeated) ((IList)field.Accessor.GetValue(request)).Add(part);
                else field.Accessor.SetValue(request, part);
            }

            names = true;
        }

        return names;
    }

    /// <summary>How a call ended, and all that it told; a stream is heard for a while.</summary>
    private static async Task<(string End, string Told)> CallAsync(ApiCaller caller, MethodDescriptor method, IMessage request)
    {
        MethodType type = method.IsClientStreaming ? MethodType.DuplexStreaming : method.IsServerStreaming ? MethodType.ServerStreaming : MethodType.Unary;
        Method<byte[], byte[]> call = new(type, method.Service.FullName, method.Name, Bytes, Bytes);
        CallInvoker invoker = caller.Channel.CreateCallInvoker();
        using CancellationTokenSource heard = new(TimeSpan.FromSeconds(type == MethodType.Unary ? 60 : 4));
        CallOptions options = new(cancellationToken: heard.Token);
        StringBuilder told = new();
        try
        {
            if (type == MethodType.Unary)
            {
                Add(await invoker.AsyncUnaryCall(call, null, options, request.ToByteArray()));
            }
            else if (type == MethodType.ServerStreaming)
            {
                using var stream = invoker.AsyncServerStreamingCall(call, null, options, request.ToByteArray());
                while (await stream.ResponseStream.MoveNext(heard.Token)) Add(stream.ResponseStream.Current);
            }
            else
            {
                using var stream = invoker.AsyncDuplexStreamingCall(call, null, options);
                await stream.RequestStream.SayAsync(request.ToByteArray());
                await stream.RequestStream.CompleteAsync();
                while (await stream.ResponseStream.MoveNext(heard.Token)) Add(stream.ResponseStream.Current);
            }

            return ("OK", told.ToString());
        }
        catch (RpcException error) when (error.StatusCode == StatusCode.Cancelled && heard.IsCancellationRequested)
        {
            return ("OK", told.ToString());
        }
        catch (OperationCanceledException)
        {
            return ("OK", told.ToString());
        }
        catch (RpcException error)
        {
            return (Refusals.NameOf(error), told + error.Status.Detail + string.Join(" ", Refusals.MetadataOf(error).Values));
        }

        void Add(byte[] answer) => told.Append(method.OutputType.Parser.ParseFrom(answer)).Append('\n');
    }

    private static bool IsRefused(MethodDescriptor method, (string End, string Told) answer) =>
        answer.End == NotAllowed || (method.Name == "StreamPayments" && answer.Told.Contains("REFUSAL_" + NotAllowed));

    /// <summary>By the table: what it says of each call holds, whatever the call is.</summary>
    [Fact]
    public async Task EveryCall_IsAboutItsChannelOnly_AsTheTableSays()
    {
        using ApiCaller site = new(_node.Host.ApiUrl, await CreateAsync(_own)), wide = new(_node.Host.ApiUrl, await CreateAsync());
        string unknown = "0x" + new string('7', 64);
        List<string> wrong = [], neverTold = [];
        foreach (MethodDescriptor method in Wire.NodeService.Descriptor.Methods)
        {
            IMessage empty = method.InputType.Parser.ParseFrom([]), other = empty.Descriptor.Parser.ParseFrom([]), own = empty.Descriptor.Parser.ParseFrom([]);
            IMessage nobodys = empty.Descriptor.Parser.ParseFrom([]);
            bool names = Name(other, _other) & Name(own, _own) & Name(nobodys, unknown);
            Reach reach = MethodReach.Node[method.Name];
            if (MethodScopes.Node[method.Name] == Scopes.Admin)
            {
                if ((await CallAsync(site, method, other)).End != "SCOPE_MISSING") wrong.Add($"{method.Name} is an admin's, and let in");
                continue;
            }

            if (reach == Reach.WholeNode)
            {
                if (!IsRefused(method, await CallAsync(site, method, empty))) wrong.Add($"{method.Name} is about the whole node, and let in");
                continue;
            }

            if (names != (reach == Reach.NamedChannels || method.Name.StartsWith("Subscribe", StringComparison.Ordinal)))
                wrong.Add($"{method.Name} is {reach}, and that it names channels is {names}");
            if (names && !IsRefused(method, await CallAsync(site, method, other))) wrong.Add($"{method.Name} is let into another channel");
            if (names && !IsRefused(method, await CallAsync(site, method, nobodys))) wrong.Add($"{method.Name} tells that there is no such channel");
            if (names && (await CallAsync(site, method, own)) is var done && (IsRefused(method, done) || done.End == "SCOPE_MISSING" || TellsOfOthers(done.Told)))
                wrong.Add($"{method.Name} in its own channel: {done}");
            if (reach == Reach.NamedChannels) continue;
            (string End, string Told) shown = await CallAsync(site, method, Widest(empty)), all = await CallAsync(wide, method, Widest(empty));
            if (TellsOfOthers(shown.Told)) wrong.Add($"{method.Name} tells of others: {shown.Told}");
            if (!TellsOfOthers(all.Told)) neverTold.Add(method.Name);
            if (method.Name.StartsWith("List", StringComparison.Ordinal) && !shown.Told.Contains(_own)) wrong.Add($"{method.Name} does not tell of its own");
            if (method.Name.StartsWith("Subscribe", StringComparison.Ordinal) && !shown.Told.Contains(_own)) wrong.Add($"{method.Name} does not tell of its own");
        }

        Assert.Empty(wrong);
        Assert.Equal(["CancelJob", "GetAccessToken", "GetToken", "RevokeNarrowedAccessToken"], neverTold.Order()); // Of all others the test can see what it looks for.
    }

    /// <summary>A request for all that there is.</summary>
    private static IMessage Widest(IMessage request)
    {
        if (request is Wire.ListJobsRequest jobs) jobs.All = true;
        return request;
    }

    [Fact]
    public async Task JobsOfOthers_AreNotTakenBack_AndNotToldFromThoseThatAreNot()
    {
        using ApiCaller site = new(_node.Host.ApiUrl, await CreateAsync(_own));
        Wire.Job[] jobs = [.. (await _node.Api.ListJobsAsync(new Wire.ListJobsRequest { All = true })).Jobs];
        ulong others = jobs.First(job => job.ChannelIds.Contains(_other)).Number, ours = jobs.First(job => job.ChannelIds.Contains(_own)).Number;
        async Task<RpcException> CancelAsync(ulong number) =>
            await Assert.ThrowsAsync<RpcException>(async () => await site.Api.CancelJobAsync(new Wire.CancelJobRequest { Number = number }));

        RpcException theirs = await CancelAsync(others), none = await CancelAsync(999);

        Refusals.AssertIs(theirs, StatusCode.PermissionDenied, NotAllowed, "number");
        Assert.Equal(theirs.Status.Detail.Replace($"{others}", "999"), none.Status.Detail);
        Assert.Equal("JOB_NOT_CANCELLABLE", Refusals.NameOf(await CancelAsync(ours)));
    }

    [Fact]
    public async Task KeyOfAnotherChannelsPayment_TellsNothingOfIt()
    {
        using ApiCaller site = new(_node.Host.ApiUrl, await CreateAsync(_own));
        Wire.Payment asked = new() { ChannelId = _own, Amount = "1", IdempotencyKey = OtherKey };

        RpcException reused = await Assert.ThrowsAsync<RpcException>(async () => await site.Api.PayAsync(new Wire.PayRequest { Payment = asked }));
        using var stream = site.Api.StreamPayments(cancellationToken: TestChain.Limit);
        await stream.RequestStream.WriteAsync(new Wire.StreamPaymentsRequest { Payments = { asked } });
        Assert.True(await stream.ResponseStream.MoveNext(TestChain.Limit));

        Refusals.AssertIs(reused, StatusCode.AlreadyExists, "IDEMPOTENCY_KEY_REUSED", "idempotency_key");
        Wire.PaymentResult result = stream.ResponseStream.Current.Results.Single();
        Assert.Equal(Wire.Refusal.IdempotencyKeyReused, result.Refusal);
        foreach (string told in (string[])[reused.Status.Detail + string.Join(" ", Refusals.MetadataOf(reused)), result.ToString()])
            Assert.False(TellsOfOthers(told.Replace(OtherKey, "")), told);
    }

    [Fact]
    public async Task TokenThatIsLimitedWhileItsStreamsAreOpen_SeesAndPaysNoMoreThanItMay()
    {
        using ApiCaller site = new(_node.Host.ApiUrl, await CreateAsync());
        using var pays = site.Api.StreamPayments(cancellationToken: TestChain.Limit);
        using var hears = site.Api.SubscribePayments(new Wire.SubscribePaymentsRequest { AfterCursor = 2 }, cancellationToken: TestChain.Limit);
        using var hearsOther = site.Api.SubscribePayments(
            new Wire.SubscribePaymentsRequest { AfterCursor = 2, ChannelId = _other }, cancellationToken: TestChain.Limit);
        async Task<Wire.Refusal> PayAsync(string channel)
        {
            await pays.RequestStream.WriteAsync(new Wire.StreamPaymentsRequest { Payments = { new Wire.Payment { ChannelId = channel, Amount = "1" } } });
            Assert.True(await pays.ResponseStream.MoveNext(TestChain.Limit));
            return pays.ResponseStream.Current.Results.Single().Refusal;
        }

        Assert.Equal(Wire.Refusal.Unspecified, await PayAsync(_other));
        await hears.ResponseHeadersAsync;
        await hearsOther.ResponseHeadersAsync;

        await _node.Api.UpdateAccessTokenAsync(new Wire.UpdateAccessTokenRequest { Number = 2, ChannelIds = { _own } });
        await _carol.PayAsync(_other, "1");
        await _bob.PayAsync(_own, "1");

        Assert.Equal(Wire.Refusal.ChannelNotAllowed, await PayAsync(_other));
        Assert.Equal(Wire.Refusal.Unspecified, await PayAsync(_own));
        Assert.True(await hears.ResponseStream.MoveNext(TestChain.Limit));
        Assert.Equal(_own, hears.ResponseStream.Current.Payments.Single().ChannelId);
        RpcException ended = await Assert.ThrowsAsync<RpcException>(() => hearsOther.ResponseStream.MoveNext(TestChain.Limit));
        Refusals.AssertIs(ended, StatusCode.PermissionDenied, NotAllowed, "channel_id");
        await _node.Api.UpdateAccessTokenAsync(new Wire.UpdateAccessTokenRequest { Number = 2, AnyChannel = true });
        Assert.Equal(Wire.Refusal.Unspecified, await PayAsync(_other));
    }

    [Fact]
    public async Task OverHttp_TheSame_AndMetricsAreTheWholeNodes()
    {
        using JsonCaller json = new(_node.Host.JsonUrl);
        json.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await CreateAsync(_own));

        JsonNode channels = await json.GetAsync("/v1/channels");
        Assert.Equal(_own, (string)Assert.Single(channels["channels"]!.AsArray())!["channelId"]!);
        foreach (string path in (string[])[$"/v1/channels/{_other}", $"/v1/channels/{_other}/payments:sent", "/v1/status", "/v1/policy"])
            Assert.Equal((path, 403), (path, (int)(await json.GetAsync(path))["http"]!));
        Assert.Equal(403, (int)(await json.PostAsync($"/v1/channels/{_other}/payments", "{\"amount\":\"1\"}"))["http"]!);
        Assert.Equal(200, (int)(await json.GetAsync("/openapi/v1.json"))["http"]!);
        using HttpResponseMessage metrics = await json.Http.GetAsync(_node.Host.Exports.MetricsUrl!, TestChain.Limit);
        Assert.Contains(NotAllowed, await metrics.Content.ReadAsStringAsync());
        json.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await CreateAsync());
        using HttpResponseMessage all = await json.Http.GetAsync(_node.Host.Exports.MetricsUrl!, TestChain.Limit);
        Assert.Contains("channelnode_", await all.Content.ReadAsStringAsync());
    }

    public static TheoryData<string, string, Action<Wire.CreateAccessTokenRequest>> BadOrders => new()
    {
        { "INVALID_ARGUMENT", "channel_ids", request => request.ChannelIds.Add("0x12") },
        { "INVALID_ARGUMENT", "channel_ids", request => request.ChannelIds.AddRange(Enumerable.Repeat("0x" + new string('1', 64), 65)) },
        { "UNKNOWN_CHANNEL", "channel_ids", request => request.ChannelIds.Add("0x" + new string('1', 64)) },
        { "INVALID_ARGUMENT", "channel_ids", request => request.Scopes.Add(Wire.Scope.Admin) },
        { "INVALID_ARGUMENT", "channels_per_day_max", request => request.ChannelsPerDayMax = 1 },
        { "INVALID_ARGUMENT", "methods", request => request.Methods.Add("GetStatus") },
    };

    [Fact]
    public async Task TokenForChannelsThatMakesNoSense_IsNotMade()
    {
        foreach (object[] row in BadOrders)
        {
            Wire.CreateAccessTokenRequest request = new() { Name = "site", Scopes = { Wire.Scope.Read, Wire.Scope.Channels }, ChannelIds = { _own } };
            ((Action<Wire.CreateAccessTokenRequest>)row[2])(request);
            RpcException? error = await Record.ExceptionAsync(async () => await _node.Api.CreateAccessTokenAsync(request)) as RpcException;
            Assert.True(error is not null, $"made: {request}");
            Assert.Equal(((string)row[0], (string)row[1]), (Refusals.NameOf(error), Refusals.FieldOf(error)));
        }

        Assert.Single((await _node.Api.ListAccessTokensAsync(new Wire.ListAccessTokensRequest())).AccessTokens);
    }

    [Fact]
    public async Task CommandLine_MakesShowsAndWidensOne()
    {
        string admin = Path.Combine(_node.DataDirectory, "admin.token"), site = Path.Combine(_node.DataDirectory, "site.token");
        string[] asAdmin = ["--node", _node.Host.ApiUrl, "--access-token-file", admin], asSite = ["--node", _node.Host.ApiUrl, "--access-token-file", site];

        CliRun made = await CliRun.AsyncOf(["token", "create", "--name", "site", "--scope", "read", "--channel", _own[..14], "--to", site, .. asAdmin]);
        Assert.Equal(("", 0), (made.Error, made.ExitCode));
        CliRun list = await CliRun.AsyncOf(["channel", "list", "--json", .. asSite]);
        CliRun shown = await CliRun.AsyncOf(["token", "show", .. asSite]);
        CliRun status = await CliRun.AsyncOf(["status", .. asSite]);
        CliRun info = await CliRun.AsyncOf(["info", .. asSite]);

        Assert.Contains(_own, list.Output);
        Assert.False(TellsOfOthers(list.Output + info.Output), list.Output + info.Output);
        Assert.Contains($"only {_own[..10]}", shown.Output);
        Assert.StartsWith("error: CHANNEL_NOT_ALLOWED: token 2 is only for 1 of the node's channels, and GetStatus is about the whole node", status.Error);
        CliRun widened = await CliRun.AsyncOf(["token", "update", "2", "--any-channel", .. asAdmin]);
        Assert.Equal(("", 0), (widened.Error, widened.ExitCode));
        Assert.Contains(_other, (await CliRun.AsyncOf(["channel", "list", "--json", .. asSite])).Output);
    }
}
