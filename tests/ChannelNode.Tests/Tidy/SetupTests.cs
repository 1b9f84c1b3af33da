using System.Diagnostics;
using Xunit;

namespace ChannelNode.Tests.Tidy;

/// <summary>What the scripts do to a folder of packages, they say. npm and dotnet are programs that only note that they were called.</summary>
public sealed class SetupTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("channelnode-setup-").FullName;

    public SetupTests()
    {
        string scripts = Directory.CreateDirectory(Path.Combine(_folder, "scripts")).FullName;
        foreach (string script in (string[])["setup.sh", "publish.sh"])
            File.Copy(Repository.PathOf($"scripts/{script}"), Path.Combine(scripts, script));
        Directory.CreateDirectory(Modules);
        File.WriteAllText(Path.Combine(_folder, "contracts", "package-lock.json"), "{}");
        Directory.CreateDirectory(Path.Combine(_folder, "bin"));
        Put("npm", "mkdir -p node_modules && rm -rf node_modules/*");
        Put("node", "echo v22.0.0");

        // Publishing leaves a program that says of a folder what the script wants to hear.
        Put(
            "dotnet",
            """
            [ "$1" = --version ] && echo 10.0.100 && exit
            while [ "$1" != -o ]; do shift; done
            mkdir -p "$2"
            printf '#!/bin/sh\necho "The database in $4 cannot be opened"\n' >"$2/channelnode"
            chmod +x "$2/channelnode"
            """);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Modules => Path.Combine(_folder, "contracts", "node_modules");

    private void Put(string program, string script)
    {
        string path = Path.Combine(_folder, "bin", program);
        File.WriteAllText(path, $"#!/bin/bash\n{script}\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    private async Task<string> RunAsync(string script, params string[] args)
    {
        ProcessStartInfo start = new("bash", [Path.Combine(_folder, "scripts", script), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = $"{Path.Combine(_folder, "bin")}:{Environment.GetEnvironmentVariable("PATH")}";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, output + await errors);
        return output + await errors;
    }

    [Fact]
    public async Task PackagesThatAreThere_AreReplacedWithAWord_AndOnceOnly()
    {
        await File.WriteAllTextAsync(Path.Combine(Modules, "somebody's"), "work");

        string replaced = await RunAsync("publish.sh");
        string again = await RunAsync("publish.sh");

        Assert.Contains("setup: contracts/node_modules is emptied and made anew: installing Anvil (npm ci --omit=dev)", replaced);
        Assert.Contains("for the contract's other tools run scripts/setup.sh", replaced);
        Assert.EndsWith($"{_folder}/publish/channelnode\n", again);
        Assert.DoesNotContain("setup:", again);
    }

    [Fact]
    public async Task PackagesOfANewFolder_AreInstalledWithoutAFright()
    {
        string said = await RunAsync("setup.sh", "--to-run");

        Assert.StartsWith("setup: installing Anvil (npm ci --omit=dev)", said);
    }
}
