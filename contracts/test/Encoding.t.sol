// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {GaslessTest} from "./support/GaslessTest.sol";

/// @dev Calldata that no honest encoder writes. Terms are hashed as they lie in it: those with dirty upper bits must
/// be the terms of no channel that can ever hold anything.
contract EncodingTest is GaslessTest {
    /// @dev The place of each of the terms in an encoded channel, and a bit above its type. All of a salt counts.
    uint256[7] internal wordOf = [0, 1, 2, 3, 4, 5, 6];
    uint256[7] internal dirtOf = [1 << 160, 1 << 160, 1 << 160, 1 << 160, 1 << 160, 1 << 32, 1 << 1];

    function test_RevertWhen_DepositingIntoDirtyTerms() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        bytes[4] memory calls = depositCalls(channel);
        // In front of the terms: the selector; in depositMany also token, offset and length.
        uint256[4] memory offsets = [uint256(4), 100, 4, 4];
        vm.startPrank(payer);
        gasless.approve(address(channels), 1000);
        for (uint256 i = 0; i < calls.length; ++i) {
            for (uint256 j = 0; j < wordOf.length; ++j) {
                expectRefused(soiled(calls[i], offsets[i] + 32 * wordOf[j], dirtOf[j]));
            }
            expectAccepted(calls[i]);
        }
        vm.stopPrank();
        vm.assertEq(gasless.balanceOf(address(channels)), 40);
    }

    function test_RevertWhen_DepositingWithADirtySideOrAmount() public {
        bytes[4] memory calls = depositCalls(inGasless(duplex()));
        uint256[4] memory offsets = [uint256(260), 356, 260, 260];
        vm.startPrank(payer);
        gasless.approve(address(channels), 1000);
        for (uint256 i = 0; i < calls.length; ++i) {
            expectRefused(soiled(calls[i], offsets[i], 2));
            expectRefused(soiled(calls[i], offsets[i] + 32, 1 << 128));
        }
    }

    function test_RevertWhen_PayingOutWithDirtyTerms() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 50);
        bytes memory signature = signUpdate(KEY_A, channel, 30, 10);
        bytes memory byA = signClose(KEY_A, channel, 30, 10, DEADLINE);
        bytes memory byB = signClose(KEY_B, channel, 30, 10, DEADLINE);
        bytes[4] memory calls = [
            abi.encodeCall(channels.dispute, (channel, update(30, 10), signature, "")),
            abi.encodeCall(channels.close, (channel, 30, 10, DEADLINE, byA, byB)),
            abi.encodeCall(channels.settle, (channel)),
            abi.encodeCall(channels.startClose, (channel, update(0, 0), ""))
        ];
        vm.startPrank(ownerB);
        for (uint256 i = 0; i < calls.length; ++i) {
            if (i == 2) vm.warp(closesAt(channel));
            for (uint256 j = 0; j < wordOf.length; ++j) {
                expectRefused(soiled(calls[i], 4 + 32 * wordOf[j], dirtOf[j]));
            }
        }
        expectAccepted(calls[2]);
        assertPaidOut(channel, 100, 50);
    }

    /// @dev The payee's terms and a row's are hashed for a claim in the same way.
    function test_Claim_OfDirtyTermsBringsNothing() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        bytes memory call = abi.encodeCall(channels.claim, (payeeOf(channel), rows(rowOf(channel, 30))));
        // Selector, payee (4 words), offset, length; then payerOwner and payerSigner.
        uint256[6] memory offsets = [uint256(4), 36, 68, 100, 196, 228];
        for (uint256 i = 0; i < offsets.length; ++i) {
            (bool success,) = address(channels).call(soiled(call, offsets[i], i == 3 ? 1 << 32 : 1 << 160));
            // Owner and token are read at the end, for a payout of nothing: that reverts. The rest gives an unknown id.
            vm.assertEq(success, i != 0 && i != 2);
            assertSides(channel, 100, 0, 0, 0);
        }
        (bool paid,) = address(channels).call(soiled(call, 292, 1 << 128));
        vm.assertEq(paid, false);
        expectAccepted(call);
        vm.assertEq(ownerB.balance, 30);
    }

    function test_RevertWhen_AnUpdateIsDirty() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 50);
        bytes memory signature = signUpdate(KEY_A, channel, 30, 10);
        bytes memory call = abi.encodeCall(channels.dispute, (channel, update(30, 10), signature, ""));
        vm.startPrank(ownerB);
        expectRefused(soiled(call, 260, 1 << 128));
        expectRefused(soiled(call, 292, 1 << 128));
        expectAccepted(call);
    }

    function testFuzz_RevertWhen_CalldataIsCutShort(uint256 length) public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 50);
        bytes memory byA = signClose(KEY_A, channel, 30, 10, DEADLINE);
        bytes memory byB = signClose(KEY_B, channel, 30, 10, DEADLINE);
        bytes memory data = abi.encodeCall(channels.close, (channel, 30, 10, DEADLINE, byA, byB));
        // The last 31 bytes only fill up a word.
        length = bound(length, 0, data.length - 32);
        assembly {
            mstore(data, length)
        }
        expectRefused(data);
    }

    function depositCalls(IPaymentChannels.Channel memory channel) private view returns (bytes[4] memory) {
        IPaymentChannels.Deposit[] memory many = new IPaymentChannels.Deposit[](1);
        many[0] = IPaymentChannels.Deposit({channel: channel, side: A, amount: 10});
        IPaymentChannels.Permit memory permit;
        IPaymentChannels.Authorization memory authorization = authorize(channel, A, 10, "salt");
        return [
            abi.encodeCall(channels.deposit, (channel, A, 10)),
            abi.encodeCall(channels.depositMany, (address(gasless), many)),
            abi.encodeCall(channels.depositWithPermit, (channel, A, 10, permit)),
            abi.encodeCall(channels.depositWithAuthorization, (channel, A, 10, authorization))
        ];
    }

    /// @dev A copy of the call with one bit set in the word at `offset`.
    function soiled(bytes memory call, uint256 offset, uint256 dirt) private pure returns (bytes memory copy) {
        copy = bytes.concat(call);
        assembly {
            let place := add(add(copy, 32), offset)
            mstore(place, or(mload(place), dirt))
        }
    }

    function expectRefused(bytes memory call) private {
        (bool success,) = address(channels).call(call);
        vm.assertTrue(!success, "dirty calldata went through");
    }

    function expectAccepted(bytes memory call) private {
        (bool success,) = address(channels).call(call);
        vm.assertTrue(success, "clean calldata was refused");
    }
}
