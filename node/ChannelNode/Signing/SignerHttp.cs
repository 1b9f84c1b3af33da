using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Signing;

/// <summary>
/// A signer's answer that is none. <see cref="IsPassing"/>: the same question may be answered a moment later.
/// </summary>
internal sealed class SignerFailure(string message, bool isPassing, Exception? inner = null) : Exception(message, inner)
{
    public bool IsPassing { get; } = isPassing;
}

/// <summary>
/// web3signer's HTTP API for secp256k1 keys (its eth1 mode): what keys it has, and a signature of the Keccak-256 hash of any
/// bytes. Each call is one question with one time limit. Throws <see cref="SignerFailure"/>.
/// </summary>
internal sealed class SignerHttp : IDisposable
{
    private const string KeysPath = "/api/v1/eth1/publicKeys";
    private const string SignPath = "/api/v1/eth1/sign/";
    private const int AnswerBytesMax = 1024 * 1024;
    private const int ShownMax = 80;

    private readonly HttpClient _http;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    /// <summary>As it may be shown: without what the URL says of a user.</summary>
    public string Url { get; }

    private readonly string _base;

    public SignerHttp(string url, TimeSpan timeout, int connectionsMax, TimeProvider time)
    {
        Uri parsed = new(url);
        _base = url.TrimEnd('/');
        Url = parsed.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/');
        (_timeout, _time) = (timeout, time);
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            MaxConnectionsPerServer = connectionsMax,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        })
        {
            MaxResponseContentBufferSize = AnswerBytesMax,
            Timeout = Timeout.InfiniteTimeSpan, // Each question has its own.
        };
    }

    /// <summary>The keys' names there, by the addresses of the public keys that they are.</summary>
    public async Task<Dictionary<Address, string>> KeysAsync(CancellationToken cancel)
    {
        string text = await AskAsync(new HttpRequestMessage(HttpMethod.Get, _base + KeysPath), cancel);
        try
        {
            Dictionary<Address, string> keys = [];
            foreach (string name in JsonSerializer.Deserialize<string[]>(text) ?? [])
            {
                if (TryAddress(name, out Address address)) keys[address] = name;
            }

            return keys;
        }
        catch (JsonException error)
        {
            throw new SignerFailure($"{KeysPath} answers {Shown(text)}, expected a list of public keys", isPassing: false, error);
        }
    }

    /// <summary>What it says is a signature, unchecked.</summary>
    public Task<string> SignAsync(string key, ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        string body = $"{{\"data\":\"{Hex.Format(message.Span)}\"}}";
        HttpRequestMessage request = new(HttpMethod.Post, _base + SignPath + key)
        {
            Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")),
        };
        return AskAsync(request, cancel);
    }

    public static string Shown(string text) => text.Length <= ShownMax ? $"'{text}'" : $"{text.Length} characters";

    private async Task<string> AskAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        using CancellationTokenSource limit = new(_timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        using (request)
        {
            try
            {
                using HttpResponseMessage response = await _http.SendAsync(request, either.Token);
                if (!response.IsSuccessStatusCode)
                {
                    int status = (int)response.StatusCode;
                    throw new SignerFailure(
                        $"it answers {status} to {request.RequestUri!.AbsolutePath}", isPassing: status is >= 500 or 429 or 408);
                }

                return (await response.Content.ReadAsStringAsync(either.Token)).Trim();
            }
            catch (OperationCanceledException error) when (!cancel.IsCancellationRequested)
            {
                throw new SignerFailure($"no answer within {_timeout.TotalMilliseconds} ms", isPassing: true, error);
            }
            catch (Exception error) when (error is HttpRequestException or IOException or InvalidOperationException)
            {
                // The last of them: it names an encoding that nobody knows.
                throw new SignerFailure(error.GetBaseException().Message, isPassing: true, error);
            }
        }
    }

    /// <summary>x and y of the public key, with or without the 04 before them.</summary>
    private static bool TryAddress(string name, out Address address)
    {
        address = default;
        byte[]? key = Hex.Parse(name);
        if (key is null || key.Length is not (64 or 65) || (key.Length == 65 && key[0] != 4)) return false;
        Span<byte> hash = stackalloc byte[Bytes32.Size];
        Keccak.Hash(key.AsSpan()[^64..], hash);
        address = Address.Read(hash[12..]);
        return true;
    }

    public void Dispose() => _http.Dispose();
}
