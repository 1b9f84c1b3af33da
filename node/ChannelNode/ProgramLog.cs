namespace ChannelNode;

internal static partial class ProgramLog
{
    [LoggerMessage(100, LogLevel.Critical, "The node stops: it can no longer do its work safely")]
    public static partial void NodeFailed(this ILogger log, Exception error);

    [LoggerMessage(103, LogLevel.Information, "Made the key {File}, in the open: for trying only")]
    public static partial void TrialKeyMade(this ILogger log, string file);

    [LoggerMessage(104, LogLevel.Information, "Made the key {File}, under the password in {PasswordFile}")]
    public static partial void EncryptedKeyMade(this ILogger log, string file, string passwordFile);

    [LoggerMessage(102, LogLevel.Warning,
        "The database in {Directory} was brought up from schema {Schema}: an older program cannot open it any more. A backup made "
        + "now is of the new schema; one of before needs the program of before")]
    public static partial void SchemaMigrated(this ILogger log, string directory, uint schema);

    [LoggerMessage(105, LogLevel.Warning, "Other users of this machine can read who pays whom in {Directory}: close it to them (chmod 700)")]
    public static partial void FolderOpenToOthers(this ILogger log, string directory);

    [LoggerMessage(106, LogLevel.Warning,
        "Every user and program of this machine may do everything by the API: without --access-token-required false it asks them for a "
        + "token, and --api-listen unix:/path lets in this node's user alone")]
    public static partial void ApiOpenToThisMachine(this ILogger log);

    [LoggerMessage(107, LogLevel.Warning,
        "There is no socket for the operator in {Directory}, so commands on this machine need an access token as all others do: {Why}")]
    public static partial void NoSocketInFolder(this ILogger log, string directory, string why);
}
