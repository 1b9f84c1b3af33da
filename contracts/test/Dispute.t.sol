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

    function test_Dispute_AsFarAsThePotsReach() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 20);
        dispute(channel, KEY_A, 60, 3);
        assertSides(channel, 0, 13, 30, 3);
    }

    /// @dev New by what was signed, but there is nothing to cover it: nothing would change.
    function test_RevertWhen_NothingNewIsCovered() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 0, 100);
        expectRefusal(channel, signerB, KEY_A, 60, 0, abi.encodeWithSelector(IPaymentChannels.NothingNew.selector));
        dispute(channel, KEY_A, 60, 5);
        assertSides(channel, 0, 5, 100, 5);
    }

    // With a consent

    function test_Dispute_ByAWatchtowerOfEachSide() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        disputeWithConsent(channel, KEY_A, KEY_B, 60, 20);
        assertSides(channel, 60, 60, 140, 20);
        disputeWithConsent(channel, KEY_B, KEY_A, 30, 60);
        assertSides(channel, 70, 60, 130, 30);
    }

    /// @dev A party needs no consent, but one that it gives must be good.
    function test_Dispute_ByAPartyWithItsConsent() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes memory signature = signUpdate(KEY_A, channel, 60, 20);
        bytes memory consent = signConsent(KEY_STRANGER, channel, 60, 20);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger));
        vm.prank(signerB);
        channels.dispute(channel, update(60, 20), signature, consent);
        consent = signConsent(KEY_B, channel, 60, 20);
        vm.prank(signerB);
        channels.dispute(channel, update(60, 20), signature, consent);
        assertSides(channel, 60, 60, 140, 20);
    }

    function test_Dispute_AcceptsCompactConsent() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes memory consent = signCompact(KEY_B, consentDigest(channels.channelId(channel), 60, 20));
        bytes memory signature = signUpdate(KEY_A, channel, 60, 20);
        vm.prank(stranger);
        channels.dispute(channel, update(60, 20), signature, consent);
        assertSides(channel, 60, 60, 140, 20);
    }

    function test_RevertWhen_ConsentIsMalformed() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes32 digest = consentDigest(channels.channelId(channel), 60, 20);
        bytes memory signature = signUpdate(KEY_A, channel, 60, 20);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest));
        vm.prank(stranger);
        channels.dispute(channel, update(60, 20), signature, hex"00");
    }

    function test_RevertWhen_ConsentIsByAnotherThanThePaidSide() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes memory signature = signUpdate(KEY_A, channel, 60, 20);
        uint256[2] memory keys = [KEY_A, KEY_STRANGER];
        for (uint256 i = 0; i < keys.length; ++i) {
            bytes memory consent = signConsent(keys[i], channel, 60, 20);
            vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, vm.addr(keys[i])));
            vm.prank(stranger);
            channels.dispute(channel, update(60, 20), signature, consent);
        }
    }

    /// @dev A consent counts for one channel and one pair of totals; and it is no balance update, nor the reverse.
    function test_RevertWhen_ConsentIsToSomethingElse() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        IPaymentChannels.Channel memory other = duplex();
        other.salt = bytes32(uint256(1));
        bytes memory signature = signUpdate(KEY_A, channel, 60, 20);
        bytes[4] memory consents = [
            signConsent(KEY_B, channel, 59, 20),
            signConsent(KEY_B, channel, 60, 19),
            signConsent(KEY_B, other, 60, 20),
            signUpdate(KEY_B, channel, 60, 20)
        ];
        for (uint256 i = 0; i < consents.length; ++i) {
            vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
            vm.prank(stranger);
            channels.dispute(channel, update(60, 20), signature, consents[i]);
        }
    }

    function test_RevertWhen_AWatchtowerBringsNothingNew() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        disputeWithConsent(channel, KEY_A, KEY_B, 60, 20);
        bytes memory signature = signUpdate(KEY_A, channel, 60, 20);
        bytes memory consent = signConsent(KEY_B, channel, 60, 20);
        vm.expectRevert(IPaymentChannels.NothingNew.selector);
        vm.prank(stranger);
        channels.dispute(channel, update(60, 20), signature, consent);
    }

    function disputeWithConsent(
        IPaymentChannels.Channel memory channel,
        uint256 key,
        uint256 consenting,
        uint128 sent,
        uint128 received
    ) private {
        bytes memory signature = signUpdate(key, channel, sent, received);
        bytes memory consent = signConsent(consenting, channel, sent, received);
        vm.prank(stranger);
        channels.dispute(channel, update(sent, received), signature, consent);
    }

    // Without

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
        // The contract alone knows how much of it is covered, and refuses what is not covered at all.
        bytes memory signature = signUpdate(key, channel, sent, received);
        vm.prank(key == KEY_A ? signerB : signerA);
        try channels.dispute(channel, update(sent, received), signature, "") {}
        catch (bytes memory reason) {
            // An error without arguments has four bytes.
            // forge-lint: disable-next-line(unsafe-typecast)
            vm.assertEq(bytes32(reason), bytes32(IPaymentChannels.NothingNew.selector));
        }
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
