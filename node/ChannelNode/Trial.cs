using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Settlement;
using ChannelNode.Signing;
using ChannelNode.Storage;

namespace ChannelNode;

/// <summary>What --network anvil makes before a node starts: a key, in the open where no password is named, and on the chain ether and the contract.</summary>
internal static class Trial
{
    public static async Task PrepareAsync(NodeOptions options, ILoggerFactory logs, CancellationToken cancel)
    {
        bool isKnown = StoreOpening.IsDatabase(options.DataDirectory);
        Address account = default;
        if (options.SignerUrl.Length == 0)
        {
            if (isKnown) RequireKey(options);
            MakeKey(options, logs);
            account = KeyDesk.AddressOf(options.KeyFile, prove: false, options.PasswordFile).Address;
        }

        try
        {
            await TrialChain.PrepareAsync(
                options.RpcUrl, options.Contract, isKnown, account, TimeProvider.System, logs.CreateLogger<TrialChain>(), cancel);
        }
        catch (RefusalException unknown) when (isKnown && unknown.Refusal == Refusal.WrongChain)
        {
            throw new RefusalException(
                Refusal.WrongChain, $"{unknown.Message}; remove {options.DataDirectory}, or name another folder by --data-dir");
        }
    }

    /// <summary>A key is in no backup, and a new one could not use what is there.</summary>
    public static void RequireKey(NodeOptions options)
    {
        if (File.Exists(options.KeyFile)) return;
        throw new RefusalException(
            Refusal.InvalidArgument,
            $"--key-file: {options.KeyFile} is not there, and the database in {options.DataDirectory} is of the key of "
            + $"{RocksChannelStore.ReadIdentity(options.DataDirectory).Signer}, which is in no backup: copy that key's file to {options.KeyFile}, or "
            + "name it by --key-file; for a new node name an empty folder by --data-dir")
        {
            Field = "--key-file",
        };
    }

    private static void MakeKey(NodeOptions options, ILoggerFactory logs)
    {
        if (File.Exists(options.KeyFile)) return;
        StoreOpening.MakeFolder(options.DataDirectory);
        bool isPlain = options.PasswordFile.Length == 0;
        KeyDesk.Create(options.KeyFile, isPlain, options.PasswordFile);
        ILogger log = logs.CreateLogger("ChannelNode");
        if (isPlain) log.TrialKeyMade(options.KeyFile);
        else log.EncryptedKeyMade(options.KeyFile, options.PasswordFile);
    }
}
