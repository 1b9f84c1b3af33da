using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using ChannelNode.Backups;
using ChannelNode.Core;
using ChannelNode.Engine;
using Xunit;

namespace ChannelNode.Tests.Backups;

/// <summary>What is encrypted to a recipient, beside the tool whose format it is (Debian's package age).</summary>
public sealed class AgeFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-age-").FullName;
    private readonly AgeIdentity _identity = AgeIdentity.Generate();

    public void Dispose()
    {
        _identity.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>No byte, part of a chunk, a chunk but a byte, whole ones.</summary>
    public static TheoryData<int> Sizes => [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000];

    [Fact]
    public void Keys_AreWrittenAsAgeWritesThem()
    {
        using AgeIdentity known = AgeIdentity.TryParse("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")!;

        Assert.Equal("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj", known.Recipient.Text);
        Assert.Equal(known.Recipient.PublicKey, AgeRecipient.Parse(known.Recipient.Text.ToUpperInvariant()).PublicKey);
    }

    [Theory]
    [InlineData("")]
    [InlineData("age1")]
    [InlineData("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwk")] // One letter is another.
    [InlineData("Age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj")]
    [InlineData("bge1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj")]
    public void RecipientThatIsNone_IsRefusedByName(string text)
    {
        RefusalException refused = Assert.Throws<RefusalException>(() => AgeRecipient.Parse(text));
        Assert.Equal((Refusal.InvalidArgument, "recipient"), (refused.Refusal, refused.Field));
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task Encrypted_IsOpenedAgain(int size)
    {
        byte[] plain = RandomNumberGenerator.GetBytes(size);

        Assert.Equal(plain, await DecryptAsync(await EncryptAsync(plain, _identity.Recipient), _identity));
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task AgeItself_OpensWhatIsWritten_AndWritesWhatIsOpened(int size)
    {
        string keyFile = Path.Combine(_folder, "key"), file = Path.Combine(_folder, "ours"), theirs = Path.Combine(_folder, "theirs");
        AgeRecipient recipient = AgeIdentity.CreateFile(keyFile, DateTimeOffset.UnixEpoch);
        byte[] plain = RandomNumberGenerator.GetBytes(size);
        await File.WriteAllBytesAsync(file, await EncryptAsync(plain, _identity.Recipient, recipient));

        byte[] opened = await AgeAsync("--decrypt", "-i", keyFile, file);
        string input = Path.Combine(_folder, "plain");
        await File.WriteAllBytesAsync(input, plain);
        await AgeAsync("-r", recipient.Text, "-o", theirs, input);

        Assert.Equal(plain, opened);
        using AgeIdentity identity = Assert.Single(AgeIdentity.ReadFile(keyFile));
        Assert.Equal(plain, await DecryptAsync(await File.ReadAllBytesAsync(theirs), identity));
    }

    [Fact]
    public async Task EveryKeyOfAFileIsTried_AndEveryRecipientOpens()
    {
        using AgeIdentity other = AgeIdentity.Generate(), stranger = AgeIdentity.Generate();
        byte[] file = await EncryptAsync([1, 2, 3], other.Recipient, _identity.Recipient);

        Assert.Equal([1, 2, 3], await DecryptAsync(file, stranger, _identity));
        Assert.Equal([1, 2, 3], await DecryptAsync(file, other));
        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => DecryptAsync(file, stranger));
        Assert.Equal((Refusal.BackupKeyWrong, "identity"), (refused.Refusal, refused.Field));
    }

    [Fact]
    public async Task AnyChangedByte_IsRefusedByName()
    {
        byte[] file = await EncryptAsync(RandomNumberGenerator.GetBytes(70_000), _identity.Recipient);
        int header = Encoding.ASCII.GetString(file, 0, 400).IndexOf("\n---", StringComparison.Ordinal) + 60;

        // All of the header; of the payload, each chunk's ends and some between.
        foreach (int at in Enumerable.Range(0, header).Concat([header + 20, 65_000, 65_800, 65_900, file.Length - 20, file.Length - 1]))
        {
            byte[] changed = [.. file];
            changed[at] ^= 1;
            RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => DecryptAsync(changed, _identity));
            Assert.True(refused.Refusal is Refusal.BackupDamaged or Refusal.BackupKeyWrong, $"byte {at}: {refused.Message}");
            if (at > header) Assert.Equal(Refusal.BackupDamaged, refused.Refusal);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(30)]
    [InlineData(190)]
    [InlineData(205)]
    [InlineData(-1)]
    [InlineData(-16)]
    [InlineData(-17)]
    [InlineData(-4_480)] // The whole last chunk.
    public async Task CutOff_IsRefusedByName(int length)
    {
        byte[] file = await EncryptAsync(new byte[70_000], _identity.Recipient); // A chunk of 64 KiB and one of 4,464 bytes.

        RefusalException refused = await Assert.ThrowsAsync<RefusalException>(
            () => DecryptAsync(length < 0 ? file[..^-length] : file[..length], _identity));

        Assert.Equal(Refusal.BackupDamaged, refused.Refusal);
    }

    [Fact]
    public async Task ChunksThatChangeTheirPlaces_OrComeTwice_OrFollowTheLast_AreRefused()
    {
        byte[] file = await EncryptAsync(RandomNumberGenerator.GetBytes(3 * 65_536), _identity.Recipient);
        const int chunk = 65_552;
        byte[] head = file[..^(3 * chunk)], one = file[^(3 * chunk)..^(2 * chunk)], two = file[^(2 * chunk)..^chunk], three = file[^chunk..];

        foreach (byte[] changed in (byte[][])[[.. head, .. two, .. one, .. three], [.. head, .. one, .. one, .. two, .. three], [.. file, .. three]])
        {
            RefusalException refused = await Assert.ThrowsAsync<RefusalException>(() => DecryptAsync(changed, _identity));
            Assert.Equal(Refusal.BackupDamaged, refused.Refusal);
        }
    }

    [Fact]
    public void KeyFile_IsItsOwnersAlone_AndNeverOverwritten()
    {
        string path = Path.Combine(_folder, "key");
        AgeIdentity.CreateFile(path, DateTimeOffset.UnixEpoch);
        string before = File.ReadAllText(path);

        Assert.Throws<IOException>(() => AgeIdentity.CreateFile(path, DateTimeOffset.UnixEpoch));
        Assert.Equal(before, File.ReadAllText(path));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    private static async Task<byte[]> EncryptAsync(byte[] plain, params AgeRecipient[] recipients)
    {
        using MemoryStream file = new();
        await using AgeWriteStream writer = new(file, recipients);
        await writer.WriteAsync(plain);
        await writer.FinishAsync(CancellationToken.None);
        return file.ToArray();
    }

    private static async Task<byte[]> DecryptAsync(byte[] file, params AgeIdentity[] identities)
    {
        await using AgeReadStream reader = new(new MemoryStream(file), identities);
        using MemoryStream plain = new();
        await reader.CopyToAsync(plain);
        return plain.ToArray();
    }

    private static async Task<byte[]> AgeAsync(params string[] arguments)
    {
        using Process age = Process.Start(new ProcessStartInfo("age", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        using MemoryStream output = new();
        Task<string> errors = age.StandardError.ReadToEndAsync();
        await age.StandardOutput.BaseStream.CopyToAsync(output);
        await age.WaitForExitAsync();
        Assert.True(age.ExitCode == 0, await errors);
        return output.ToArray();
    }
}
