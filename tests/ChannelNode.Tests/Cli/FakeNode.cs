using System.Net;
using ChannelNode.Proto.V1;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Tests.Cli;

/// <summary>A node of which a test says what it answers, on a free port of this machine, over real gRPC.</summary>
internal sealed class FakeNode : IAsyncDisposable
{
    public const string IdA = "0xaaaaaa1111111111111111111111111111111111111111111111111111111111";
    public const string IdB = "0xaaaaaa2222222222222222222222222222222222222222222222222222222222";

    private readonly WebApplication _app;

    private FakeNode(WebApplication app) => _app = app;

    public Answers Answers => _app.Services.GetRequiredService<Answers>();

    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    public static async Task<FakeNode> StartAsync(Action<Answers>? set = null, int port = 0, Serves serves = Serves.Node)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(
            kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2));
        if (serves != Serves.NoGrpc) builder.Services.AddGrpc();
        builder.Services.AddSingleton<Answers>();
        WebApplication app = builder.Build();
        if (serves == Serves.Node) app.MapGrpcService<Service>();
        if (serves == Serves.AnotherService) app.MapGrpcService<AnotherService>();
        await app.StartAsync();
        var node = new FakeNode(app);
        set?.Invoke(node.Answers);
        return node;
    }

    public static RpcException Refuse(StatusCode code, string reason, string message, params (string, string)[] metadata)
    {
        var info = new ErrorInfo { Domain = "channelnode", Reason = reason };
        foreach ((string name, string value) in metadata) info.Metadata.Add(name, value);
        return new Google.Rpc.Status { Code = (int)code, Message = message, Details = { Any.Pack(info) } }.ToRpcException();
    }

    public static Channel Channel(string id) => new()
    {
        ChannelId = id,
        Status = ChannelStatus.Open,
        Peer = "0x00000000000000000000000000000000000000b0",
        PeerConnected = true,
        OurSide = "a",
        Token = "0x0000000000000000000000000000000000000000",
        DisputeWindowSeconds = 3600,
        Salt = "0x" + new string('5', 64),
        OurBalance = "900",
        TheirBalance = "100",
        OurUncredited = "600",
        TheirUncredited = "0",
        Sent = "100",
        Acknowledged = "100",
        Received = "0",
        OurPot = "1000",
        TheirPot = "0",
        OurRecordedSent = "0",
        TheirRecordedSent = "0",
        OurOwner = "0x00000000000000000000000000000000000000a1",
        TheirOwner = "0x00000000000000000000000000000000000000b1",
    };

    public static Channel AwayFromItsPeer(string id)
    {
        Channel channel = Channel(id);
        channel.PeerConnected = false;
        return channel;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    /// <summary>What a port answers to that is taken for a node's API.</summary>
    public enum Serves
    {
        Node,
        AnotherService,
        NoGrpc,
    }

    private sealed class AnotherService : PeerService.PeerServiceBase;

    private sealed class Service(Answers answers) : NodeService.NodeServiceBase
    {
        public override Task<GetInfoResponse> GetInfo(GetInfoRequest request, ServerCallContext context) =>
            Task.FromResult(answers.Info());

        public override Task<GetStatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context) =>
            Task.FromResult(answers.Status(request));

        public override Task<ListChannelsResponse> ListChannels(ListChannelsRequest request, ServerCallContext context)
        {
            ListChannelsResponse page = answers.List(request);
            ListChannelsResponse fitting = new() { NextPageToken = page.NextPageToken };
            fitting.Channels.AddRange(page.Channels.Where(
                channel => channel.ChannelId.StartsWith(request.ChannelIdPrefix, StringComparison.Ordinal)));
            return Task.FromResult(fitting);
        }

        public override Task<GetPolicyResponse> GetPolicy(GetPolicyRequest request, ServerCallContext context) =>
            Task.FromResult(new GetPolicyResponse { Tiers = { answers.Tiers.Select(name => new PolicyTier { Name = name, Rules = new PolicyRules() }) } });

        public override Task<SetPolicyResponse> SetPolicy(SetPolicyRequest request, ServerCallContext context)
        {
            answers.PolicyChanges.Add(request);
            return Task.FromResult(new SetPolicyResponse());
        }

        public override async Task ReadPolicyAudit(
            ReadPolicyAuditRequest request, IServerStreamWriter<ReadPolicyAuditResponse> responses, ServerCallContext context) =>
            await responses.WriteAsync(new ReadPolicyAuditResponse { Entries = { answers.Audit } });

        public override Task<GetTokenResponse> GetToken(GetTokenRequest request, ServerCallContext context) =>
            answers.Token is { } token ? Task.FromResult(token(request.Token)) : base.GetToken(request, context);

        public override Task<ListJobsResponse> ListJobs(ListJobsRequest request, ServerCallContext context) =>
            Task.FromResult(answers.Jobs(request));

        public override Task<CancelJobResponse> CancelJob(CancelJobRequest request, ServerCallContext context) =>
            Task.FromResult(new CancelJobResponse { Job = answers.Cancel(request.Number) });

        public override Task<ResumeChannelResponse> ResumeChannel(ResumeChannelRequest request, ServerCallContext context)
        {
            Channel channel = answers.Get(request.ChannelId);
            return Task.FromResult(new ResumeChannelResponse { Channel = channel });
        }

        public override Task<GetChannelResponse> GetChannel(GetChannelRequest request, ServerCallContext context) =>
            Task.FromResult(new GetChannelResponse { Channel = answers.Get(request.ChannelId) });

        public override Task<PayResponse> Pay(PayRequest request, ServerCallContext context) =>
            Task.FromResult(answers.Pay(request.Payment));

        public override Task StreamPayments(
            IAsyncStreamReader<StreamPaymentsRequest> requests, IServerStreamWriter<StreamPaymentsResponse> responses,
            ServerCallContext context) => answers.Stream(requests, responses, context);

        public override async Task OpenChannel(
            OpenChannelRequest request, IServerStreamWriter<OpenChannelResponse> responses, ServerCallContext context)
        {
            foreach (Progress step in answers.Job(request))
                await responses.WriteAsync(new OpenChannelResponse { Progress = step });
        }

        public override async Task DepositChannel(
            DepositChannelRequest request, IServerStreamWriter<DepositChannelResponse> responses, ServerCallContext context)
        {
            foreach (Progress step in answers.Job(request))
                await responses.WriteAsync(new DepositChannelResponse { Progress = step });
        }

        public override async Task DepositChannels(
            DepositChannelsRequest request, IServerStreamWriter<DepositChannelsResponse> responses, ServerCallContext context)
        {
            foreach (Progress step in answers.Job(request))
                await responses.WriteAsync(new DepositChannelsResponse { Progress = step });
        }

        public override Task<ListCreditsResponse> ListCredits(ListCreditsRequest request, ServerCallContext context) =>
            Task.FromResult(new ListCreditsResponse
            {
                Credits = { new Credit { Token = "0x0000000000000000000000000000000000000000", Amount = "700" } },
            });

        public override async Task WithdrawCredit(
            WithdrawCreditRequest request, IServerStreamWriter<WithdrawCreditResponse> responses, ServerCallContext context)
        {
            foreach (Progress step in answers.Job(request))
                await responses.WriteAsync(new WithdrawCreditResponse { Progress = step });
        }

        public override async Task CloseChannel(
            CloseChannelRequest request, IServerStreamWriter<CloseChannelResponse> responses, ServerCallContext context)
        {
            foreach (Progress step in answers.Job(request))
                await responses.WriteAsync(new CloseChannelResponse { Progress = step });
        }

        public override async Task StartClose(
            StartCloseRequest request, IServerStreamWriter<StartCloseResponse> responses, ServerCallContext context)
        {
            foreach (Progress step in answers.Job(request))
                await responses.WriteAsync(new StartCloseResponse { Progress = step });
        }

        public override async Task SettleChannel(
            SettleChannelRequest request, IServerStreamWriter<SettleChannelResponse> responses, ServerCallContext context)
        {
            foreach (Progress step in answers.Job(request))
                await responses.WriteAsync(new SettleChannelResponse { Progress = step });
        }

        public override async Task ClaimChannels(
            ClaimChannelsRequest request, IServerStreamWriter<ClaimChannelsResponse> responses, ServerCallContext context)
        {
            foreach (Progress step in answers.Job(request))
                await responses.WriteAsync(new ClaimChannelsResponse { Progress = step });
        }

        public override async Task SubscribeEvents(
            SubscribeEventsRequest request, IServerStreamWriter<SubscribeEventsResponse> responses, ServerCallContext context)
        {
            await responses.WriteAsync(answers.Events(request));
            if (!request.KeptOnly) await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }

        public override async Task SubscribePayments(
            SubscribePaymentsRequest request, IServerStreamWriter<SubscribePaymentsResponse> responses,
            ServerCallContext context)
        {
            SubscribePaymentsResponse told = answers.Received(request), wanted = new();
            wanted.Payments.AddRange(told.Payments.Where(
                payment => request.ChannelId.Length == 0 || payment.ChannelId == request.ChannelId));
            await responses.WriteAsync(wanted);
            if (!request.KeptOnly) await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }
    }
}
