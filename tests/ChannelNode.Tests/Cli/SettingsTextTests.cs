using ChannelNode.Cli;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>A file of settings that cannot be read: where it is wrong, and what, in our own words.</summary>
public sealed class SettingsTextTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Theory]
    [InlineData("""{"poll-ms": 100, "poll-ms": 200}""", ": poll-ms stands there twice")]
    [InlineData("{\n \"poll-ms\": 100\n", ", line 2: the file ends here, before all that it opens is closed: a } is missing, or more")]
    [InlineData("{", ", line 1: the file ends here, before all that it opens is closed: a } is missing, or more")]
    [InlineData("{\"accept-token\": [", ", line 1: the file ends here, before all that it opens is closed: a ] is missing, or more")]
    [InlineData("{\"data-dir\": \"d", ", line 1: the file ends here, before all that it opens is closed: a } is missing, or more")]
    [InlineData("{\n \"poll-ms\": 100\n \"fee-max\": 1\n}", ", line 3, column 2: '\"' cannot stand here: is a comma or a \" missing before it, or one too many?")]
    [InlineData("{'poll-ms': 100}", ", line 1, column 2: ''' cannot stand here: texts stand between \" and \"")]
    [InlineData("", " is empty, expected {\"name\": value, ...}")]
    [InlineData("[1]", ": the file is a list, expected {\"name\": value, ...}")]
    public void TextThatCannotBeRead_NamesFileLineAndWhatIsWrong(string text, string fault)
    {
        File.WriteAllText(_file, text);

        Assert.Equal(_file + fault, SettingsText.FaultOf(_file));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"poll-ms\": 100, // as on Base\n}")]
    public void TextThatCanBeRead_HasNoFault(string text)
    {
        File.WriteAllText(_file, text);

        Assert.Null(SettingsText.FaultOf(_file));
    }
}
