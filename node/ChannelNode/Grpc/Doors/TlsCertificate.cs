using System.Net;
using System.Net.NetworkInformation;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc;

/// <summary>
/// The certificate of a node's doors: given by its operator, or made here, kept in the data folder (tls.cert, tls.key, mode
/// 600) and renewed with the same key, so that who pinned the key need not be told. Files that change are read anew with one
/// of the next connections; what cannot be used then is told in the log, and the one before stays.
/// </summary>
internal sealed class TlsCertificate
{
    public const string CertificateFile = "tls.cert";
    public const string KeyFile = "tls.key";

    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(397);
    private static readonly TimeSpan RenewBefore = TimeSpan.FromDays(30);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly string _certificatePath;
    private readonly string _keyPath;
    private readonly IReadOnlyList<string>? _names;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private volatile Loaded _loaded;
    private string _refusedStamp = string.Empty;
    private long _lookedAt;

    private sealed record Loaded(SslStreamCertificateContext Context, string Stamp)
    {
        public X509Certificate2 Leaf => Context.TargetCertificate;
    }

    /// <param name="names">Of one made here; null for one that the operator gave.</param>
    private TlsCertificate(string certificatePath, string keyPath, IReadOnlyList<string>? names, TimeProvider time, ILogger log)
    {
        (_certificatePath, _keyPath, _names, _time, _log) = (certificatePath, keyPath, names, time, log);
        if (names is not null && NeedsMaking(names)) Make(names);
        _loaded = Load(Stamp());
        _lookedAt = time.GetTimestamp();
    }

    /// <summary>By the options: given, or made for these addresses. Throws <see cref="RefusalException"/> naming what is wrong.</summary>
    public static TlsCertificate Open(NodeOptions options, IEnumerable<DoorAddress> doors, TimeProvider time, ILogger log)
    {
        if (options.TlsCertificate.Length == 0 && options.TlsKey.Length == 0)
        {
            Directory.CreateDirectory(options.DataDirectory);
            return new TlsCertificate(
                Path.Combine(options.DataDirectory, CertificateFile), Path.Combine(options.DataDirectory, KeyFile),
                NamesOf(doors, options.TlsDomains), time, log);
        }

        if (options.TlsCertificate.Length == 0 || options.TlsKey.Length == 0)
        {
            string missing = options.TlsKey.Length == 0 ? "--tls-key" : "--tls-cert";
            throw Wrong(missing, "is missing: a certificate is given with its key, or neither");
        }

        return new TlsCertificate(options.TlsCertificate, options.TlsKey, null, time, log);
    }

    /// <summary>Throws as <see cref="Open"/> would; makes nothing, so that one to be made is looked at as far as it is there.</summary>
    public static void Check(NodeOptions options, TimeProvider time)
    {
        if (options.TlsCertificate.Length > 0)
        {
            Load(options.TlsCertificate, options.TlsKey, "", time).Leaf.Dispose();
            return;
        }

        string made = Path.Combine(options.DataDirectory, CertificateFile), key = Path.Combine(options.DataDirectory, KeyFile);
        if (Path.Exists(made)) Read("--data-dir", made);
        if (!Path.Exists(key)) return;
        using ECDsa read = ECDsa.Create();
        ReadKey(key, read);
    }

    /// <summary>The newest that can be used.</summary>
    public SslStreamCertificateContext Current
    {
        get
        {
            Look();
            return _loaded.Context;
        }
    }

    /// <summary>SHA-256 of its public key, which stays when it is renewed.</summary>
    public string Fingerprint => TlsPin.OfKey(_loaded.Leaf);

    private void Look()
    {
        lock (_lock)
        {
            if (_time.GetElapsedTime(_lookedAt) < LookEvery) return;
            _lookedAt = _time.GetTimestamp();
            try
            {
                if (_names is not null && NeedsMaking(_names)) Make(_names);
                string stamp = Stamp();
                if (stamp == _loaded.Stamp || stamp == _refusedStamp) return;
                _refusedStamp = stamp;
                _loaded = Load(stamp);
                _log.CertificateRead(_certificatePath, _loaded.Leaf.NotAfter.ToUniversalTime(), Fingerprint);
            }
            catch (Exception error) when (error is RefusalException or IOException or UnauthorizedAccessException or CryptographicException)
            {
                _log.CertificateRefused(error.Message);
            }
        }
    }

    private Loaded Load(string stamp) => Load(_certificatePath, _keyPath, stamp, _time);

    private static Loaded Load(string certificatePath, string keyPath, string stamp, TimeProvider time)
    {
        X509Certificate2 leaf;
        X509Certificate2Collection chain = [];
        string certificates = Read("--tls-cert", certificatePath), key = Read("--tls-key", keyPath);
        try
        {
            chain.ImportFromPem(certificates);
            leaf = X509Certificate2.CreateFromPem(certificates, key);
        }
        catch (CryptographicException error)
        {
            throw Wrong("--tls-cert", $"{certificatePath} and {keyPath} are not a certificate and its key in PEM: {error.Message}");
        }
        catch (ArgumentException)
        {
            throw Wrong("--tls-key", $"{keyPath} is not the key of the certificate in {certificatePath}");
        }

        DateTime now = time.GetUtcNow().UtcDateTime;
        if (leaf.NotAfter.ToUniversalTime() <= now)
            throw Wrong("--tls-cert", $"{certificatePath} expired at {leaf.NotAfter.ToUniversalTime():u}");
        if (leaf.NotBefore.ToUniversalTime() > now)
            throw Wrong("--tls-cert", $"{certificatePath} is not valid before {leaf.NotBefore.ToUniversalTime():u}");
        if (chain.Count > 0) chain.RemoveAt(0);
        return new Loaded(SslStreamCertificateContext.Create(leaf, chain, offline: true), stamp);
    }

    private static string Read(string flag, string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Wrong(flag, $"{path} {FileTrouble.WhyUnread(path, error)}");
        }
    }

    private string Stamp() => $"{StampOf(_certificatePath)} {StampOf(_keyPath)}";

    private static string StampOf(string path)
    {
        // Of a link the file behind it: a mounted secret's stays as it is while what it leads to changes.
        FileInfo link = new(path);
        FileSystemInfo? behind = link.Exists ? link.ResolveLinkTarget(returnFinalTarget: true) : null;
        FileInfo file = behind is null ? link : new FileInfo(behind.FullName);
        return file.Exists ? $"{file.FullName}:{file.LastWriteTimeUtc.Ticks}:{file.Length}" : "none";
    }

    private bool NeedsMaking(IReadOnlyList<string> names)
    {
        if (!File.Exists(_certificatePath) || !File.Exists(_keyPath)) return true;
        try
        {
            using X509Certificate2 known = X509Certificate2.CreateFromPem(Read("--data-dir", _certificatePath));
            return known.NotAfter.ToUniversalTime() - RenewBefore <= _time.GetUtcNow().UtcDateTime || !NamesIn(known).SetEquals(names);
        }
        catch (CryptographicException)
        {
            return true; // Damaged: its key is what matters, and is kept.
        }
    }

    private static HashSet<string> NamesIn(X509Certificate2 certificate)
    {
        X509SubjectAlternativeNameExtension? names =
            certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        return names is null ? [] : [.. names.EnumerateDnsNames(), .. names.EnumerateIPAddresses().Select(it => it.ToString())];
    }

    private void Make(IReadOnlyList<string> names)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(_keyPath)) ReadKey(_keyPath, key);
        CertificateRequest request = new("CN=channelnode", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder alternatives = new();
        foreach (string name in names)
        {
            if (IPAddress.TryParse(name, out IPAddress? address)) alternatives.AddIpAddress(address);
            else alternatives.AddDnsName(name);
        }

        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthentication)], critical: false));
        DateTimeOffset now = _time.GetUtcNow();
        using X509Certificate2 made = request.CreateSelfSigned(now.AddHours(-1), now + Lifetime);
        if (!File.Exists(_keyPath)) SecretFile.Write(_keyPath, key.ExportPkcs8PrivateKeyPem() + "\n");
        SecretFile.Write(_certificatePath, made.ExportCertificatePem() + "\n");
    }

    private static void ReadKey(string path, ECDsa key)
    {
        try
        {
            key.ImportFromPem(Read("--data-dir", path));
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw Wrong("--data-dir", $"{path} is no key: put it right, or delete it, and who pinned it must be told of the new one");
        }
    }

    /// <summary>What callers may know the node by: its listen addresses, all of this machine's where it listens on any.</summary>
    private static List<string> NamesOf(IEnumerable<DoorAddress> doors, IEnumerable<string> domains)
    {
        SortedSet<string> names = new(StringComparer.Ordinal) { "localhost", "127.0.0.1" };
        foreach (string domain in domains) names.Add(domain);
        if (Uri.CheckHostName(Dns.GetHostName()) == UriHostNameType.Dns) names.Add(Dns.GetHostName());
        foreach (DoorAddress door in doors)
        {
            if (door.EndPoint is not IPEndPoint { Address: var address }) continue;
            if (!address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any)) names.Add(address.ToString());
            else names.UnionWith(OwnAddresses());
        }

        return [.. names];
    }

    private static IEnumerable<string> OwnAddresses() => NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(network => network.GetIPProperties().UnicastAddresses)
        .Select(own => own.Address)
        .Where(own => own.AddressFamily is AddressFamily.InterNetwork or AddressFamily.InterNetworkV6 && !own.IsIPv6LinkLocal)
        .Select(own => own.ToString());

    private static RefusalException Wrong(string flag, string what) =>
        new(Refusal.InvalidArgument, $"{flag}: {what}") { Field = flag };
}

/// <summary>Files that only their owner reads, whole or not there.</summary>
internal static class SecretFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static void Write(string path, string text)
    {
        string beside = path + ".new";
        File.Delete(beside);
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        using (FileStream file = new(beside, options))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
        AtomicFile.SyncFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }
}
