using BenchmarkDotNet.Running;
using ChannelNode.Benchmarks;
using ChannelNode.Benchmarks.Load;

// load: the whole node under traffic. echo: what it compares the wire with. crowd: peers beside those measured. parts: what one update costs in its parts, by BenchmarkDotNet.
switch (args)
{
    case ["load", .. var rest]:
        return await LoadProgram.RunAsync(rest);
    case ["echo", .. var rest]:
        await ChannelNode.Benchmarks.Load.Rig.EchoServer.ServeAsync(ChannelNode.Benchmarks.Load.Rig.EchoWork.Of(rest));
        return 0;
    case ["crowd", .. var rest]:
        return await ChannelNode.Benchmarks.Load.Rig.CrowdProcess.RunAsync(rest);
    case ["parts", .. var rest]:
        BenchmarkRunner.Run<UpdateBenchmarks>(args: rest);
        BenchmarkRunner.Run<FrameBenchmarks>(args: rest);
        return 0;
    default:
        Console.Error.WriteLine($"usage: {LoadOptions.Usage}\n       parts [arguments of BenchmarkDotNet]");
        return 2;
}
