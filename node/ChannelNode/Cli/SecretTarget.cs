using ChannelNode.Engine;

namespace ChannelNode.Cli;

/// <summary>A file that a secret goes to, made before there is one: what cannot be written must not cost a secret that is told once.</summary>
internal sealed class SecretTarget : IDisposable
{
    private readonly string _path;
    private readonly FileStream _file;
    private bool _isWritten;

    private SecretTarget(string path, FileStream file) => (_path, _file) = (path, file);

    /// <summary>Throws <see cref="CommandException"/> where there is such a file, or it cannot be made.</summary>
    public static SecretTarget Open(string path)
    {
        if (Path.Exists(path)) throw NodeFlags.Wrong("--to", $"--to: {path} exists");
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            return new SecretTarget(path, new FileStream(path, options));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw NodeFlags.Wrong("--to", $"--to: {path} {FileTrouble.WhyUnwritten(path, error)}");
        }
    }

    /// <summary>One line, on disk when this returns; else why it is not.</summary>
    public Failure? Write(string secret)
    {
        try
        {
            _file.Write(System.Text.Encoding.ASCII.GetBytes(secret + "\n"));
            _file.Flush(flushToDisk: true);
            _isWritten = true;
            return null;
        }
        catch (IOException error)
        {
            return new Failure(
                ExitCode.Refused, "FILE_ERROR", $"--to: {_path} was not written: {error.Message}; so the secret is shown here, and never again", "--to");
        }
    }

    /// <summary>Of what came to nothing nothing stays.</summary>
    public void Dispose()
    {
        try
        {
            _file.Dispose();
        }
        catch (IOException)
        {
            // A full disk: what was to be written has been shown.
        }

        if (!_isWritten) File.Delete(_path);
    }
}
