// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

contract SettleTest is ChannelTest {
    function test_Settle_PaysBothParties() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 50);
        startClose(channel, 30, 10);
        vm.warp(closesAt(channel));

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Settled(channels.channelId(channel), word(80, 30, block.timestamp), word(70, 10, 0));
        vm.prank(stranger);
        channels.settle(channel);

        assertPaidOut(channel, 80, 70);
        assertSides(channel, 0, 30, 0, 10);
    }

    function test_Settle_PaysBothPartiesInToken() public {
        IPaymentChannels.Channel memory channel = funded(inToken(duplex()), 100, 50);
        startClose(channel, 30, 10);
        settle(channel);
        assertPaidOut(channel, 80, 70);
    }

    function test_Settle_ReturnsWhatIsNotClaimed() public {
        IPaymentChannels.Channel memory channel = closing(oneWay(), 100, 0);
        claim(channel, 30);
        settle(channel);
        assertPaidOut(channel, 70, 30);
        assertSides(channel, 0, 30, 0, 0);
    }

    function test_Settle_LongAfterTheWindow() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 50);
        vm.warp(type(uint64).max);
        channels.settle(channel);
        assertPaidOut(channel, 100, 50);
    }

    function test_Settle_ReopensWithANewDeposit() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 50);
        startClose(channel, 30, 10);
        settle(channel);

        funded(channel, 5, 5);
        startClose(channel, 31, 10);
        assertSides(channel, 4, 31, 6, 10);
        settle(channel);

        assertPaidOut(channel, 84, 76);
    }

    function test_Settle_AfterEmptyPots() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        startCloseBare(channel);
        claim(channel, 100);
        settle(channel);
        assertPaidOut(channel, 0, 100);
    }

    function testFuzz_Settle_ConservesWhateverWasPresented(
        uint128 potA,
        uint128 potB,
        uint128 sent,
        uint128 received,
        bool ofToken
    ) public {
        potA = boundAmount(potA, 1, DEPOSIT_MAX);
        potB = boundAmount(potB, 0, DEPOSIT_MAX);
        IPaymentChannels.Channel memory channel = funded(ofToken ? inToken(duplex()) : duplex(), potA, potB);
        startClose(channel, boundAmount(sent, 0, MAX), boundAmount(received, 0, MAX));

        settle(channel);

        uint256 paidA = holds(ownerA, channel.token);
        assertPaidOut(channel, paidA, uint256(potA) + potB - paidA);
    }

    function test_RevertWhen_NotClosing() public {
        IPaymentChannels.Channel memory channel = duplex();
        vm.expectRevert(IPaymentChannels.NotClosing.selector);
        channels.settle(channel);
        funded(channel, 10, 0);
        vm.expectRevert(IPaymentChannels.NotClosing.selector);
        channels.settle(channel);
    }

    function test_RevertWhen_WindowIsOpen() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 50);
        uint32 end = closesAt(channel);
        vm.warp(end - 1);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WindowOpen.selector, end, end - 1));
        channels.settle(channel);
    }

    function test_RevertWhen_SettledTwice() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 50);
        settle(channel);
        vm.expectRevert(IPaymentChannels.NotClosing.selector);
        channels.settle(channel);
    }

    function test_RevertWhen_ClosedCooperatively() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 50);
        close(channel, 1, 0);
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(IPaymentChannels.NotClosing.selector);
        channels.settle(channel);
    }

    function test_RevertWhen_TermsDiffer() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 50);
        vm.warp(block.timestamp + WINDOW);
        channel.ownerA = stranger;
        vm.expectRevert(IPaymentChannels.NotClosing.selector);
        channels.settle(channel);
    }
}
