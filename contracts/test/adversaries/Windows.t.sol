// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "../support/ChannelTest.sol";

/// @dev Adversaries who play with time.
contract WindowsTest is ChannelTest {
    function test_Adversary06_WindowAtItsBoundsAndTimeAtItsEnd() public {
        uint32[4] memory outside = [0, 10 seconds - 1, 30 days + 1, type(uint32).max];
        vm.deal(address(this), 100);
        for (uint256 i = 0; i < outside.length; ++i) {
            IPaymentChannels.Channel memory refused = duplex();
            refused.disputeWindow = outside[i];
            vm.expectPartialRevert(IPaymentChannels.DisputeWindowOutOfRange.selector);
            channels.deposit{value: 10}(refused, A, 10);
        }
        uint32[2] memory bounds = [uint32(10 seconds), 30 days];
        for (uint256 i = 0; i < bounds.length; ++i) {
            expectLastSecondCounts(bounds[i]);
        }

        // A window must end before time needs more than 32 bits: or it would end at once.
        for (uint256 i = 0; i < bounds.length; ++i) {
            IPaymentChannels.Channel memory channel = duplex();
            channel.disputeWindow = bounds[i];
            funded(channel, 100, 50);
            uint256 last = type(uint32).max - bounds[i];
            vm.warp(last + 1);
            vm.expectPartialRevert(IPaymentChannels.AmountTooLarge.selector);
            startCloseBare(channel);
            vm.warp(last);
            startCloseBare(channel);
            vm.assertEq(closesAt(channel), type(uint32).max);
            dispute(channel, KEY_A, 70, 0);
            vm.warp(type(uint32).max);
            channels.settle(channel);
        }
        vm.assertEq(address(channels).balance, 0);
    }

    /// @dev Nothing that a party can do while the window runs gives it more time, or the other less.
    function test_Adversary07_ClosesAtNeverMoves() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        uint32 end = closesAt(channel);
        uint128[2][6] memory totals =
            [[uint128(30), 10], [uint128(30), 10], [uint128(29), 10], [uint128(31), 9], [uint128(0), 0], [MAX, MAX]];
        for (uint256 i = 0; i < totals.length; ++i) {
            vm.warp(block.timestamp + 1 minutes);
            bytes memory signature = signUpdate(KEY_A, channel, totals[i][0], totals[i][1]);
            bool isNew = i == 0 || i == 3 || i == 5;
            if (!isNew) vm.expectRevert(IPaymentChannels.NothingNew.selector);
            vm.prank(ownerB);
            channels.dispute(channel, update(totals[i][0], totals[i][1]), signature, "");
            vm.expectPartialRevert(IPaymentChannels.ChannelClosing.selector);
            startCloseBare(channel);
            vm.deal(address(this), 1);
            vm.expectPartialRevert(IPaymentChannels.ChannelClosing.selector);
            channels.deposit{value: 1}(channel, A, 1);
            vm.assertEq(closesAt(channel), end);
        }
        IPaymentChannels.Channel memory claimed = closing(oneWay(), 100, 0);
        end = closesAt(claimed);
        vm.warp(block.timestamp + 1 minutes);
        claim(claimed, 30);
        vm.assertEq(closesAt(claimed), end);
    }

    function test_Adversary08_SettlingOutOfTurn() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 50);
        expectNotClosing(channel);
        startCloseBare(channel);
        vm.expectPartialRevert(IPaymentChannels.WindowOpen.selector);
        channels.settle(channel);
        vm.warp(closesAt(channel) - 1);
        vm.expectPartialRevert(IPaymentChannels.WindowOpen.selector);
        channels.settle(channel);
        vm.warp(block.timestamp + 1);
        channels.settle(channel);
        assertPaidOut(channel, 100, 50);
        expectNotClosing(channel);

        // The window of before must not count for a channel that is funded again.
        funded(channel, 100, 50);
        expectNotClosing(channel);
        startCloseBare(channel);
        close(channel, 1, 0);
        expectNotClosing(channel);
        vm.warp(block.timestamp + WINDOW);
        expectNotClosing(channel);
        funded(channel, 100, 50);
        expectNotClosing(channel);
    }

    function expectLastSecondCounts(uint32 window) private {
        IPaymentChannels.Channel memory channel = duplex();
        channel.disputeWindow = window;
        closing(channel, 100, 50);
        vm.assertEq(closesAt(channel), block.timestamp + window);
        bytes memory signature = signUpdate(KEY_A, channel, 40, 0);
        vm.warp(closesAt(channel));
        vm.expectPartialRevert(IPaymentChannels.WindowClosed.selector);
        vm.prank(ownerB);
        channels.dispute(channel, update(40, 0), signature, "");
        vm.warp(closesAt(channel) - 1);
        vm.prank(ownerB);
        channels.dispute(channel, update(40, 0), signature, "");
        vm.expectPartialRevert(IPaymentChannels.WindowOpen.selector);
        channels.settle(channel);
        vm.warp(closesAt(channel));
        channels.settle(channel);
    }

    function expectNotClosing(IPaymentChannels.Channel memory channel) private {
        vm.expectRevert(IPaymentChannels.NotClosing.selector);
        channels.settle(channel);
    }
}
