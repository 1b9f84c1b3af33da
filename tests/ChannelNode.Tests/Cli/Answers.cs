using ChannelNode.Proto.V1;
using Google.Protobuf;
using Grpc.Core;

namespace ChannelNode.Tests.Cli;

/// <summary>What a <see cref="FakeNode"/> answers; two open channels and a job of three steps unless a test says else.</summary>
internal sealed class Answers
{
    public delegate Task StreamHandler(
        IAsyncStreamReader<StreamPaymentsRequest> requests, IServerStreamWriter<StreamPaymentsResponse> responses,
        ServerCallContext context);

    public Func<GetInfoResponse> Info { get; set; } = () => new GetInfoResponse();

    public Func<GetStatusRequest, GetStatusResponse> Status { get; set; } = _ => new GetStatusResponse();

    public Func<ListChannelsRequest, ListChannelsResponse> List { get; set; } = _ => new ListChannelsResponse
    {
        Channels = { FakeNode.Channel(FakeNode.IdA), FakeNode.Channel(FakeNode.IdB) },
    };

    /// <summary>The names of the tiers that there are, and in their order the changes that were asked for.</summary>
    public List<string> Tiers { get; } = ["unverified", "verified"];

    public List<SetPolicyRequest> PolicyChanges { get; } = [];

    /// <summary>The whole audit log.</summary>
    public List<PolicyAuditEntry> Audit { get; } = [];

    /// <summary>Null for a node of an older version, which is not asked for such.</summary>
    public Func<string, GetTokenResponse>? Token { get; set; }

    public Func<ListJobsRequest, ListJobsResponse> Jobs { get; set; } = _ => new ListJobsResponse();

    public Func<ulong, Job> Cancel { get; set; } = number => new Job { Number = number };

    public Func<string, Channel> Get { get; set; } = FakeNode.Channel;

    public Func<Payment, PayResponse> Pay { get; set; } = payment => new PayResponse { TotalSent = payment.Amount };

    public Func<IMessage, IEnumerable<Progress>> Job { get; set; } = _ => Steps();

    public Func<SubscribePaymentsRequest, SubscribePaymentsResponse> Received { get; set; } =
        _ => new SubscribePaymentsResponse();

    public Func<SubscribeEventsRequest, SubscribeEventsResponse> Events { get; set; } =
        _ => new SubscribeEventsResponse();

    public StreamHandler Stream { get; set; } = (_, _, _) => Task.CompletedTask;

    public static IEnumerable<Progress> Steps() =>
    [
        new Progress { Stage = Stage.Sent, ChannelId = FakeNode.IdA, TransactionHash = "0xfeed" },
        new Progress
        {
            Stage = Stage.Mined, ChannelId = FakeNode.IdA, TransactionHash = "0xfeed", BlockNumber = 7, GasUsed = 51_234,
        },
        new Progress
        {
            Stage = Stage.Confirmed, ChannelId = FakeNode.IdA, TransactionHash = "0xfeed", BlockNumber = 7, GasUsed = 51_234,
        },
    ];
}
