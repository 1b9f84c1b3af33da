using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace ChannelNode.Cli;

/// <summary>
/// Where a command prints. For people: tables and sentences. With --json: one compact document per line, in the
/// proto's JSON mapping, with every field present, so that scripts see the same shape each time.
/// </summary>
internal sealed class Terminal
{
    /// <summary>A full channel id takes 66 columns; below this width a line with one is hard to read.</summary>
    private const int WidthForFullIds = 200;

    /// <summary>When nobody watches, nothing may be shortened: any table of ids and amounts fits into this.</summary>
    private const int WidthUnwatched = 1_000;

    private static readonly JsonFormatter ProtoJson = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    private static readonly JsonSerializerOptions PlainJson = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly TextWriter _output;
    private readonly TextWriter _error;

    public Terminal(TextWriter output, TextWriter error, bool json)
    {
        _output = output;
        _error = error;
        Json = json;
        Live = !json && ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        Screen = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = Live ? AnsiSupport.Detect : AnsiSupport.No,
            Interactive = Live ? InteractionSupport.Detect : InteractionSupport.No,
            Out = new AnsiConsoleOutput(output),
        });
        if (!Live) Screen.Profile.Width = WidthUnwatched;
    }

    public bool Json { get; }

    /// <summary>Whether a person watches, so that a line may change in place.</summary>
    public bool Live { get; }

    public IAnsiConsole Screen { get; }

    public int Width => Screen.Profile.Width;

    /// <summary>Whether a person is there to answer.</summary>
    public bool CanAsk => Live && !Console.IsInputRedirected;

    /// <summary>True for an answer that begins with y.</summary>
    public bool Ask(string question)
    {
        Screen.Write(Printable(question));
        return Console.In.ReadLine()?.TrimStart().StartsWith('y') ?? false;
    }

    /// <summary>An id as a line shows it: whole where there is room. Never in JSON.</summary>
    public string IdForLine(string id) => Width >= WidthForFullIds ? id : Views.Short(id);

    public void Line(string text)
    {
        // Past the screen, a line would land in the middle of what a live view draws.
        if (Live) Screen.WriteLine(Printable(text));
        else _output.WriteLine(Printable(text));
    }

    /// <summary>For files: as it is, with no end of line added.</summary>
    public void Raw(string text) => _output.Write(text);

    /// <summary>What is good to know meanwhile, beside the output.</summary>
    public void Note(string text) => _error.WriteLine(Printable(text));

    public void Show(IRenderable renderable) => Screen.Write(renderable);

    public void Document(IMessage message) => _output.WriteLine(Written(message));

    /// <summary>As --json prints it.</summary>
    public static string Written(IMessage message) => ProtoJson.Format(message);

    /// <summary>A line as it is: of a file's format, for programs.</summary>
    public void RawLine(string line) => _output.WriteLine(line);

    public void Document(object document) => _output.WriteLine(JsonSerializer.Serialize(document, PlainJson));

    /// <summary>One line per failure for people; one document with all of them in JSON.</summary>
    public void Fail(params IReadOnlyList<Failure> failures)
    {
        if (!Json)
        {
            foreach (Failure failure in failures)
                _error.WriteLine($"error: {failure.Reason}: {Printable(failure.Message)}");
            return;
        }
        var errors = failures.Select(failure => new ErrorDocument(failure.Reason, failure.Message, failure.Field)).ToList();
        object document = errors.Count == 1 ? new { error = errors[0] } : new { error = errors[0], errors };
        _error.WriteLine(JsonSerializer.Serialize(document, PlainJson));
    }

    /// <summary>What went wrong inside this program, for a report.</summary>
    public void Trace(Exception bug) => _error.WriteLine(bug.ToString());

    /// <summary>A table cell that can carry neither markup nor control characters, whoever wrote the text.</summary>
    public static Text Cell(string text) => new(Printable(text));

    /// <summary>Peers choose item ids, URLs and notes: none of them may move the cursor of a person's terminal.</summary>
    public static string Printable(string text)
    {
        if (!text.Any(IsControl)) return text;
        var safe = new StringBuilder(text.Length);
        foreach (char letter in text) safe.Append(IsControl(letter) ? '\uFFFD' : letter);
        return safe.ToString();
    }

    private static bool IsControl(char letter) =>
        char.GetUnicodeCategory(letter) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private sealed record ErrorDocument(string reason, string message, string? field);
}
