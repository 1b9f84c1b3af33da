// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {Word} from "../../src/Pots.sol";
import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {Test} from "./Test.sol";
import {TestToken} from "./TestToken.sol";

/// @title Two parties, channels of each kind between them, and signatures over a digest of the tests' own making
abstract contract ChannelTest is Test {
    uint256 internal constant KEY_A = uint256(keccak256("signer of A"));
    uint256 internal constant KEY_B = uint256(keccak256("signer of B"));
    uint256 internal constant KEY_STRANGER = uint256(keccak256("stranger"));
    uint256 internal constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint128 internal constant MAX = type(uint112).max;
    uint128 internal constant DEPOSIT_MAX = MAX >> 1;
    uint32 internal constant WINDOW = 1 hours;
    uint64 internal constant DEADLINE = 2_000_000_000;
    IPaymentChannels.Side internal constant A = IPaymentChannels.Side.A;
    IPaymentChannels.Side internal constant B = IPaymentChannels.Side.B;

    IPaymentChannels internal channels;
    TestToken internal token;
    address internal ownerA = address(uint160(uint256(keccak256("owner of A"))));
    address internal ownerB = address(uint160(uint256(keccak256("owner of B"))));
    address internal signerA = vm.addr(KEY_A);
    address internal signerB = vm.addr(KEY_B);
    address internal stranger = vm.addr(KEY_STRANGER);

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        channels = IPaymentChannels(vm.deployCode("PaymentChannels.sol:PaymentChannels"));
        token = new TestToken("Test Dollar", "TUSD", 6);
        vm.label(ownerA, "ownerA");
        vm.label(ownerB, "ownerB");
        vm.label(signerA, "signerA");
        vm.label(signerB, "signerB");
    }

    // Channels

    function duplex() internal view returns (IPaymentChannels.Channel memory) {
        return IPaymentChannels.Channel({
            ownerA: ownerA,
            signerA: signerA,
            ownerB: ownerB,
            signerB: signerB,
            token: address(0),
            disputeWindow: WINDOW,
            oneWay: false,
            salt: 0
        });
    }

    function oneWay() internal view returns (IPaymentChannels.Channel memory channel) {
        channel = duplex();
        channel.oneWay = true;
    }

    function inToken(IPaymentChannels.Channel memory channel) internal view returns (IPaymentChannels.Channel memory) {
        channel.token = address(token);
        return channel;
    }

    /// @dev Funds a side from this test's own purse, in ether or any token that can be minted.
    function fund(IPaymentChannels.Channel memory channel, IPaymentChannels.Side side, uint128 amount) internal {
        if (amount == 0) return;
        if (channel.token == address(0)) {
            vm.deal(address(this), amount);
            channels.deposit{value: amount}(channel, side, amount);
        } else {
            TestToken(channel.token).mint(address(this), amount);
            TestToken(channel.token).approve(address(channels), amount);
            channels.deposit(channel, side, amount);
        }
    }

    /// @dev A funded channel.
    function funded(IPaymentChannels.Channel memory channel, uint128 potA, uint128 potB)
        internal
        returns (IPaymentChannels.Channel memory)
    {
        fund(channel, A, potA);
        fund(channel, B, potB);
        return channel;
    }

    /// @dev A funded channel whose window runs, started by A with nothing.
    function closing(IPaymentChannels.Channel memory channel, uint128 potA, uint128 potB)
        internal
        returns (IPaymentChannels.Channel memory)
    {
        funded(channel, potA, potB);
        startCloseBare(channel);
        return channel;
    }

    // Calls

    function startCloseBare(IPaymentChannels.Channel memory channel) internal {
        vm.prank(channel.ownerA);
        channels.startClose(channel, update(0, 0), "");
    }

    /// @dev B presents an update of A.
    function startClose(IPaymentChannels.Channel memory channel, uint128 sent, uint128 received) internal {
        bytes memory signature = signUpdate(KEY_A, channel, sent, received);
        vm.prank(signerB);
        channels.startClose(channel, update(sent, received), signature);
    }

    /// @dev The other side presents an update signed with `key`.
    function dispute(IPaymentChannels.Channel memory channel, uint256 key, uint128 sent, uint128 received) internal {
        bytes memory signature = signUpdate(key, channel, sent, received);
        vm.prank(key == KEY_A ? signerB : signerA);
        channels.dispute(channel, update(sent, received), signature, "");
    }

    function close(IPaymentChannels.Channel memory channel, uint128 sentA, uint128 sentB) internal {
        bytes memory signatureA = signClose(KEY_A, channel, sentA, sentB, DEADLINE);
        bytes memory signatureB = signClose(KEY_B, channel, sentA, sentB, DEADLINE);
        channels.close(channel, sentA, sentB, DEADLINE, signatureA, signatureB);
    }

    function settle(IPaymentChannels.Channel memory channel) internal {
        vm.warp(block.timestamp + WINDOW);
        channels.settle(channel);
    }

    function claim(IPaymentChannels.Channel memory channel, uint128 sent) internal {
        channels.claim(payeeOf(channel), rows(rowOf(channel, sent)));
    }

    // Arguments

    function update(uint128 sent, uint128 received) internal pure returns (IPaymentChannels.Update memory) {
        return IPaymentChannels.Update({sent: sent, received: received});
    }

    function payeeOf(IPaymentChannels.Channel memory channel) internal pure returns (IPaymentChannels.Payee memory) {
        return IPaymentChannels.Payee({
            owner: channel.ownerB, signer: channel.signerB, token: channel.token, disputeWindow: channel.disputeWindow
        });
    }

    function rowOf(IPaymentChannels.Channel memory channel, uint128 sent)
        internal
        view
        returns (IPaymentChannels.ClaimRow memory)
    {
        (bytes32 r, bytes32 vs) = halves(signUpdate(KEY_A, channel, sent, 0));
        return IPaymentChannels.ClaimRow({
            payerOwner: channel.ownerA, payerSigner: channel.signerA, salt: channel.salt, sent: sent, r: r, vs: vs
        });
    }

    function rows(IPaymentChannels.ClaimRow memory row) internal pure returns (IPaymentChannels.ClaimRow[] memory all) {
        all = new IPaymentChannels.ClaimRow[](1);
        all[0] = row;
    }

    // Signatures

    function domainSeparator() internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("ChannelNode"),
                keccak256("1"),
                block.chainid,
                address(channels)
            )
        );
    }

    function typedDigest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator(), structHash));
    }

    function updateDigest(bytes32 id, uint256 sent, uint256 received) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("BalanceUpdate(bytes32 channelId,uint128 sent,uint128 received)");
        return typedDigest(keccak256(abi.encode(typeHash, id, sent, received)));
    }

    function consentDigest(bytes32 id, uint256 sent, uint256 received) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Consent(bytes32 channelId,uint128 sent,uint128 received)");
        return typedDigest(keccak256(abi.encode(typeHash, id, sent, received)));
    }

    function closeDigest(bytes32 id, uint256 sentA, uint256 sentB, uint256 deadline) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("Close(bytes32 channelId,uint128 sentA,uint128 sentB,uint64 deadline)");
        return typedDigest(keccak256(abi.encode(typeHash, id, sentA, sentB, deadline)));
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function signCompact(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = halves(sign(key, digest));
        return abi.encodePacked(r, vs);
    }

    /// @dev The two words of EIP-2098 of a signature of 65 bytes.
    function halves(bytes memory signature) internal pure returns (bytes32 r, bytes32 vs) {
        uint8 v = uint8(signature[64]);
        assembly {
            r := mload(add(signature, 32))
            vs := or(mload(add(signature, 64)), shl(255, sub(v, 27)))
        }
    }

    function signUpdate(uint256 key, IPaymentChannels.Channel memory channel, uint128 sent, uint128 received)
        internal
        view
        returns (bytes memory)
    {
        return sign(key, updateDigest(channels.channelId(channel), sent, received));
    }

    function signConsent(uint256 key, IPaymentChannels.Channel memory channel, uint128 sent, uint128 received)
        internal
        view
        returns (bytes memory)
    {
        return sign(key, consentDigest(channels.channelId(channel), sent, received));
    }

    function signClose(
        uint256 key,
        IPaymentChannels.Channel memory channel,
        uint128 sentA,
        uint128 sentB,
        uint64 deadline
    ) internal view returns (bytes memory) {
        return sign(key, closeDigest(channels.channelId(channel), sentA, sentB, deadline));
    }

    // Expectations

    /// @dev What is recorded of a side, as events and storage hold it.
    function word(uint256 pot, uint256 sent, uint256 time) internal pure returns (Word) {
        return Word.wrap((time << 224) | (sent << 112) | pot);
    }

    function assertSides(
        IPaymentChannels.Channel memory channel,
        uint256 potA,
        uint256 sentA,
        uint256 potB,
        uint256 sentB
    ) internal view {
        (uint128 a, uint128 fromA, uint128 b, uint128 fromB,) = channels.sides(channels.channelId(channel));
        vm.assertEq(a, potA, "potA");
        vm.assertEq(fromA, sentA, "sentA");
        vm.assertEq(b, potB, "potB");
        vm.assertEq(fromB, sentB, "sentB");
    }

    function closesAt(IPaymentChannels.Channel memory channel) internal view returns (uint32 time) {
        (,,,, time) = channels.sides(channels.channelId(channel));
    }

    /// @dev What an account holds in ether or a token.
    function holds(address account, address asset) internal view returns (uint256) {
        return asset == address(0) ? account.balance : TestToken(asset).balanceOf(account);
    }

    /// @dev Both owners hold these amounts and nothing is left for anyone in the contract.
    function assertPaidOut(IPaymentChannels.Channel memory channel, uint256 paidA, uint256 paidB) internal view {
        vm.assertEq(holds(channel.ownerA, channel.token), paidA, "paid to A");
        vm.assertEq(holds(channel.ownerB, channel.token), paidB, "paid to B");
        vm.assertEq(holds(address(channels), channel.token), 0, "left");
        vm.assertEq(closesAt(channel), 0, "closesAt");
    }
}
