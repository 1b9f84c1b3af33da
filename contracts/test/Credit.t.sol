// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";
import {GreedyReceiver, GreedyToken, HostileReceiver, HostileToken} from "./support/Hostile.sol";

/// @dev What happens when a payout cannot be pushed.
contract CreditTest is ChannelTest {
    HostileReceiver internal hostileOwner;
    HostileToken internal hostileToken;

    function setUp() public override {
        super.setUp();
        hostileOwner = new HostileReceiver();
        hostileToken = new HostileToken();
    }

    function test_Push_FailingInEtherBecomesCredit() public {
        HostileReceiver.Mode[3] memory modes =
            [HostileReceiver.Mode.Refuse, HostileReceiver.Mode.BurnGas, HostileReceiver.Mode.RevertMuch];
        ownerA = address(hostileOwner);
        for (uint256 i = 0; i < modes.length; ++i) {
            hostileOwner.set(modes[i]);
            IPaymentChannels.Channel memory channel = duplex();
            channel.salt = bytes32(i);
            closing(channel, 10, 20);
            vm.warp(block.timestamp + WINDOW);

            vm.expectEmit(address(channels));
            emit IPaymentChannels.Credited(ownerA, address(0), 10);
            channels.settle(channel);

            vm.assertEq(channels.creditOf(ownerA, address(0)), 10 * (i + 1));
            vm.assertEq(ownerB.balance, 20 * (i + 1));
        }
    }

    function test_Push_ReceiverThatReturnsMuchIsPaid() public {
        ownerA = address(hostileOwner);
        hostileOwner.set(HostileReceiver.Mode.ReturnMuch);
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 20);
        vm.warp(block.timestamp + WINDOW);
        uint256 gasBefore = gasleft();
        channels.settle(channel);
        vm.assertLe(gasBefore - gasleft(), 120_000, "gas");
        vm.assertEq(ownerA.balance, 10);
    }

    function test_Push_BurnsAtMostItsShareOfGas() public {
        IPaymentChannels.Channel memory inEther = duplex();
        inEther.ownerA = address(hostileOwner);
        closing(inEther, 10, 20);
        hostileOwner.set(HostileReceiver.Mode.BurnGas);
        IPaymentChannels.Channel memory inHostileToken = duplex();
        inHostileToken.token = address(hostileToken);
        closing(inHostileToken, 10, 20);
        hostileToken.set(HostileToken.Mode.BurnGas);
        vm.warp(block.timestamp + WINDOW);

        uint256 gasBefore = gasleft();
        channels.settle(inEther);
        vm.assertLe(gasBefore - gasleft(), 200_000, "ether");

        gasBefore = gasleft();
        channels.settle(inHostileToken);
        vm.assertLe(gasBefore - gasleft(), 500_000, "token");
    }

    function test_Push_FailingInTokenBecomesCredit() public {
        HostileToken.Mode[5] memory modes = [
            HostileToken.Mode.SayFalse,
            HostileToken.Mode.SayTwo,
            HostileToken.Mode.Refuse,
            HostileToken.Mode.BurnGas,
            HostileToken.Mode.RevertMuch
        ];
        for (uint256 i = 0; i < modes.length; ++i) {
            HostileToken asset = new HostileToken();
            IPaymentChannels.Channel memory channel = duplex();
            channel.token = address(asset);
            closing(channel, 10, 20);
            asset.set(modes[i]);
            settle(channel);
            vm.assertEq(channels.creditOf(ownerA, address(asset)), 10);
            vm.assertEq(channels.creditOf(ownerB, address(asset)), 20);
        }
    }

    function test_Push_TokenThatReturnsNothingIsPaid() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(hostileToken);
        closing(channel, 10, 20);
        hostileToken.set(HostileToken.Mode.SayNothing);
        settle(channel);
        assertPaidOut(channel, 10, 20);
    }

    function test_Push_OfTokenThatVanishedBecomesCredit() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(hostileToken);
        closing(channel, 10, 20);
        vm.etch(address(hostileToken), "");
        settle(channel);
        vm.assertEq(channels.creditOf(ownerA, address(hostileToken)), 10);
    }

    function test_Push_FailingCloseAndClaimBecomeCredits() public {
        ownerB = address(hostileOwner);
        hostileOwner.set(HostileReceiver.Mode.Refuse);
        close(funded(duplex(), 10, 20), 1, 0);
        claim(funded(oneWay(), 10, 0), 4);
        vm.assertEq(channels.creditOf(ownerB, address(0)), 25);
        vm.assertEq(ownerA.balance, 9);
        vm.assertEq(address(channels).balance, 31);
    }

    function test_Push_ReceiverCannotBePaidTwiceByCallingBack() public {
        ownerA = address(hostileOwner);
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 20);
        hostileOwner.callBackWith(address(channels), abi.encodeCall(channels.settle, (channel)));
        settle(channel);
        vm.assertEq(hostileOwner.calledBack(), false);
        assertPaidOut(channel, 10, 20);
    }

    function test_Push_TokenCannotSettleTwiceByCallingBack() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(hostileToken);
        closing(channel, 10, 20);
        hostileToken.callBackWith(address(channels), abi.encodeCall(channels.settle, (channel)));
        settle(channel);
        vm.assertEq(hostileToken.calledBack(), false);
        assertPaidOut(channel, 10, 20);
    }

    /// @dev The receiver insists on its full share of gas: however little the caller gives, it is paid or all reverts.
    function testFuzz_Push_CallerCannotForceCredit(uint256 gasGiven, bool ofToken) public {
        IPaymentChannels.Channel memory channel = duplex();
        if (ofToken) channel.token = address(new GreedyToken());
        else channel.ownerA = address(new GreedyReceiver());
        closing(channel, 10, 0);
        vm.warp(block.timestamp + WINDOW);

        try channels.settle{gas: bound(gasGiven, 60_000, 400_000)}(channel) {
            vm.assertEq(channels.creditOf(channel.ownerA, channel.token), 0);
            assertPaidOut(channel, 10, 0);
        } catch {
            assertSides(channel, 10, 0, 0, 0);
        }
    }

    function test_RevertWhen_GasIsTooLow() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 20);
        vm.warp(block.timestamp + WINDOW);
        vm.expectPartialRevert(IPaymentChannels.GasTooLow.selector);
        channels.settle{gas: 90_000}(channel);

        funded(oneWay(), 10, 0);
        IPaymentChannels.ClaimRow[] memory all = rows(rowOf(oneWay(), 4));
        vm.expectPartialRevert(IPaymentChannels.GasTooLow.selector);
        channels.claim{gas: 90_000}(payeeOf(oneWay()), all);
    }

    function test_WithdrawCredit_PaysEther() public {
        ownerA = address(hostileOwner);
        hostileOwner.set(HostileReceiver.Mode.Refuse);
        settleClosing(duplex());
        hostileOwner.set(HostileReceiver.Mode.Accept);

        vm.expectEmit(address(channels));
        emit IPaymentChannels.CreditWithdrawn(ownerA, address(0), 10);
        vm.prank(ownerA);
        channels.withdrawCredit(address(0));

        vm.assertEq(ownerA.balance, 10);
        vm.assertEq(channels.creditOf(ownerA, address(0)), 0);
    }

    function test_WithdrawCredit_PaysTokenThatNeedsMuchGas() public {
        IPaymentChannels.Channel memory channel = duplex();
        GreedyToken greedy = new GreedyToken();
        channel.token = address(greedy);
        greedy.need(300_000);
        settleClosing(channel);
        vm.assertEq(channels.creditOf(ownerA, address(greedy)), 10);

        vm.prank(ownerA);
        channels.withdrawCredit(address(greedy));

        vm.assertEq(greedy.balanceOf(ownerA), 10);
    }

    function test_WithdrawCredit_CannotBeTakenTwiceByCallingBack() public {
        ownerA = address(hostileOwner);
        hostileOwner.set(HostileReceiver.Mode.Refuse);
        settleClosing(duplex());
        vm.deal(address(channels), 100);
        hostileOwner.callBackWith(address(channels), abi.encodeCall(channels.withdrawCredit, (address(0))));

        vm.prank(ownerA);
        channels.withdrawCredit(address(0));

        vm.assertEq(hostileOwner.calledBack(), false);
        vm.assertEq(ownerA.balance, 10);
    }

    function test_RevertWhen_ThereIsNoCredit() public {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NoCredit.selector, stranger, address(token)));
        vm.prank(stranger);
        channels.withdrawCredit(address(token));
    }

    function test_RevertWhen_WithdrawalIsRefused() public {
        ownerA = address(hostileOwner);
        hostileOwner.set(HostileReceiver.Mode.Refuse);
        settleClosing(duplex());
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.TransferFailed.selector, address(0), address(channels), ownerA, 10)
        );
        vm.prank(ownerA);
        channels.withdrawCredit(address(0));
        vm.assertEq(channels.creditOf(ownerA, address(0)), 10);
    }

    function settleClosing(IPaymentChannels.Channel memory channel) private {
        settle(closing(channel, 10, 20));
    }
}
