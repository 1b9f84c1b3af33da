using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Backups;

/// <summary>What a backup says of itself, in JSON before the database's files: what it must hold when it is unpacked.</summary>
/// <param name="Format">Of the archive; 1.</param>
/// <param name="Program">Version of the program that wrote it.</param>
/// <param name="CreatedAt">When its copy of the database was made, by that machine's clock.</param>
internal sealed record BackupManifest(
    int Format,
    string Program,
    DateTimeOffset CreatedAt,
    ulong ChainId,
    string Contract,
    string Signer,
    uint Schema,
    ulong Block,
    ulong ReceivedCursor,
    ulong EventCursor,
    IReadOnlyDictionary<string, ulong> Rows)
{
    public const int FormatKnown = 1;

    private const string ChannelRows = "channels";

    [JsonIgnore]
    public ulong Channels => Rows.GetValueOrDefault(ChannelRows);

    public static BackupManifest Of(StoreContents contents, DateTimeOffset now) => new(
        FormatKnown,
        typeof(BackupManifest).Assembly.GetName().Version?.ToString(3) ?? "0",
        now,
        contents.Identity.ChainId,
        contents.Identity.Contract.ToString(),
        contents.Identity.Signer.ToString(),
        contents.Schema,
        contents.Block,
        contents.ReceivedCursor,
        contents.EventCursor,
        contents.Rows);

    public BackupFound Found() =>
        new(CreatedAt, Signer, ChainId, Contract, Schema, Block, ReceivedCursor, Rows);

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, BackupJson.Default.BackupManifest);

    public static BackupManifest Read(byte[] json)
    {
        try
        {
            BackupManifest manifest = JsonSerializer.Deserialize(json, BackupJson.Default.BackupManifest)
                ?? throw AgeHeader.Damaged("it does not say what it holds");
            if (manifest.Format == FormatKnown) return manifest;
            throw new RefusalException(
                Refusal.BackupDamaged, $"the backup has format {manifest.Format}; this program knows format {FormatKnown}");
        }
        catch (JsonException)
        {
            throw AgeHeader.Damaged("it does not say what it holds");
        }
    }

    /// <summary>Throws <see cref="RefusalException"/> when a database that was unpacked is not what this says.</summary>
    public void Check(StoreContents found)
    {
        BackupManifest other = Of(found, CreatedAt) with { Program = Program };
        if (other with { Rows = Rows } != this)
            throw AgeHeader.Damaged($"it says that it holds {Describe(this)}, and holds {Describe(other)}");
        foreach (string kind in Rows.Keys.Union(other.Rows.Keys))
        {
            ulong said = Rows.GetValueOrDefault(kind), there = other.Rows.GetValueOrDefault(kind);
            if (said != there) throw AgeHeader.Damaged($"it says that it holds {said} rows of {kind}, and holds {there}");
        }
    }

    private static string Describe(BackupManifest it) =>
        $"chain {it.ChainId}, contract {it.Contract}, signer {it.Signer}, schema {it.Schema}, block {it.Block}, "
        + $"payment {it.ReceivedCursor}, event {it.EventCursor}";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(BackupManifest))]
internal sealed partial class BackupJson : JsonSerializerContext;
