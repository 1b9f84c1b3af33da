// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "../support/ChannelTest.sol";
import {HostileToken} from "../support/Hostile.sol";

/// @dev Tokens that keep to no rule. What they do, they do to their own channels.
contract TokensTest is ChannelTest {
    HostileToken internal hostile;
    IPaymentChannels.Channel internal channel;
    IPaymentChannels.Channel internal honest;

    function setUp() public override {
        super.setUp();
        hostile = new HostileToken();
        channel = duplex();
        channel.token = address(hostile);
        honest = funded(inToken(duplex()), 500, 500);
        IPaymentChannels.Channel memory inEther = duplex();
        funded(inEther, 500, 500);
    }

    function test_Adversary09_DepositsThatMoveAnythingButTheAmount() public {
        HostileToken.Mode[9] memory modes = [
            HostileToken.Mode.TakeFee,
            HostileToken.Mode.GiveMore,
            HostileToken.Mode.SayFalse,
            HostileToken.Mode.SayTwo,
            HostileToken.Mode.SayShort,
            HostileToken.Mode.Refuse,
            HostileToken.Mode.RevertMuch,
            HostileToken.Mode.HideBalance,
            HostileToken.Mode.MoveNothing
        ];
        hostile.mint(address(this), 100);
        hostile.approve(address(channels), 100);
        for (uint256 i = 0; i < modes.length; ++i) {
            hostile.set(modes[i]);
            (bool success,) = address(channels).call(abi.encodeCall(channels.deposit, (channel, A, 10)));
            vm.assertTrue(!success, "a deposit that was not paid exactly");
        }
        hostile.set(HostileToken.Mode.SayNothing);
        channels.deposit(channel, A, 10);
        assertSides(channel, 10, 0, 0, 0);
        assertOthersUntouched();
    }

    function test_Adversary09_AddressesWithoutATokenCannotBeDeposited() public {
        // No code, precompiled contracts, this test, the contract itself.
        address[5] memory none = [address(0xdead), address(2), address(4), address(this), address(channels)];
        for (uint256 i = 0; i < none.length; ++i) {
            channel.token = none[i];
            vm.expectPartialRevert(IPaymentChannels.TransferFailed.selector);
            channels.deposit(channel, A, 10);
        }
    }

    /// @dev Payouts that fail are credited, and nobody is blocked.
    function test_Adversary09_PayoutsOfATokenThatTurnsBad() public {
        HostileToken.Mode[4] memory modes = [
            HostileToken.Mode.SayFalse,
            HostileToken.Mode.Refuse,
            HostileToken.Mode.BurnGas,
            HostileToken.Mode.RevertMuch
        ];
        for (uint256 i = 0; i < modes.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            closing(channel, 10, 20);
            hostile.set(modes[i]);
            settle(channel);
            vm.assertEq(channels.creditOf(ownerA, address(hostile)), 10);
            vm.assertEq(channels.creditOf(ownerB, address(hostile)), 20);
            hostile.set(HostileToken.Mode.Honest);
            vm.prank(ownerA);
            channels.withdrawCredit(address(hostile));
            vm.assertEq(hostile.balanceOf(ownerA), 10);
            assertOthersUntouched();
            vm.revertToState(snapshot);
        }
    }

    /// @dev Payouts that arrive are not credited, whether the token says yes or nothing, or can tell a balance.
    function test_Adversary09_PayoutsOfATokenThatAnswersOddly() public {
        HostileToken.Mode[2] memory modes = [HostileToken.Mode.SayNothing, HostileToken.Mode.HideBalance];
        for (uint256 i = 0; i < modes.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            closing(channel, 10, 20);
            hostile.set(modes[i]);
            settle(channel);
            hostile.set(HostileToken.Mode.Honest);
            assertPaidOut(channel, 10, 20);
            vm.assertEq(channels.creditOf(ownerA, address(hostile)), 0);
            vm.revertToState(snapshot);
        }
    }

    /// @dev A token that moves and says that it did not: paid and credited, until nothing of this token is left.
    function test_Adversary09_PayoutsOfATokenThatLies() public {
        HostileToken.Mode[2] memory modes = [HostileToken.Mode.SayTwo, HostileToken.Mode.SayShort];
        for (uint256 i = 0; i < modes.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            closing(channel, 10, 20);
            hostile.set(modes[i]);
            settle(channel);
            hostile.set(HostileToken.Mode.Honest);
            assertPaidOut(channel, 10, 20);
            vm.assertEq(channels.creditOf(ownerA, address(hostile)), 10);
            vm.expectPartialRevert(IPaymentChannels.TransferFailed.selector);
            vm.prank(ownerA);
            channels.withdrawCredit(address(hostile));
            assertOthersUntouched();
            vm.revertToState(snapshot);
        }
    }

    /// @dev A token whose balances shrink: the last to be paid wait for what is missing; no other token pays for it.
    function test_Adversary09_RebasingHurtsOnlyItsOwnChannels() public {
        closing(channel, 10, 20);
        hostile.burn(address(channels), 15);
        settle(channel);
        vm.assertEq(hostile.balanceOf(ownerA), 10);
        vm.assertEq(hostile.balanceOf(ownerB), 0);
        vm.assertEq(channels.creditOf(ownerB, address(hostile)), 20);
        hostile.mint(address(channels), 15);
        vm.prank(ownerB);
        channels.withdrawCredit(address(hostile));
        vm.assertEq(hostile.balanceOf(ownerB), 20);
        assertOthersUntouched();
    }

    /// @dev Without a defence the tokens of the inner deposit would count for both: the outer one moves nothing.
    function test_Adversary09_DepositInsideADepositCountsOnce() public {
        hostile.mint(address(hostile), 50);
        vm.prank(address(hostile));
        hostile.approve(address(channels), 50);
        hostile.callBackWith(address(channels), abi.encodeCall(channels.deposit, (channel, B, 50)));
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TokenTransferMismatch.selector, 50, 50));
        channels.deposit(channel, A, 50);
        assertOthersUntouched();
    }

    /// @dev The token is an owner here, and would close with a pot that is not paid yet.
    function test_Adversary09_PermitThatCallsBackFindsNothingUnpaid() public {
        channel.ownerA = address(hostile);
        hostile.mint(address(this), 50);
        hostile.approve(address(channels), 50);
        hostile.callBackOnPermit(address(channels), abi.encodeCall(channels.startClose, (channel, update(0, 0), "")));
        IPaymentChannels.Permit memory permit;
        channels.depositWithPermit(channel, A, 50, permit);
        vm.assertEq(hostile.calledBack(), false);
        assertSides(channel, 50, 0, 0, 0);
        vm.assertEq(closesAt(channel), 0);
    }

    function assertOthersUntouched() private view {
        assertSides(honest, 500, 0, 500, 0);
        vm.assertEq(token.balanceOf(address(channels)), 1000);
        vm.assertEq(address(channels).balance, 1000);
    }
}
