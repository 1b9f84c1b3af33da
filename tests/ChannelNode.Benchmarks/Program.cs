using BenchmarkDotNet.Running;
using ChannelNode.Benchmarks;

BenchmarkRunner.Run<UpdateBenchmarks>(args: args);
