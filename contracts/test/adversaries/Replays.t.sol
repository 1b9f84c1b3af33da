// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {GaslessTest} from "../support/GaslessTest.sol";

/// @dev Adversaries who use a message again, or elsewhere.
contract ReplaysTest is GaslessTest {
    /// @dev Tried in the same block, later, and after the deadline; in a channel that is open, and in one that closes.
    function test_Adversary03_OldMessagesAfterCloseAndRefund() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 100);
        bytes[4] memory old = [
            signUpdate(KEY_A, channel, 30, 10),
            signUpdate(KEY_B, channel, 10, 30),
            signClose(KEY_A, channel, 31, 11, DEADLINE),
            signClose(KEY_B, channel, 31, 11, DEADLINE)
        ];
        channels.close(channel, 31, 11, DEADLINE, old[2], old[3]);
        assertPaidOut(channel, 80, 120);
        funded(channel, 1000, 1000);

        bytes memory refusal =
            abi.encodeWithSelector(IPaymentChannels.CloseNotAdvancing.selector, A, uint128(31), uint128(31));
        for (uint256 i = 0; i < 3; ++i) {
            if (i == 1) vm.warp(block.timestamp + 1);
            if (i == 2) startCloseBare(channel);
            vm.expectRevert(refusal);
            channels.close(channel, 31, 11, DEADLINE, old[2], old[3]);
        }
        vm.expectRevert(IPaymentChannels.NothingNew.selector);
        vm.prank(ownerB);
        channels.dispute(channel, update(30, 10), old[0], "");
        vm.expectRevert(IPaymentChannels.NothingNew.selector);
        vm.prank(ownerA);
        channels.dispute(channel, update(10, 30), old[1], "");
        settle(channel);
        assertPaidOut(channel, 1080, 1120);

        funded(channel, 1000, 1000);
        vm.prank(ownerB);
        channels.startClose(channel, update(30, 10), old[0]);
        assertSides(channel, 1000, 31, 1000, 11);
        settle(channel);
        vm.warp(uint256(DEADLINE) + 1);
        vm.expectPartialRevert(IPaymentChannels.CloseExpired.selector);
        channels.close(channel, 31, 11, DEADLINE, old[2], old[3]);
    }

    /// @dev A close that was signed and not used is worth nothing after its deadline, whatever the counters are.
    function test_Adversary03_UnusedCloseAfterItsDeadline() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 100);
        bytes memory byA = signClose(KEY_A, channel, 31, 11, DEADLINE);
        bytes memory byB = signClose(KEY_B, channel, 31, 11, DEADLINE);
        vm.warp(uint256(DEADLINE) + 1);
        vm.expectPartialRevert(IPaymentChannels.CloseExpired.selector);
        channels.close(channel, 31, 11, DEADLINE, byA, byB);
    }

    function test_Adversary04_SignaturesOfElsewhere() public {
        IPaymentChannels.Channel memory channel = duplex();
        bytes32 digestHere = updateDigest(channels.channelId(channel), 30, 20);
        bytes[6] memory elsewhere;
        elsewhere[0] = signClose(KEY_A, channel, 30, 20, DEADLINE);
        elsewhere[1] = signConsent(KEY_A, channel, 30, 20);
        channel.salt = "another channel";
        elsewhere[2] = signUpdate(KEY_A, channel, 30, 20);
        channel = oneWay();
        elsewhere[3] = signUpdate(KEY_A, channel, 30, 20);
        channel = duplex();
        IPaymentChannels here = channels;
        channels = IPaymentChannels(vm.deployCode("PaymentChannels.sol:PaymentChannels"));
        elsewhere[4] = signUpdate(KEY_A, channel, 30, 20);
        channels = here;
        // A fork takes another chain id, and the channel is funded and closing on both chains.
        elsewhere[5] = sign(KEY_A, digestHere);
        for (uint256 i = 0; i < elsewhere.length; ++i) {
            if (i == 5) vm.chainId(31_338);
            if (i == 0 || i == 5) closing(channel, 100, 100);
            vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
            vm.prank(ownerB);
            channels.dispute(channel, update(30, 20), elsewhere[i], "");
        }
        assertSides(channel, 100, 0, 100, 0);
        vm.chainId(31_337);
        expectNoCloseFromElsewhere(channel);
    }

    /// @dev An update of one's own is not the other's; nor is a consent; nor does a close count with sides swapped.
    function test_Adversary04_SignaturesOfTheOtherSide() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes memory byB = signUpdate(KEY_B, channel, 0, 50);
        vm.expectPartialRevert(IPaymentChannels.NotParty.selector);
        vm.prank(ownerB);
        channels.dispute(channel, update(0, 50), byB, "");
        vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
        vm.prank(ownerB);
        channels.dispute(channel, update(0, 50), byB, byB);
        bytes memory consent = signConsent(KEY_B, channel, 0, 50);
        vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
        vm.prank(ownerB);
        channels.dispute(channel, update(0, 50), byB, consent);
        // An update of B with the same totals is no consent of B to A's.
        bytes memory byA = signUpdate(KEY_A, channel, 0, 50);
        vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
        vm.prank(stranger);
        channels.dispute(channel, update(0, 50), byA, byB);
        bytes memory closeA = signClose(KEY_A, channel, 50, 0, DEADLINE);
        bytes memory closeB = signClose(KEY_B, channel, 50, 0, DEADLINE);
        vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
        channels.close(channel, 50, 0, DEADLINE, closeB, closeA);
        assertSides(channel, 100, 0, 100, 0);
    }

    function test_Adversary05_EveryMessageTwice() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        IPaymentChannels.Authorization memory authorization = authorize(channel, A, 100, "salt");
        channels.depositWithAuthorization(channel, A, 100, authorization);
        vm.expectPartialRevert(IPaymentChannels.TransferFailed.selector);
        channels.depositWithAuthorization(channel, A, 100, authorization);
        IPaymentChannels.Permit memory permit = signPermit(100, FOREVER);
        vm.prank(payer);
        channels.depositWithPermit(channel, B, 100, permit);
        vm.expectPartialRevert(IPaymentChannels.TransferFailed.selector);
        vm.prank(payer);
        channels.depositWithPermit(channel, B, 100, permit);
        assertSides(channel, 100, 0, 100, 0);

        startCloseBare(channel);
        bytes memory signature = signUpdate(KEY_A, channel, 30, 10);
        bytes memory consent = signConsent(KEY_B, channel, 30, 10);
        channels.dispute(channel, update(30, 10), signature, consent);
        vm.expectRevert(IPaymentChannels.NothingNew.selector);
        channels.dispute(channel, update(30, 10), signature, consent);
        assertSides(channel, 80, 30, 120, 10);

        close(channel, 31, 11);
        expectCloseRefused(channel, 31, 11);
        assertPaidOut(channel, 80, 120);

        expectClaimOnce();
    }

    /// @dev In one batch and in two.
    function expectClaimOnce() private {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        IPaymentChannels.ClaimRow[] memory all = new IPaymentChannels.ClaimRow[](3);
        (all[0], all[1], all[2]) = (rowOf(channel, 30), rowOf(channel, 30), rowOf(channel, 20));
        channels.claim(payeeOf(channel), all);
        channels.claim(payeeOf(channel), all);
        vm.assertEq(ownerB.balance, 30);
        assertSides(channel, 70, 30, 0, 0);
    }

    function expectNoCloseFromElsewhere(IPaymentChannels.Channel memory channel) private {
        bytes memory byA = signUpdate(KEY_A, channel, 30, 20);
        bytes memory byB = signUpdate(KEY_B, channel, 30, 20);
        vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
        channels.close(channel, 30, 20, DEADLINE, byA, byB);
        byA = signClose(KEY_A, channel, 30, 20, DEADLINE);
        byB = signClose(KEY_B, channel, 30, 20, DEADLINE);
        vm.chainId(31_338);
        vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
        channels.close(channel, 30, 20, DEADLINE, byA, byB);
    }

    function expectCloseRefused(IPaymentChannels.Channel memory channel, uint128 sentA, uint128 sentB) private {
        bytes memory byA = signClose(KEY_A, channel, sentA, sentB, DEADLINE);
        bytes memory byB = signClose(KEY_B, channel, sentA, sentB, DEADLINE);
        vm.expectPartialRevert(IPaymentChannels.CloseNotAdvancing.selector);
        channels.close(channel, sentA, sentB, DEADLINE, byA, byB);
    }
}
