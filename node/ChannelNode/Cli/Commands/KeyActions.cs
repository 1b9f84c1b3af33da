using ChannelNode.Core;

namespace ChannelNode.Cli;

/// <summary>
/// What is done with key files; the secrets never come by here. An empty password file, or file to read from: none is given.
/// </summary>
/// <param name="Create">A new key, into a file that must not exist; in the open if so asked. Answers its address.</param>
/// <param name="Import">The same with the key that another file, or whoever sits at the terminal, shows in hex.</param>
/// <param name="AddressOf">Whose key a file holds: as the file says, or proven by opening it.</param>
/// <param name="ChangePassword">The file's password, then the new one's file.</param>
internal sealed record KeyActions(
    Func<string, bool, string, Address> Create,
    Func<string, string, bool, string, Address> Import,
    Func<string, bool, string, (Address Address, bool IsProven)> AddressOf,
    Func<string, string, string, Address> ChangePassword);
