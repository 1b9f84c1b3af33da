namespace ChannelNode.Cli;

/// <summary>Work in this process, or of a node, that can be long: beside the output it says how far it is, unless it is soon done.</summary>
internal static class SlowWork
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    /// <summary>
    /// <paramref name="work"/> is given what takes its newest sentence; <paramref name="first"/> is said before there is one. Says
    /// nothing to programs.
    /// </summary>
    public static async Task<T> RunAsync<T>(Terminal terminal, TimeProvider time, string first, Func<Action<string>, Task<T>> work)
    {
        if (terminal.Json) return await work(_ => { });
        string newest = first;
        long began = time.GetTimestamp();
        Task<T> working = Task.Run(() => work(text => Volatile.Write(ref newest, text))); // Some of it keeps its thread.
        using CancellationTokenSource over = new();
        while (await Task.WhenAny(working, Task.Delay(Every, time, over.Token)) != working)
            terminal.Note($"{Volatile.Read(ref newest)} ({time.GetElapsedTime(began).TotalSeconds:0} s)");
        await over.CancelAsync();
        return await working;
    }
}
