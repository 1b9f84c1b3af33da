using System.Numerics;
using System.Text.Json;
using ChannelNode.Core;

namespace ChannelNode.Signing;

/// <summary>Takes a keystore's JSON apart, field by field; what is not as it must be is named with its value and limit.</summary>
internal sealed class KeystoreReader(string path)
{
    /// <summary>Some old programs left out the zeros that a key begins with.</summary>
    private const int KeyBytesMin = 28;

    private const int NMax = 1 << 20;
    private const int RMax = 32;
    private const int PMax = 16;
    private const int IterationsMax = 10_000_000;
    private const int SaltBytesMax = 256;

    /// <summary>Twice what the standard takes.</summary>
    private const long MemoryBytesMax = 512L << 20;

    /// <summary>Of n * r * p: eight times the standard's, some seconds.</summary>
    private const long WorkMax = 1L << 24;

    /// <summary>Longer words than this are not shown in messages.</summary>
    private const int ShownMax = 40;

    public Keystore Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object) throw Wrong("the document", root.ToString(), "an object");
        Number(root, "version", 3, 3);
        JsonElement crypto = Object(root, "crypto");
        Word(crypto, "cipher", "aes-128-ctr");
        JsonElement cipher = Object(crypto, "cipherparams");
        return Keystore.Of(
            ReadAddress(root),
            Bytes(cipher, "iv", 16, 16),
            Bytes(crypto, "ciphertext", KeyBytesMin, PrivateKey.Size),
            Bytes(crypto, "mac", Bytes32.Size, Bytes32.Size),
            ReadKdf(crypto));
    }

    private Address? ReadAddress(JsonElement root)
    {
        if (Find(root, "address") is not { ValueKind: JsonValueKind.String } field) return null;
        if (field.GetString() is not { Length: > 0 } text) return null;
        return Address.TryParse(text, out Address address) ? address : throw Wrong("address", text, "an address of 40 hex digits");
    }

    private KeystoreKdf ReadKdf(JsonElement crypto)
    {
        string kdf = Word(crypto, "kdf", "scrypt", "pbkdf2");
        JsonElement parameters = Object(crypto, "kdfparams");
        Number(parameters, "dklen", 32, 128); // Only the first 32 bytes are used, and they do not depend on it.
        byte[] salt = Bytes(parameters, "salt", 1, SaltBytesMax);
        if (kdf == "scrypt") return new KeystoreKdf.ByScrypt(salt, ReadCost(parameters));
        Word(parameters, "prf", "hmac-sha256");
        return new KeystoreKdf.ByPbkdf2(salt, Number(parameters, "c", 1, IterationsMax));
    }

    private KeystoreCost ReadCost(JsonElement parameters)
    {
        int n = Number(parameters, "n", 2, NMax), r = Number(parameters, "r", 1, RMax), p = Number(parameters, "p", 1, PMax);
        if (!BitOperations.IsPow2(n)) throw Wrong("n", $"{n}", "a power of two");
        if (128L * n * r > MemoryBytesMax) throw Wrong("128 * n * r", $"{128L * n * r} bytes", $"at most {MemoryBytesMax} bytes");
        if ((long)n * r * p > WorkMax) throw Wrong("n * r * p", $"{(long)n * r * p}", $"at most {WorkMax}");
        return new KeystoreCost(n, r, p);
    }

    /// <summary>Names are found in any case: geth once wrote "Crypto".</summary>
    private static JsonElement? Find(JsonElement parent, string name)
    {
        foreach (JsonProperty field in parent.EnumerateObject())
        {
            if (field.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) return field.Value;
        }

        return null;
    }

    private JsonElement Get(JsonElement parent, string name) =>
        Find(parent, name) ?? throw new KeyFileException($"{path}: {name} is missing: it is no keystore of version 3");

    private JsonElement Object(JsonElement parent, string name)
    {
        JsonElement field = Get(parent, name);
        return field.ValueKind == JsonValueKind.Object ? field : throw Wrong(name, field.ToString(), "an object");
    }

    private int Number(JsonElement parent, string name, int min, int max)
    {
        JsonElement field = Get(parent, name);
        return field.ValueKind == JsonValueKind.Number && field.TryGetInt32(out int value) && value >= min && value <= max
            ? value
            : throw Wrong(name, field.ToString(), min == max ? $"{min}" : $"a whole number from {min} to {max}");
    }

    private string Word(JsonElement parent, string name, params ReadOnlySpan<string> known)
    {
        string text = Get(parent, name).ToString();
        foreach (string word in known)
            if (text == word) return word;
        throw Wrong(name, text, string.Join(" or ", known.ToArray()));
    }

    private byte[] Bytes(JsonElement parent, string name, int sizeMin, int sizeMax)
    {
        string text = Get(parent, name).ToString();
        string limit = sizeMin == sizeMax ? $"{2 * sizeMin} hex digits" : $"{2 * sizeMin} to {2 * sizeMax} hex digits";
        byte[]? bytes = text.Length <= 2 + 2 * sizeMax ? Hex.Parse(text) : null;
        return bytes is not null && bytes.Length >= sizeMin && bytes.Length <= sizeMax ? bytes : throw Wrong(name, text, limit);
    }

    private KeyFileException Wrong(string field, string value, string limit) =>
        new($"{path}: {field} is {(value.Length <= ShownMax ? $"'{value}'" : $"{value.Length} characters long")}, expected {limit}");
}
