using System.Text;

namespace ChannelNode.Telemetry;

/// <summary>How names of the engine are written in labels.</summary>
internal static class Labels
{
    public static KeyValuePair<string, object?> Of(string name, string value) => new(name, value);

    /// <summary>As in errors of the API: WRONG_SIGNER.</summary>
    public static string Upper<T>(T value)
        where T : struct, Enum => Snake(value.ToString(), char.ToUpperInvariant);

    /// <summary>window_ending</summary>
    public static string Lower<T>(T value)
        where T : struct, Enum => Snake(value.ToString(), char.ToLowerInvariant);

    private static string Snake(string name, Func<char, char> write)
    {
        StringBuilder snake = new(name.Length + 4);
        foreach (char letter in name)
        {
            if (char.IsAsciiLetterUpper(letter) && snake.Length > 0) snake.Append('_');
            snake.Append(write(letter));
        }

        return snake.ToString();
    }
}
