using System.Text.Json;
using ChannelNode.Cli;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>What 'config show' says of settings is what a node would have.</summary>
public sealed class ConfigShowTests
{
    /// <summary>What nobody has given does not listen.</summary>
    [Theory]
    [InlineData("run")]
    [InlineData("watchtower")]
    public async Task DoorThatIsShut_IsNotToldOf(string command)
    {
        JsonElement shown = await ShowAsync(command);

        List<(string Name, string Listen)> doors = [("metrics-listen", CommonFlags.Defaults.MetricsListen)];
        if (command == "run") doors.Add(("json-listen", CommonFlags.Defaults.Applications.JsonListen));
        foreach ((string name, string listen) in doors)
            Assert.Equal((listen, listen), (ValueOf(shown, name), Find(shown, name).GetProperty("default").GetString()));
    }

    private static async Task<JsonElement> ShowAsync(params string[] args)
    {
        CliRun run = await CliRun.AsyncOf(["config", "show", .. args, "--json"]);
        Assert.Equal("", run.Error);
        return JsonDocument.Parse(run.Output).RootElement;
    }

    private static JsonElement Find(JsonElement shown, string name) =>
        shown.GetProperty("settings").EnumerateArray().Single(setting => setting.GetProperty("name").GetString() == name);

    private static string ValueOf(JsonElement shown, string name) =>
        string.Concat(Find(shown, name).GetProperty("value").EnumerateArray().Select(value => value.GetString()));
}
