// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "../support/ChannelTest.sol";

/// @dev Adversaries who sign or present what is not so.
contract UpdatesTest is ChannelTest {
    /// @dev Each bad row is skipped, names its reason, and costs the good rows nothing.
    function test_Adversary13_BadRowsInABatch() public {
        bytes4[6] memory reasons = [
            IPaymentChannels.AmountTooLarge.selector,
            IPaymentChannels.UnknownChannel.selector,
            IPaymentChannels.NothingNew.selector,
            IPaymentChannels.InsufficientBalance.selector,
            IPaymentChannels.InvalidSignature.selector,
            IPaymentChannels.WrongSigner.selector
        ];
        for (uint256 i = 0; i < reasons.length; ++i) {
            IPaymentChannels.ClaimRow[] memory all = new IPaymentChannels.ClaimRow[](3);
            for (uint256 j = 0; j < 3; ++j) {
                IPaymentChannels.Channel memory channel = oneWay();
                channel.salt = keccak256(abi.encode(i, j));
                all[j] = rowOf(i == 3 && j == 1 ? channel : funded(channel, 100, 0), 30);
            }
            spoil(all[1], i);
            vm.deal(ownerB, 0);
            IPaymentChannels.Channel memory bad = oneWay();
            (bad.ownerA, bad.signerA, bad.salt) = (all[1].payerOwner, all[1].payerSigner, all[1].salt);
            vm.expectEmit(address(channels));
            emit IPaymentChannels.ClaimSkipped(channels.channelId(bad), reasons[i]);
            channels.claim(payeeOf(oneWay()), all);
            vm.assertEq(ownerB.balance, 60);
        }
    }

    /// @dev A says that it received more than B ever sent. A itself cannot present that, with whatever consent of its
    /// own; B can, and then gives from its own pot what it says to have sent: never A's or a third party's money.
    function test_Adversary14_ForgedReceived() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes memory forged = signUpdate(KEY_A, channel, 0, 1000);
        address[3] memory callers = [ownerA, signerA, stranger];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotParty.selector, callers[i]));
            channels.dispute(channel, update(0, 1000), forged, "");
            bytes memory ownConsent = signConsent(KEY_A, channel, 0, 1000);
            vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, signerA));
            channels.dispute(channel, update(0, 1000), forged, ownConsent);
            vm.stopPrank();
        }
        assertSides(channel, 100, 0, 100, 0);
        vm.prank(ownerB);
        channels.dispute(channel, update(0, 1000), forged, "");
        assertSides(channel, 200, 0, 0, 100);
        settle(channel);
        assertPaidOut(channel, 200, 0);
    }

    /// @dev By either side, at the start of a close as well.
    function test_Adversary14_ForgedReceivedAtTheStart() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 100);
        bytes memory forged = signUpdate(KEY_B, channel, 0, 1000);
        address[3] memory callers = [ownerB, signerB, stranger];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotParty.selector, callers[i]));
            vm.prank(callers[i]);
            channels.startClose(channel, update(0, 1000), forged);
        }
        assertSides(channel, 100, 0, 100, 0);
    }

    /// @dev Whatever two updates, one of each side, in whatever order: pots are conserved and settling pays them.
    function testFuzz_Adversary15_AnyPairOfUpdatesSettles(uint128[2] memory pots, uint128[4] memory totals, bool bFirst)
        public
    {
        uint128 potA = boundAmount(pots[0], 0, DEPOSIT_MAX);
        uint128 potB = boundAmount(pots[1], potA == 0 ? 1 : 0, DEPOSIT_MAX);
        IPaymentChannels.Channel memory channel = closing(duplex(), potA, potB);
        for (uint256 i = 0; i < 2; ++i) {
            bool byA = (i == 0) != bFirst;
            uint128 sent = boundAmount(totals[byA ? 0 : 2], 0, MAX);
            uint128 received = boundAmount(totals[byA ? 1 : 3], 0, MAX);
            bytes memory signature = signUpdate(byA ? KEY_A : KEY_B, channel, sent, received);
            vm.prank(byA ? ownerB : ownerA);
            try channels.dispute(channel, update(sent, received), signature, "") {}
            catch (bytes memory reason) {
                // An error without arguments has four bytes.
                // forge-lint: disable-next-line(unsafe-typecast)
                vm.assertEq(bytes32(reason), bytes32(IPaymentChannels.NothingNew.selector));
            }
            assertConserved(channel, potA, potB);
        }
        settle(channel);
        vm.assertEq(ownerA.balance + ownerB.balance, uint256(potA) + potB, "paid");
        vm.assertEq(address(channels).balance, 0, "left");
    }

    /// @dev A deposit was reorganised away under a signed update, in each way out.
    function test_Adversary16_UpdateAboveWhatThePotCovers() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 5);
        startClose(channel, 40, 0);
        assertSides(channel, 0, 10, 15, 0);
        settle(channel);
        fund(channel, A, 100);
        startClose(channel, 40, 0);
        assertSides(channel, 70, 40, 30, 0);
        expectNothingNew(channel, 40, 0);
        settle(channel);
        fund(channel, A, 100);
        startClose(channel, 40, 0);
        assertSides(channel, 100, 40, 0, 0);
        settle(channel);
        assertPaidOut(channel, 170, 45);

        channel = funded(inToken(oneWay()), 10, 0);
        claim(channel, 40);
        claim(channel, 40);
        fund(channel, A, 100);
        claim(channel, 40);
        claim(channel, 40);
        vm.assertEq(token.balanceOf(ownerB), 40);
        assertSides(channel, 70, 40, 0, 0);
    }

    /// @dev Side B of a one-way channel has nothing to send, and side A nothing to have received.
    function test_Adversary17_SendingAgainstTheDirection() public {
        IPaymentChannels.Channel memory channel = oneWay();
        vm.deal(address(this), 1);
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        channels.deposit{value: 1}(channel, B, 1);
        funded(channel, 100, 0);

        bytes memory byA = signUpdate(KEY_A, channel, 30, 20);
        bytes memory byB = signUpdate(KEY_B, channel, 20, 0);
        bytes memory closeA = signClose(KEY_A, channel, 50, 20, DEADLINE);
        bytes memory closeB = signClose(KEY_B, channel, 50, 20, DEADLINE);
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        channels.close(channel, 50, 20, DEADLINE, closeA, closeB);
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        vm.prank(ownerA);
        channels.startClose(channel, update(20, 0), byB);
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        vm.prank(ownerB);
        channels.startClose(channel, update(30, 20), byA);
        IPaymentChannels.ClaimRow memory row = rowOf(channel, 30);
        (row.r, row.vs) = halves(byA);
        channels.claim(payeeOf(channel), rows(row));
        startCloseBare(channel);
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        vm.prank(ownerA);
        channels.dispute(channel, update(20, 0), byB, "");
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        vm.prank(ownerB);
        channels.dispute(channel, update(30, 20), byA, "");
        assertSides(channel, 100, 0, 0, 0);
    }

    /// @dev A claim reaches no duplex channel, in which the other side could still prove that it sent something.
    function test_Adversary17_ClaimingFromADuplexChannel() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 0);
        claim(channel, 30);
        assertSides(channel, 100, 0, 0, 0);
        vm.assertEq(ownerB.balance, 0);
    }

    function spoil(IPaymentChannels.ClaimRow memory row, uint256 how) private {
        IPaymentChannels.Channel memory channel = oneWay();
        channel.salt = row.salt;
        if (how == 0) row.sent = MAX + 1;
        if (how == 1) row.payerOwner = stranger;
        if (how == 2) row.sent = 0;
        if (how == 3) close(funded(channel, 10, 0), 1, 0);
        if (how == 4) row.r = 0;
        if (how == 5) (row.r, row.vs) = halves(signUpdate(KEY_B, channel, 30, 0));
    }

    function assertConserved(IPaymentChannels.Channel memory channel, uint128 potA, uint128 potB) private view {
        (uint128 a, uint128 sentA, uint128 b, uint128 sentB,) = channels.sides(channels.channelId(channel));
        vm.assertEq(uint256(a) + b, uint256(potA) + potB, "sum");
        vm.assertEq(uint256(a) + sentA, uint256(potA) + sentB, "A's");
        vm.assertEq(uint256(b) + sentB, uint256(potB) + sentA, "B's");
    }

    function expectNothingNew(IPaymentChannels.Channel memory channel, uint128 sent, uint128 received) private {
        bytes memory signature = signUpdate(KEY_A, channel, sent, received);
        vm.expectRevert(IPaymentChannels.NothingNew.selector);
        vm.prank(ownerB);
        channels.dispute(channel, update(sent, received), signature, "");
    }
}
