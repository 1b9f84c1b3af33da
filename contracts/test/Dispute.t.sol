// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

contract DisputeTest is ChannelTest {
    function test_Dispute_OutdatesAnOldUpdate() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 100);
        bytes memory old = signUpdate(KEY_B, channel, 10, 0);
        vm.prank(signerA);
        channels.startClose(channel, update(10, 0), old);

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Disputed(channels.channelId(channel), word(20, 90, closesAt(channel)), word(180, 10, 0));
        dispute(channel, KEY_A, 90, 10);

        settle(channel);
        assertPaidOut(channel, 20, 180);
    }

    function test_Dispute_ByOwnerAndBySignerOfEachSide() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        address[4] memory callers = [ownerA, signerA, ownerB, signerB];
        for (uint128 i = 0; i < 4; ++i) {
            bytes memory signature = signUpdate(i < 2 ? KEY_B : KEY_A, channel, 10 + i, 0);
            vm.expectEmit(true, false, false, false, address(channels));
            emit IPaymentChannels.Disputed(channels.channelId(channel), word(0, 0, 0), word(0, 0, 0));
            vm.prank(callers[i]);
            channels.dispute(channel, update(10 + i, 0), signature, "");
        }
        assertSides(channel, 98, 13, 102, 11);
    }

    function test_Dispute_ByBothSidesInAnyOrder() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        uint256 snapshot = vm.snapshotState();
        dispute(channel, KEY_A, 60, 20);
        dispute(channel, KEY_B, 30, 50);
        assertSides(channel, 70, 60, 130, 30);
        vm.revertToState(snapshot);
        dispute(channel, KEY_B, 30, 50);
        dispute(channel, KEY_A, 60, 20);
        assertSides(channel, 70, 60, 130, 30);
    }

    function test_Dispute_NeverMovesTheWindow() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        uint32 end = closesAt(channel);
        vm.warp(end - 1);
        dispute(channel, KEY_A, 60, 20);
        vm.assertEq(closesAt(channel), end);
    }

    function test_Dispute_WithOneTotalNew() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        dispute(channel, KEY_A, 60, 20);
        dispute(channel, KEY_A, 61, 0);
        assertSides(channel, 59, 61, 141, 20);
        dispute(channel, KEY_A, 0, 21);
        assertSides(channel, 60, 61, 140, 21);
    }

    /// @dev New by what was signed, although there is nothing to cover it: no reason to refuse.
    function test_Dispute_WithEmptyPot() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 0, 100);
        dispute(channel, KEY_A, 60, 0);
        assertSides(channel, 0, 0, 100, 0);
    }

    function testFuzz_Dispute_HonestUpdatesEndInTheSameStateInAnyOrder(
        uint128 potA,
        uint128 potB,
        uint128[4] memory totals
    ) public {
        potA = boundAmount(potA, 1, DEPOSIT_MAX);
        potB = boundAmount(potB, 0, DEPOSIT_MAX);
        // Each side has accepted at most what the other had sent, and spent at most what it then had.
        uint128 acceptedByA = boundAmount(totals[0], 0, potB);
        uint128 sentA = boundAmount(totals[1], 0, potA + acceptedByA);
        uint128 acceptedByB = boundAmount(totals[2], 0, sentA);
        uint128 sentB = boundAmount(
            totals[3],
            acceptedByA,
            potB + acceptedByB < acceptedByA ? acceptedByA : (potB + acceptedByB > MAX ? MAX : potB + acceptedByB)
        );
        IPaymentChannels.Channel memory channel = closing(duplex(), potA, potB);
        uint256 snapshot = vm.snapshotState();

        disputeIfNew(channel, KEY_A, sentA, acceptedByA);
        disputeIfNew(channel, KEY_B, sentB, acceptedByB);
        assertSides(channel, uint256(potA) + sentB - sentA, sentA, uint256(potB) + sentA - sentB, sentB);
        vm.revertToState(snapshot);
        disputeIfNew(channel, KEY_B, sentB, acceptedByB);
        disputeIfNew(channel, KEY_A, sentA, acceptedByA);
        assertSides(channel, uint256(potA) + sentB - sentA, sentA, uint256(potB) + sentA - sentB, sentB);
    }

    /// @dev Whatever is signed and presented, pots are conserved, counters rise, and settling pays.
    function testFuzz_Dispute_AnyUpdatesConserve(uint128 potA, uint128 potB, uint128[8] memory totals) public {
        potA = boundAmount(potA, 1, DEPOSIT_MAX);
        potB = boundAmount(potB, 0, DEPOSIT_MAX);
        IPaymentChannels.Channel memory channel = closing(duplex(), potA, potB);
        uint256 total = uint256(potA) + potB;
        for (uint256 i = 0; i < 4; ++i) {
            uint128 sent = boundAmount(totals[2 * i], 0, MAX);
            uint128 received = boundAmount(totals[2 * i + 1], 0, MAX);
            disputeAndCheck(channel, i % 2 == 0 ? KEY_A : KEY_B, sent, received, total);
        }
        settle(channel);
        vm.assertEq(ownerA.balance + ownerB.balance, total, "paid");
        vm.assertEq(address(channels).balance, 0, "left");
    }

    function test_RevertWhen_ChannelIsOneWay() public {
        IPaymentChannels.Channel memory channel = closing(oneWay(), 100, 0);
        expectRefusal(channel, signerB, KEY_A, 5, 0, abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector));
        expectRefusal(channel, signerA, KEY_B, 5, 0, abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector));
    }

    function test_RevertWhen_NotClosing() public {
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.NotClosing.selector);
        IPaymentChannels.Channel memory channel = duplex();
        expectRefusal(channel, signerB, KEY_A, 5, 0, refusal);
        funded(channel, 10, 10);
        expectRefusal(channel, signerB, KEY_A, 5, 0, refusal);
    }

    function test_RevertWhen_WindowIsOver() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        uint32 end = closesAt(channel);
        for (uint256 late = 0; late < 2; ++late) {
            vm.warp(end + late);
            expectRefusal(
                channel,
                signerB,
                KEY_A,
                5,
                0,
                abi.encodeWithSelector(IPaymentChannels.WindowClosed.selector, end, end + late)
            );
        }
    }

    function test_RevertWhen_UpdateIsTooLarge() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes memory refusal =
            abi.encodeWithSelector(IPaymentChannels.AmountTooLarge.selector, uint256(MAX) + 1, uint256(MAX));
        expectRefusal(channel, signerB, KEY_A, MAX + 1, 0, refusal);
        expectRefusal(channel, signerB, KEY_A, 0, MAX + 1, refusal);
    }

    function test_RevertWhen_SignatureIsMissing() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes32 digest = updateDigest(channels.channelId(channel), 5, 0);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest));
        vm.prank(signerB);
        channels.dispute(channel, update(5, 0), "", "");
    }

    function test_RevertWhen_SignerIsNoParty() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger);
        expectRefusal(channel, signerB, KEY_STRANGER, 5, 0, refusal);
    }

    function test_RevertWhen_CallerIsNotTheSideThatIsPaid() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        address[3] memory callers = [stranger, ownerA, signerA];
        for (uint256 i = 0; i < callers.length; ++i) {
            expectRefusal(
                channel, callers[i], KEY_A, 5, 0, abi.encodeWithSelector(IPaymentChannels.NotParty.selector, callers[i])
            );
        }
    }

    function test_RevertWhen_NothingIsNew() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.NothingNew.selector);
        expectRefusal(channel, signerB, KEY_A, 0, 0, refusal);
        dispute(channel, KEY_A, 60, 20);
        expectRefusal(channel, signerB, KEY_A, 60, 20, refusal);
        expectRefusal(channel, signerB, KEY_A, 59, 20, refusal);
        expectRefusal(channel, signerB, KEY_A, 60, 19, refusal);
        expectRefusal(channel, signerA, KEY_B, 20, 60, refusal);
    }

    /// @dev An update and a close with the same numbers, or of another channel, chain or contract, are not the same.
    function test_RevertWhen_SignatureBelongsElsewhere() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        IPaymentChannels.Channel memory other = duplex();
        other.salt = bytes32(uint256(1));
        bytes[3] memory signatures = [
            signUpdate(KEY_A, other, 60, 20),
            signClose(KEY_A, channel, 60, 20, DEADLINE),
            sign(KEY_A, keccak256(abi.encode(channels.channelId(channel), 60, 20)))
        ];
        for (uint256 i = 0; i < signatures.length; ++i) {
            vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
            vm.prank(signerB);
            channels.dispute(channel, update(60, 20), signatures[i], "");
        }
    }

    function disputeIfNew(IPaymentChannels.Channel memory channel, uint256 key, uint128 sent, uint128 received)
        private
    {
        (, uint128 sentA,, uint128 sentB,) = channels.sides(channels.channelId(channel));
        (uint128 own, uint128 others) = key == KEY_A ? (sentA, sentB) : (sentB, sentA);
        if (sent > own || received > others) dispute(channel, key, sent, received);
    }

    function disputeAndCheck(
        IPaymentChannels.Channel memory channel,
        uint256 key,
        uint128 sent,
        uint128 received,
        uint256 total
    ) private {
        bytes32 id = channels.channelId(channel);
        (, uint128 sentA,, uint128 sentB,) = channels.sides(id);
        disputeIfNew(channel, key, sent, received);
        (uint128 newA, uint128 newSentA, uint128 newB, uint128 newSentB,) = channels.sides(id);
        vm.assertEq(uint256(newA) + newB, total, "sum of pots");
        vm.assertGe(newSentA, sentA, "sentA");
        vm.assertGe(newSentB, sentB, "sentB");
    }

    function expectRefusal(
        IPaymentChannels.Channel memory channel,
        address caller,
        uint256 key,
        uint128 sent,
        uint128 received,
        bytes memory refusal
    ) private {
        bytes memory signature = signUpdate(key, channel, sent, received);
        vm.expectRevert(refusal);
        vm.prank(caller);
        channels.dispute(channel, update(sent, received), signature, "");
    }
}
