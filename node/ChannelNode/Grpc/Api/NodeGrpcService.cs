using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>What applications and operators ask of the node. Refusals leave through <see cref="RefusalInterceptor"/>.</summary>
internal sealed partial class NodeGrpcService(Node node, NodeIdentity identity, AccessTokenBook tokens) : Wire.NodeService.NodeServiceBase
{
    private readonly ProgressStream _progress = new(node.Stopping, node.Drain);

    public override Task<Wire.GetInfoResponse> GetInfo(Wire.GetInfoRequest request, ServerCallContext context)
    {
        CallerChannels seen = Caller.ChannelsOf(context);
        StoredChannel[] known = [.. seen.IsConfined ? seen.Known(node.Store) : []];
        Wire.GetInfoResponse info = new()
        {
            Version = Assembly.GetExecutingAssembly().GetName().Version?.ToString(3) ?? "0",
            Signer = identity.Us.Signer.ToString(),
            Owner = identity.Us.Owner.ToString(),
            ChainId = identity.ChainId,
            Contract = identity.Contract.ToString(),
            BlockNumber = node.View.Cursor?.Number ?? 0,
            BlockTimeSeconds = node.Clock.ChainSeconds,
            Channels = seen.IsConfined ? (uint)known.Length : (uint)node.Book.Count,
            ReceivedCursor = node.Ledger.ReceivedCursor,
            DroppedCursor = node.Store.ReadDroppedCursor(),
            PeerListen = node.PeerListen,
            EventCursor = node.Ledger.EventCursor,
            DroppedEventCursor = node.Store.ReadDroppedEventCursor(),
            Restoration = NodeWire.Write(node.Store, node.Book.Hold),
            Draining = node.Drain.IsOn,
        };
        foreach (PeerStatus peer in node.Peers.List())
        {
            if (seen.IsConfined && !known.Any(channel => channel.Channel.Theirs.Signer == peer.Signer)) continue;
            info.Peers.Add(new Wire.PeerInfo
            {
                Signer = peer.Signer.ToString(),
                Url = peer.Url,
                Connected = peer.Connected,
            });
        }

        if (!seen.IsConfined) info.Watchtowers.AddRange(node.Watchtowers.List().Select(NodeWire.Write));
        else if (info.Restoration is { } restored)
            restored.UnconfirmedChannels = (ulong)known.Count(it => node.Store.IsUnconfirmed(it.Channel.Theirs.Signer, it.Channel.Id));
        return Task.FromResult(info);
    }

    public override Task<Wire.GetStatusResponse> GetStatus(Wire.GetStatusRequest request, ServerCallContext context) =>
        Task.FromResult(StatusWire.Read(node, identity, request.Brief));

    public override Task<Wire.ListChannelsResponse> ListChannels(
        Wire.ListChannelsRequest request, ServerCallContext context) =>
        Task.FromResult(ChannelPages.Read(node, Caller.ChannelsOf(context), request));

    public override Task<Wire.GetChannelResponse> GetChannel(
        Wire.GetChannelRequest request, ServerCallContext context) =>
        Task.FromResult(new Wire.GetChannelResponse { Channel = ChannelPages.Write(node, Find(request.ChannelId, context)) });

    public override Task OpenChannel(
        Wire.OpenChannelRequest request,
        IServerStreamWriter<Wire.OpenChannelResponse> responseStream,
        ServerCallContext context)
    {
        OpenChannelOrder order = new(
            request.PeerUrl,
            request.Peer.Length == 0 ? null : Fields.ReadAddress(request.Peer, "peer"),
            Fields.ReadAddress(request.Token, "token", emptyIsZero: true),
            Fields.ReadAmount(request.Amount),
            request.DisputeWindowSeconds == 0 ? node.Options.DisputeWindowSeconds : request.DisputeWindowSeconds,
            request.OneWay,
            request.Salt.Length == 0
                ? Bytes32.Read(RandomNumberGenerator.GetBytes(Bytes32.Size))
                : Fields.ReadBytes32(request.Salt, "salt"),
            request.Gasless);
        if (order.DisputeWindowSeconds is < ChannelTerms.DisputeWindowSecondsMin or > ChannelTerms.DisputeWindowSecondsMax)
        {
            throw new RefusalException(
                Refusal.DisputeWindowOutOfRange,
                $"dispute_window_seconds is {order.DisputeWindowSeconds}, expected "
                + $"{ChannelTerms.DisputeWindowSecondsMin} to {ChannelTerms.DisputeWindowSecondsMax}")
            {
                Field = "dispute_window_seconds",
            };
        }

        return _progress.RunAsync(
            (watch, cancel) => node.Funding.OpenAsync(order, Caller.BudgetOf(context), watch, cancel),
            progress => new Wire.OpenChannelResponse { Progress = progress },
            responseStream,
            context);
    }

    public override Task DepositChannel(
        Wire.DepositChannelRequest request,
        IServerStreamWriter<Wire.DepositChannelResponse> responseStream,
        ServerCallContext context)
    {
        ChannelSlot slot = Find(request.ChannelId, context);
        UInt128 amount = Fields.ReadAmount(request.Amount);
        string key = request.IdempotencyKey;
        Refusal form = PaymentRequest.CheckForm(0, key);
        if (form != Refusal.None)
            throw new RefusalException(form, "idempotency_key has more than 64 bytes") { Field = "idempotency_key" };
        return _progress.RunAsync(
            (watch, cancel) => node.Funding.DepositAsync(slot, amount, request.Gasless, key, Caller.BudgetOf(context), watch, cancel),
            progress => new Wire.DepositChannelResponse { Progress = progress },
            responseStream,
            context);
    }

    public override Task DepositChannels(
        Wire.DepositChannelsRequest request,
        IServerStreamWriter<Wire.DepositChannelsResponse> responseStream,
        ServerCallContext context)
    {
        if (request.Deposits.Count == 0) throw Fields.Invalid("deposits", string.Empty, "at least one deposit");
        List<(ChannelSlot, UInt128)> deposits = [];
        foreach (Wire.ChannelDeposit deposit in request.Deposits)
            deposits.Add((Find(deposit.ChannelId, context), Fields.ReadAmount(deposit.Amount)));
        return _progress.RunAsync(
            (watch, cancel) => node.Funding.DepositManyAsync(deposits, Caller.BudgetOf(context), watch, cancel),
            progress => new Wire.DepositChannelsResponse { Progress = progress },
            responseStream,
            context);
    }

    public override async Task<Wire.ListCreditsResponse> ListCredits(
        Wire.ListCreditsRequest request, ServerCallContext context)
    {
        Wire.ListCreditsResponse response = new();
        foreach (Credit credit in await node.Credits.ListAsync(context.CancellationToken))
        {
            response.Credits.Add(new Wire.Credit
            {
                Token = credit.Token.ToString(),
                Amount = credit.Amount.ToString(),
            });
        }

        return response;
    }

    public override Task WithdrawCredit(
        Wire.WithdrawCreditRequest request,
        IServerStreamWriter<Wire.WithdrawCreditResponse> responseStream,
        ServerCallContext context)
    {
        Address token = Fields.ReadAddress(request.Token, "token", emptyIsZero: true);
        return _progress.RunAsync(
            (watch, cancel) => node.Credits.WithdrawAsync(token, watch, cancel),
            progress => new Wire.WithdrawCreditResponse { Progress = progress },
            responseStream,
            context);
    }

    public override async Task<Wire.GetTokenResponse> GetToken(Wire.GetTokenRequest request, ServerCallContext context)
    {
        Address token = Fields.ReadAddress(request.Token, "token", emptyIsZero: true);
        TokenName name = await node.Tokens.OfAsync(token, context.CancellationToken);
        return new Wire.GetTokenResponse { Token = token.ToString(), Symbol = name.Symbol, Decimals = (uint)name.Decimals };
    }

    public override async Task<Wire.PayResponse> Pay(Wire.PayRequest request, ServerCallContext context)
    {
        Wire.Payment payment = request.Payment ?? throw Fields.Invalid("payment", string.Empty, "a payment");
        ChannelId id = Fields.ReadChannelId(payment.ChannelId);
        UInt128 amount = Fields.ReadAmount(payment.Amount);
        Refusal form = PaymentRequest.CheckForm(payment.ItemId.Length, payment.IdempotencyKey);
        if (form != Refusal.None) throw PaymentStream.Explain(form, payment);

        CallerChannels seen = Caller.ChannelsOf(context);
        ChannelSlot slot = node.Book.Get(seen.Require(id));
        PaymentTrace? trace = PaymentTrace.Begin(
            payment.ChannelId, context.RequestHeaders.GetValue(ProgressStream.TraceHeader), node.Clock.Time);
        AwaitedPayment paying = new(
            slot, amount, payment.ItemId.Memory, payment.IdempotencyKey, payment.Receipt, context.CancellationToken, trace)
        {
            Budget = Caller.BudgetOf(context),
        };
        PaymentOutcome outcome = await PayAsync(paying, trace, context.CancellationToken);
        if (outcome.Refusal != Refusal.None) throw PaymentStream.Explain(outcome, payment, slot, seen.IsConfined);
        return new Wire.PayResponse
        {
            TotalSent = outcome.Total.ToString(),
            Repeated = outcome.Repeated,
            Receipt = NodeWire.Write(outcome.Receipt),
        };
    }

    private async Task<PaymentOutcome> PayAsync(AwaitedPayment paying, PaymentTrace? trace, CancellationToken cancel)
    {
        PaymentOutcome? outcome = null;
        try
        {
            await node.Ledger.EnqueueAsync(paying, cancel);
            return (outcome = await paying.Task.WaitAsync(cancel)).Value;
        }
        finally
        {
            trace?.End(outcome);
        }
    }

    public override Task StreamPayments(
        IAsyncStreamReader<Wire.StreamPaymentsRequest> requestStream,
        IServerStreamWriter<Wire.StreamPaymentsResponse> responseStream,
        ServerCallContext context) =>
        new PaymentStream(node, requestStream, responseStream, Caller.TokenOf(context)).RunAsync(context.CancellationToken);

    public override async Task SubscribePayments(
        Wire.SubscribePaymentsRequest request,
        IServerStreamWriter<Wire.SubscribePaymentsResponse> responseStream,
        ServerCallContext context)
    {
        ChannelId? only = request.ChannelId.Length == 0 ? null : Find(request.ChannelId, context).Channel.Id;
        using Pulse pulse = new(
            () => BeginAsync(context), cursor => responseStream.WriteAsync(new Wire.SubscribePaymentsResponse { Cursor = cursor }));
        PaymentSubscription subscription = new(node, Caller.ChannelsOf(context), only, request.Runs, responseStream) { Pulse = pulse };
        await node.Drain.RunAsync(
            cancel => subscription.RunAsync(request.AfterCursor, request.KeptOnly, cancel), context.CancellationToken);
    }

    private static Task BeginAsync(ServerCallContext context) =>
        context.GetHttpContext().Response.HasStarted ? Task.CompletedTask : context.WriteResponseHeadersAsync([]);

    public override async Task SubscribeEvents(
        Wire.SubscribeEventsRequest request,
        IServerStreamWriter<Wire.SubscribeEventsResponse> responseStream,
        ServerCallContext context)
    {
        ChannelId? only = request.ChannelId.Length == 0 ? null : Find(request.ChannelId, context).Channel.Id;
        using Pulse pulse = new(
            () => BeginAsync(context), cursor => responseStream.WriteAsync(new Wire.SubscribeEventsResponse { Cursor = cursor }));
        EventSubscription subscription = new(node, Caller.ChannelsOf(context), only, request.Kinds, responseStream) { Pulse = pulse };
        await node.Drain.RunAsync(
            cancel => subscription.RunAsync(request.AfterCursor, request.KeptOnly, cancel), context.CancellationToken);
    }

    public override Task CloseChannel(
        Wire.CloseChannelRequest request,
        IServerStreamWriter<Wire.CloseChannelResponse> responseStream,
        ServerCallContext context)
    {
        ChannelSlot slot = Find(request.ChannelId, context);
        return _progress.RunAsync(
            (watch, cancel) => node.Operations.CloseAsync(slot, watch, cancel),
            progress => new Wire.CloseChannelResponse { Progress = progress },
            responseStream,
            context);
    }

    public override Task StartClose(
        Wire.StartCloseRequest request,
        IServerStreamWriter<Wire.StartCloseResponse> responseStream,
        ServerCallContext context)
    {
        ChannelSlot slot = Find(request.ChannelId, context);
        return _progress.RunAsync(
            (watch, cancel) => node.Operations.StartCloseAsync(slot, watch, cancel),
            progress => new Wire.StartCloseResponse { Progress = progress },
            responseStream,
            context);
    }

    public override Task SettleChannel(
        Wire.SettleChannelRequest request,
        IServerStreamWriter<Wire.SettleChannelResponse> responseStream,
        ServerCallContext context)
    {
        ChannelSlot slot = Find(request.ChannelId, context);
        return _progress.RunAsync(
            (watch, cancel) => node.Operations.SettleAsync(slot, watch, cancel),
            progress => new Wire.SettleChannelResponse { Progress = progress },
            responseStream,
            context);
    }

    public override async Task<Wire.ResumeChannelResponse> ResumeChannel(Wire.ResumeChannelRequest request, ServerCallContext context)
    {
        ChannelSlot slot = Find(request.ChannelId, context);
        if (!UInt128.TryParse(request.SentUnrecorded, NumberStyles.None, CultureInfo.InvariantCulture, out UInt128 unrecorded))
            throw Fields.Invalid("sent_unrecorded", request.SentUnrecorded, "the channel's sent_unrecorded, a whole number");
        await LostPayments.ResumeAsync(node.Ledger, slot, unrecorded, Caller.NameOf(context), context.CancellationToken);
        return new Wire.ResumeChannelResponse { Channel = ChannelPages.Write(node, slot) };
    }

    public override Task ClaimChannels(
        Wire.ClaimChannelsRequest request,
        IServerStreamWriter<Wire.ClaimChannelsResponse> responseStream,
        ServerCallContext context)
    {
        List<ChannelId> channels = [];
        CallerChannels seen = Caller.ChannelsOf(context);
        foreach (string id in request.ChannelIds) channels.Add(seen.Require(Fields.ReadChannelId(id, "channel_ids"), "channel_ids"));
        if (seen.IsConfined && channels.Count == 0) channels = OwingIn(seen);
        return _progress.RunAsync(
            (watch, cancel) => node.Operations.ClaimAsync(channels, watch, cancel),
            progress => new Wire.ClaimChannelsResponse { Progress = progress },
            responseStream,
            context);
    }

    /// <summary>All of them: none would stand for every channel of the node.</summary>
    private List<ChannelId> OwingIn(CallerChannels seen)
    {
        List<ChannelId> owing = [.. seen.Known(node.Store).Where(Operations.IsClaimable).Select(stored => stored.Channel.Id)];
        return owing.Count > 0 ? owing : throw new RefusalException(Refusal.NothingNew, "no one-way channel of the token's owes this node anything");
    }

    public override Task<Wire.ListJobsResponse> ListJobs(Wire.ListJobsRequest request, ServerCallContext context) =>
        Task.FromResult(JobWire.Read(node.Jobs, Caller.ChannelsOf(context), request));

    public override async Task<Wire.CancelJobResponse> CancelJob(Wire.CancelJobRequest request, ServerCallContext context)
    {
        RequireJob(request.Number, Caller.ChannelsOf(context));
        return new() { Job = JobWire.Write(await node.Jobs.TakeBackAsync(request.Number, Caller.NameOf(context), context.CancellationToken)) };
    }

    /// <summary>A job that there is not, and one of other channels, are refused alike.</summary>
    private void RequireJob(ulong number, CallerChannels seen)
    {
        if (!seen.IsConfined || node.Jobs.All.Any(entry => entry.Job.Number == number && seen.ContainsAll(entry.Job.Channels))) return;
        throw new RefusalException(Refusal.ChannelNotAllowed, $"number is {number}, expected that of a job about the token's channels only") { Field = "number" };
    }

    public override async Task VerifyChain(
        Wire.VerifyChainRequest request,
        IServerStreamWriter<Wire.VerifyChainResponse> responseStream,
        ServerCallContext context)
    {
        ChainAuditReport report = await node.Verification.VerifyAsync(context.CancellationToken);
        foreach (Wire.VerifyChainResponse response in NodeWire.Write(report))
            await responseStream.WriteAsync(response, context.CancellationToken);
    }

    public override Task CreateBackup(
        Wire.CreateBackupRequest request, IServerStreamWriter<Wire.CreateBackupResponse> responseStream, ServerCallContext context) =>
        node.Drain.RunAsync(cancel => BackupStream.RunAsync(node, request, responseStream, cancel), context.CancellationToken);

    public override Task ListSentPayments(
        Wire.ListSentPaymentsRequest request,
        IServerStreamWriter<Wire.ListSentPaymentsResponse> responseStream,
        ServerCallContext context) =>
        SentPaymentList.WriteAsync(
            node, Find(request.ChannelId, context), Caller.ChannelsOf(context), request.AfterTotal, responseStream, context.CancellationToken);

    /// <summary>A channel that a call names.</summary>
    private ChannelSlot Find(string channelId, ServerCallContext context) =>
        node.Book.Get(Caller.ChannelsOf(context).Require(Fields.ReadChannelId(channelId)));
}
