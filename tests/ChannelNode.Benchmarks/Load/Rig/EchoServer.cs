using System.Buffers;
using System.Text.RegularExpressions;
using ChannelNode.Engine;
using ChannelNode.Grpc;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ChannelNode.Benchmarks.Load.Rig;

/// <summary>
/// What the wire costs by itself: the node's own door as a process of its own, with the node's own settings, where every
/// message is answered with one as long as an acknowledgement, after the work that it is told to do, and nothing is decided.
/// </summary>
internal sealed partial class EchoServer : IAsyncDisposable
{
    public const string Path = "/bench.Echo/Exchange";
    private const int AnswerBytes = 60;

    private readonly ChildProcess _process;

    private EchoServer(ChildProcess process) => _process = process;

    public string Url => ReadyLine().Match(_process.ReadyLine).Groups[1].Value;

    public int ProcessId => _process.Id;

    public static async Task<EchoServer> StartAsync(EchoWork work)
    {
        string folder = AppContext.BaseDirectory;
        ChildProcess process = await ChildProcess.StartAsync(
            "the echo", line => ReadyLine().IsMatch(line),
            ["dotnet", "exec", "--runtimeconfig", System.IO.Path.Combine(folder, "channelnode.runtimeconfig.json"),
            "--depsfile", System.IO.Path.Combine(folder, "ChannelNode.Benchmarks.deps.json"),
            System.IO.Path.Combine(folder, "ChannelNode.Benchmarks.dll"), "echo", .. work.Arguments]);
        await process.WhenReadyAsync(TimeSpan.FromSeconds(30));
        return new EchoServer(process);
    }

    /// <summary>The process itself, until it is told to stop.</summary>
    public static async Task ServeAsync(EchoWork work)
    {
        work.Begin();
        WebApplicationBuilder builder = Door.NewBuilder(new DoorPlan("echo", DoorAddress.Parse("127.0.0.1:0"), Tls: null, ConnectionsMax: 8_192)
        {
            Room = new MessageRoom(long.MaxValue, funded: null),
            UnreadBytesMax = DoorPlan.UnreadBytesOfPeersMax,
        });
        builder.Services.AddGrpc();
        builder.Services.AddSingleton<IServiceMethodProvider<Service>>(new Methods(work));
        await using WebApplication app = builder.Build();
        app.MapGrpcService<Service>();
        await app.StartAsync();
        Console.WriteLine($"echo at {app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()}");
        await app.WaitForShutdownAsync();
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    [GeneratedRegex("^echo at (\\S+)")]
    private static partial Regex ReadyLine();

    /// <summary>Bytes of a message are looked at, as the node would read them, and no object is made of them.</summary>
    private sealed class Methods(EchoWork work) : IServiceMethodProvider<Service>
    {
        public void OnServiceMethodDiscovery(ServiceMethodProviderContext<Service> context)
        {
            Marshaller<object> marshaller = new(Write, Read);
            context.AddDuplexStreamingMethod(
                new Method<object, object>(MethodType.DuplexStreaming, "bench.Echo", "Exchange", marshaller, marshaller),
                [],
                (service, requests, responses, call) => service.Exchange(requests, responses, call));
        }

        private static void Write(object answer, SerializationContext context)
        {
            context.SetPayloadLength(AnswerBytes);
            IBufferWriter<byte> target = context.GetBufferWriter();
            target.GetSpan(AnswerBytes)[..AnswerBytes].Clear();
            target.Advance(AnswerBytes);
            context.Complete();
        }

        private object Read(DeserializationContext context)
        {
            _ = context.PayloadAsReadOnlySequence();
            work.Do(context.PayloadLength);
            return this;
        }
    }

    private sealed class Service
    {
        public async Task Exchange(IAsyncStreamReader<object> requests, IServerStreamWriter<object> answers, ServerCallContext call)
        {
            while (await requests.MoveNext(call.CancellationToken)) await answers.WriteAsync(requests.Current, call.CancellationToken);
        }
    }
}
