using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Signing;

/// <summary>How dear it is to try a password: scrypt's n (a power of two), r and p.</summary>
internal readonly record struct KeystoreCost(int N, int R, int P)
{
    /// <summary>What geth takes too: 256 MB and about a second.</summary>
    public static readonly KeystoreCost Standard = new(262_144, 8, 1);
}

/// <summary>
/// An Ethereum keystore file, version 3 ("Web3 Secret Storage"): a key under AES-128-CTR, whose own key is derived from a
/// password by scrypt, or by PBKDF2 in older files. What a file asks for is limited before it is done, so that a hostile
/// one costs neither memory nor time. Throws <see cref="KeyFileException"/>, which names the field, its value and the limit.
/// </summary>
internal sealed class Keystore
{
    private const int DerivedSize = 32;
    private const int CipherKeySize = 16;

    private readonly byte[] _iv;
    private readonly byte[] _ciphertext;
    private readonly byte[] _mac;
    private readonly KeystoreKdf _kdf;

    private Keystore(Address? address, byte[] iv, byte[] ciphertext, byte[] mac, KeystoreKdf kdf)
    {
        (Address, _iv, _ciphertext, _mac, _kdf) = (address, iv, ciphertext, mac, kdf);
    }

    /// <summary>As the file says, which nothing proves; null where it does not.</summary>
    public Address? Address { get; }

    public static Keystore Parse(string path, ReadOnlyMemory<byte> json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return new KeystoreReader(path).Read(document.RootElement);
        }
        catch (JsonException error)
        {
            throw new KeyFileException($"{path} is neither a key of 64 hex digits nor a keystore in JSON", error);
        }
    }

    public static Keystore Of(Address? address, byte[] iv, byte[] ciphertext, byte[] mac, KeystoreKdf kdf) =>
        new(address, iv, ciphertext, mac, kdf);

    public PrivateKey Decrypt(string path, Secret password)
    {
        Span<byte> derived = stackalloc byte[DerivedSize];
        Span<byte> key = stackalloc byte[PrivateKey.Size];
        key.Clear();
        try
        {
            _kdf.Derive(password.Bytes, derived);
            if (!CryptographicOperations.FixedTimeEquals(Mac(derived, _ciphertext), _mac))
                throw new KeyFileException($"the password does not open {path}; or the file is damaged");
            Crypt(derived, _iv, _ciphertext, key[^_ciphertext.Length..]);
            if (!Secp256k1.IsPrivateKey(key)) throw new KeyFileException($"{path} does not hold a secp256k1 key");
            PrivateKey opened = new(key);
            if (Address is not { } said || said == opened.Address) return opened;
            opened.Dispose();
            throw new KeyFileException($"{path}: address is {said}, but its key is that of {opened.Address}");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(derived);
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>The file's bytes, which geth and cast read. Salt and initial vector are new each time.</summary>
    public static byte[] Encrypt(PrivateKey key, Secret password, KeystoreCost cost)
    {
        byte[] salt = RandomNumberGenerator.GetBytes(32), iv = RandomNumberGenerator.GetBytes(16);
        byte[] ciphertext = new byte[PrivateKey.Size], mac;
        Span<byte> derived = stackalloc byte[DerivedSize];
        Span<byte> plain = stackalloc byte[PrivateKey.Size];
        try
        {
            Scrypt.DeriveKey(password.Bytes, salt, cost.N, cost.R, cost.P, derived);
            key.CopyTo(plain);
            Crypt(derived, iv, plain, ciphertext);
            mac = Mac(derived, ciphertext);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(derived);
            CryptographicOperations.ZeroMemory(plain);
        }

        return Write(key.Address, iv, ciphertext, mac, cost, salt);
    }

    private static byte[] Mac(ReadOnlySpan<byte> derived, ReadOnlySpan<byte> ciphertext)
    {
        Span<byte> body = stackalloc byte[DerivedSize - CipherKeySize + ciphertext.Length];
        byte[] mac = new byte[Bytes32.Size];
        derived[CipherKeySize..].CopyTo(body);
        ciphertext.CopyTo(body[(DerivedSize - CipherKeySize)..]);
        Keccak.Hash(body, mac);
        CryptographicOperations.ZeroMemory(body);
        return mac;
    }

    /// <summary>AES-128 in counter mode, over the two blocks of a key. Encrypts and decrypts.</summary>
    private static void Crypt(ReadOnlySpan<byte> derived, ReadOnlySpan<byte> iv, ReadOnlySpan<byte> from, Span<byte> to)
    {
        Span<byte> pad = stackalloc byte[PrivateKey.Size];
        UInt128 counter = BinaryPrimitives.ReadUInt128BigEndian(iv);
        BinaryPrimitives.WriteUInt128BigEndian(pad, counter);
        BinaryPrimitives.WriteUInt128BigEndian(pad[16..], unchecked(counter + 1));
        using Aes aes = Aes.Create();
        aes.SetKey(derived[..CipherKeySize]);
        aes.EncryptEcb(pad, pad, PaddingMode.None);
        for (int index = 0; index < from.Length; index++) to[index] = (byte)(from[index] ^ pad[index]);
        CryptographicOperations.ZeroMemory(pad);
    }

    private static byte[] Write(
        Address address, ReadOnlySpan<byte> iv, ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> mac, KeystoreCost cost,
        ReadOnlySpan<byte> salt)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        using (Utf8JsonWriter json = new(bytes))
        {
            json.WriteStartObject();
            json.WriteString("address", address.ToString()[2..]);
            json.WriteStartObject("crypto");
            json.WriteString("cipher", "aes-128-ctr");
            json.WriteStartObject("cipherparams");
            json.WriteString("iv", Convert.ToHexStringLower(iv));
            json.WriteEndObject();
            json.WriteString("ciphertext", Convert.ToHexStringLower(ciphertext));
            json.WriteString("kdf", "scrypt");
            json.WriteStartObject("kdfparams");
            json.WriteNumber("dklen", DerivedSize);
            json.WriteNumber("n", cost.N);
            json.WriteNumber("p", cost.P);
            json.WriteNumber("r", cost.R);
            json.WriteString("salt", Convert.ToHexStringLower(salt));
            json.WriteEndObject();
            json.WriteString("mac", Convert.ToHexStringLower(mac));
            json.WriteEndObject();
            json.WriteString("id", Guid.NewGuid());
            json.WriteNumber("version", 3);
            json.WriteEndObject();
        }

        bytes.Write("\n"u8);
        return bytes.WrittenSpan.ToArray();
    }
}
