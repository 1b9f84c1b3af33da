using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Signing;

/// <summary>
/// Signs by asking another program that holds the key and speaks web3signer's HTTP API. It is asked for what the node would
/// hash and sign itself: 0x1901 with the EIP-712 hashes, or an unsigned transaction; never for a bare hash. Nothing that it
/// answers is believed: a signature is used when it recovers to the expected address, with its s brought into the lower half.
/// A signer that fails is asked again in the background; until it signs, whoever needs a signature is refused at once.
/// </summary>
internal sealed class ExternalSigner : ISigner
{
    private const int AttemptsMax = 3;

    private static readonly TimeSpan RetryDelayMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ProbeDelayMin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ProbeDelayMax = TimeSpan.FromSeconds(5);

    private readonly SignerHttp _http;
    private readonly string _key;
    private readonly byte[] _probe;
    private readonly SemaphoreSlim _places;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stopping = new();
    private int _isProbing;

    private ExternalSigner(SignerHttp http, string key, Address address, int requestsMax, TimeProvider time, ILogger log)
    {
        (_http, _key, _time, _log) = (http, key, time, log);
        Address = address;
        Health = new SignerHealth(http.Url, time);
        _places = new SemaphoreSlim(requestsMax);

        // EIP-191's version 0 with ourselves as the validator: looks like nothing else that is ever signed.
        _probe = [0x19, 0x00, .. address.ToArray(), .. "ChannelNode asks whether its signer is there"u8];
    }

    public Address Address { get; }

    public SignerHealth Health { get; }

    public bool IsThere => Health.IsThere;

    /// <summary>
    /// Finds the key and has it prove itself. SignerUnavailable when no signer answers, it has not the key, or does not sign
    /// with it; InvalidArgument when it has several and <see cref="KeySource.SignerAddress"/> names none.
    /// </summary>
    public static async Task<ExternalSigner> ConnectAsync(KeySource source, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        SignerHttp http = new(
            source.SignerUrl, TimeSpan.FromMilliseconds(source.SignerTimeoutMs), source.SignerRequestsMax, time);
        try
        {
            Dictionary<Address, string> keys = await TryAsync(() => http.KeysAsync(cancel), time, cancel);
            Address address = Choose(keys, source.SignerAddress, http.Url);
            ExternalSigner signer = new(http, keys[address], address, source.SignerRequestsMax, time, log);
            await TryAsync(() => signer.AskAsync(signer._probe, cancel), time, cancel);
            Log.SignerFound(log, http.Url, address);
            return signer;
        }
        catch (SignerFailure failure)
        {
            http.Dispose();
            throw Unavailable(http.Url, failure.Message, failure);
        }
        catch
        {
            http.Dispose();
            throw;
        }
    }

    private static Address Choose(Dictionary<Address, string> keys, Address wanted, string url)
    {
        if (!wanted.IsZero)
        {
            return keys.ContainsKey(wanted)
                ? wanted
                : throw Unavailable(url, $"it has no key of {wanted}, but {keys.Count} others", null);
        }

        if (keys.Count == 1) return keys.Keys.Single();
        if (keys.Count == 0) throw Unavailable(url, "it has no secp256k1 key", null);
        throw new RefusalException(
            Refusal.InvalidArgument,
            $"--signer-address: the signer at {url} has {keys.Count} keys, name one: {string.Join(", ", keys.Keys.Order(ByText))}")
        {
            Field = "--signer-address",
        };
    }

    private static readonly Comparer<Address> ByText =
        Comparer<Address>.Create((one, other) => string.CompareOrdinal(one.ToString(), other.ToString()));

    public async ValueTask<Signature> SignAsync(ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        ThrowIfLost();
        await _places.WaitAsync(cancel);
        try
        {
            ThrowIfLost(); // Those that waited for a place need not each find out for themselves.
            return await TryAsync(() => AskAsync(message, cancel), _time, cancel);
        }
        catch (SignerFailure failure)
        {
            Lose(failure.Message);
            throw Unavailable(_http.Url, failure.Message, failure);
        }
        finally
        {
            _places.Release();
        }
    }

    private void ThrowIfLost()
    {
        if (!Health.IsThere) throw Unavailable(_http.Url, Health.Reason, null);
    }

    private async Task<Signature> AskAsync(ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        long asked = _time.GetTimestamp();
        try
        {
            Signature signature = await AskOnceAsync(message, cancel);
            Health.Answer(_time.GetElapsedTime(asked));
            return signature;
        }
        catch (SignerFailure)
        {
            Health.Fail();
            throw;
        }
    }

    private async Task<Signature> AskOnceAsync(ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        string answer = await _http.SignAsync(_key, message, cancel);
        Span<byte> bytes = stackalloc byte[Signature.Size];
        if (!Hex.TryRead(answer, bytes))
        {
            throw new SignerFailure(
                $"it answers {SignerHttp.Shown(answer)}, expected a signature of 130 hex digits", isPassing: false);
        }

        return Secp256k1.TryMakeCanonical(Signature.Read(bytes), Keccak.Hash(message.Span), Address, out Signature signature)
            ? signature
            : throw new SignerFailure($"what it answers is no signature by {Address} of what it was asked", isPassing: false);
    }

    private static async Task<T> TryAsync<T>(Func<Task<T>> ask, TimeProvider time, CancellationToken cancel)
    {
        TimeSpan delay = RetryDelayMin;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await ask();
            }
            catch (SignerFailure failure) when (failure.IsPassing && attempt < AttemptsMax)
            {
                await Task.Delay(delay, time, cancel);
                delay *= 3;
            }
        }
    }

    private void Lose(string reason)
    {
        if (Interlocked.Exchange(ref _isProbing, 1) != 0) return;
        Health.Lose(reason);
        Log.SignerLost(_log, _http.Url, Address, reason);
        _ = Task.Run(ProbeAsync);
    }

    private async Task ProbeAsync()
    {
        try
        {
            for (TimeSpan delay = ProbeDelayMin; ; delay = delay * 2 < ProbeDelayMax ? delay * 2 : ProbeDelayMax)
            {
                await Task.Delay(delay, _time, _stopping.Token);
                try
                {
                    await AskAsync(_probe, _stopping.Token);
                    break;
                }
                catch (SignerFailure still)
                {
                    Health.Lose(still.Message);
                }
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }

        Health.Return();
        Volatile.Write(ref _isProbing, 0);
        Log.SignerBack(_log, _http.Url, Address);
    }

    private static RefusalException Unavailable(string url, string reason, Exception? inner) =>
        new(Refusal.SignerUnavailable, $"the signer at {url} cannot sign: {reason}", inner);

    public void Dispose()
    {
        _stopping.Cancel();
        _http.Dispose();
        _places.Dispose();
    }
}
