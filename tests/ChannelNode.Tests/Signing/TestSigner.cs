using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Signing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Tests.Signing;

/// <summary>
/// web3signer's HTTP API for secp256k1 keys, as its OpenAPI document and source have it: a POST of data in hex is answered in
/// plain text by the signature of the data's Keccak-256 hash, r then s then v (27 or 28).
/// </summary>
internal sealed class TestSigner : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly List<PrivateKey> _keys;
    private readonly ConcurrentQueue<byte[]> _asked = new();

    /// <summary>Given what is asked for and the right signature: what is answered. Null for the right one.</summary>
    private volatile Func<HttpContext, byte[], Signature, Task<string?>>? _lie;

    private TestSigner(WebApplication app, List<PrivateKey> keys) => (_app, _keys) = (app, keys);

    public string Url { get; private set; } = "";

    public IReadOnlyList<PrivateKey> Keys => _keys;

    public Address Address => _keys[0].Address;

    /// <summary>All that it was asked to sign.</summary>
    public IReadOnlyList<byte[]> Asked => [.. _asked];

    public static async Task<TestSigner> StartAsync(int keys = 1, int port = 0, IReadOnlyList<PrivateKey>? known = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        TestSigner signer = new(
            builder.Build(), known is null ? [.. Enumerable.Range(0, keys).Select(_ => PrivateKey.Generate())] : [.. known]);
        signer._app.MapGet("/api/v1/eth1/publicKeys", () => Results.Json(signer._keys.Select(NameOf)));
        signer._app.MapPost("/api/v1/eth1/sign/{identifier}", signer.SignAsync);
        await signer._app.StartAsync();
        signer.Url = signer._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return signer;
    }

    /// <summary>Answers instead of the right signatures from now on.</summary>
    public void Lie(Func<byte[], Signature, string> answer) =>
        _lie = (_, data, right) => Task.FromResult<string?>(answer(data, right));

    public void Fail(int status) => _lie = (context, _, _) =>
    {
        context.Response.StatusCode = status;
        return Task.FromResult<string?>("no");
    };

    /// <summary>Fails so many times, then is honest.</summary>
    public void Fail(int status, int times) => _lie = (context, _, _) =>
    {
        if (Interlocked.Decrement(ref times) < 0) return Task.FromResult<string?>(null);
        context.Response.StatusCode = status;
        return Task.FromResult<string?>("no");
    };

    public void Hang() => _lie = async (context, _, _) =>
    {
        await Task.Delay(Timeout.Infinite, context.RequestAborted);
        return null;
    };

    public void BeHonest() => _lie = null;

    /// <summary>The public key's x and y, as web3signer names a key.</summary>
    private static string NameOf(PrivateKey key)
    {
        // Recovered from a signature, which is the way that does not trust the code under test's addresses.
        byte[] bytes = new byte[PrivateKey.Size];
        key.CopyTo(bytes);
        var curve = Org.BouncyCastle.Asn1.Sec.SecNamedCurves.GetByName("secp256k1");
        byte[] point = curve.G.Multiply(new Org.BouncyCastle.Math.BigInteger(1, bytes)).Normalize().GetEncoded(compressed: false);
        return Hex.Format(point.AsSpan(1));
    }

    private async Task SignAsync(HttpContext context, string identifier)
    {
        using JsonDocument body = await JsonDocument.ParseAsync(context.Request.Body);
        byte[] data = Hex.Parse(body.RootElement.GetProperty("data").GetString()!)!;
        if (_keys.FirstOrDefault(key => NameOf(key) == identifier) is not { } key)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        _asked.Enqueue(data);
        Signature right = key.Sign(Keccak.Hash(data));
        string answer = (_lie is { } lie ? await lie(context, data, right) : null) ?? right.ToString();
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(answer);
    }

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource now = new(TimeSpan.FromMilliseconds(100));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
