using System.Diagnostics;
using System.Globalization;
using ChannelNode.Backups;
using ChannelNode.Benchmarks.Load.Report;
using ChannelNode.Benchmarks.Load.Rig;
using ChannelNode.Benchmarks.Load.Traffic;
using ChannelNode.Core;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Benchmarks.Load.Classes;

/// <summary>Class 12, too: the same payments with and without backups of the payer, one after the other, encrypted and read to their end.</summary>
internal static class PaymentsBesideBackups
{
    private const int PaymentsPerMessage = 256;
    private const int Window = 8_192;

    /// <summary>Answers what is paid in all.</summary>
    public static async Task<UInt128> RunAsync(Bench bench, PayingNodes nodes, UInt128 paid)
    {
        PaymentClient client = new(nodes.Payer.Invoker, nodes.Channels[..1], PaymentsPerMessage, Window, keyed: false);
        double first = await RateAsync(), beside, second;
        using AgeIdentity identity = AgeIdentity.Generate();
        using (CancellationTokenSource over = new())
        {
            Task<(int Count, long Bytes)> backingUp = BackUpAsync(nodes.Payer, identity.Recipient.Text, over.Token);
            beside = await RateAsync();
            await over.CancelAsync();
            (int count, long bytes) = await backingUp;
            second = await RateAsync();
            bench.Report.Say(string.Create(
                CultureInfo.InvariantCulture,
                $"  12 one channel: {first:N0} payments/s, {beside:N0} beside {count} backups of the payer of {bytes / count >> 20:N0} MiB each, then {second:N0}"));
        }

        await nodes.CheckTotalsAsync(paid);
        bench.Report.Add(Bar.None("12", "payments beside backups, to those without", 2 * beside / (first + second), ""));
        return paid;

        async Task<double> RateAsync()
        {
            long begunAt = Stopwatch.GetTimestamp();
            long messages = await client.RunAsync(TimeSpan.FromSeconds(bench.Options.Seconds));
            paid += (UInt128)(ulong)messages * client.AmountPerMessage;
            return messages * PaymentsPerMessage / Stopwatch.GetElapsedTime(begunAt).TotalSeconds;
        }
    }

    /// <summary>Until it is over, and the last one to its end; at least one.</summary>
    private static async Task<(int Count, long Bytes)> BackUpAsync(NodeUnderTest node, string recipient, CancellationToken over)
    {
        long bytes = 0;
        for (int count = 1; ; count++)
        {
            using AsyncServerStreamingCall<Wire.CreateBackupResponse> call =
                node.Api.CreateBackup(new Wire.CreateBackupRequest { Recipients = { recipient } });
            while (await call.ResponseStream.MoveNext(CancellationToken.None)) bytes += call.ResponseStream.Current.Data.Length;
            if (over.IsCancellationRequested) return (count, bytes);
        }
    }
}
