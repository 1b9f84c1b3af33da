// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {GaslessTest} from "../support/GaslessTest.sol";

/// @dev Adversaries who deposit, or hinder others from it.
contract FundingTest is GaslessTest {
    /// @dev The token's refusal of a caller who is not the receiver.
    error ERC20InvalidReceiver(address receiver);

    /// @dev Whoever comes first to a channel's id can only give to it. It hinders no deposit and takes nothing.
    function test_Adversary11_SquattingAndRacingADeposit() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        gasless.mint(stranger, 10);
        vm.startPrank(stranger);
        gasless.approve(address(channels), 10);
        channels.deposit(channel, A, 1);
        channels.deposit(channel, B, 1);
        vm.expectPartialRevert(IPaymentChannels.NotParty.selector);
        channels.startClose(channel, update(0, 0), "");
        vm.stopPrank();

        IPaymentChannels.Permit memory permit = signPermit(100, FOREVER);
        vm.prank(payer);
        channels.depositWithPermit(channel, A, 100, permit);
        assertSides(channel, 101, 0, 1, 0);
        settleAll(channel);
        vm.assertEq(gasless.balanceOf(ownerA), 101);
    }

    /// @dev A relay cannot take the payer's signature to another side, channel or amount, nor to itself.
    function test_Adversary11_RedirectingAnAuthorization() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        IPaymentChannels.Channel memory theirs = inGasless(duplex());
        (theirs.ownerA, theirs.ownerB) = (stranger, stranger);
        IPaymentChannels.Authorization memory authorization = authorize(channel, A, 100, "salt");

        vm.startPrank(stranger);
        expectFailure(theirs, A, 100, authorization);
        expectFailure(channel, B, 100, authorization);
        expectFailure(channel, A, 99, authorization);
        authorization.salt = "another";
        expectFailure(channel, A, 100, authorization);
        authorization.salt = "salt";
        authorization.from = stranger;
        expectFailure(channel, A, 100, authorization);
        authorization.from = payer;
        bytes32 nonce = channels.authorizationNonce(channels.channelId(channel), A, "salt");
        IPaymentChannels.Authorization memory given = authorization;
        vm.expectPartialRevert(ERC20InvalidReceiver.selector);
        gasless.receiveWithAuthorization(
            payer, address(channels), 100, given.validAfter, given.validBefore, nonce, given.v, given.r, given.s
        );
        // All that is left to the relay is what was meant.
        channels.depositWithAuthorization(channel, A, 100, authorization);
        vm.stopPrank();
        assertSides(channel, 100, 0, 0, 0);
    }

    /// @dev Seen on its way and used by somebody else first: the deposit goes through all the same.
    function test_Adversary11_PermitUsedBeforehand() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        IPaymentChannels.Permit memory permit = signPermit(100, FOREVER);
        vm.prank(stranger);
        gasless.permit(payer, address(channels), 100, permit.deadline, permit.v, permit.r, permit.s);
        vm.assertEq(gasless.allowance(payer, address(channels)), 100);
        // The allowance is no use to anyone but the payer.
        vm.expectPartialRevert(IPaymentChannels.TransferFailed.selector);
        vm.prank(stranger);
        channels.depositWithPermit(channel, A, 100, permit);

        vm.prank(payer);
        channels.depositWithPermit(channel, A, 100, permit);
        assertSides(channel, 100, 0, 0, 0);
    }

    function test_Adversary12_EtherAndTokensMixedUp() public {
        IPaymentChannels.Channel memory inEther = duplex();
        IPaymentChannels.Channel memory inTokens = inToken(duplex());
        vm.deal(address(this), 1000);
        token.mint(address(this), 100);
        token.approve(address(channels), 100);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 10, 0));
        channels.deposit{value: 10}(inTokens, A, 10);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 0, 10));
        channels.deposit(inEther, A, 10);

        // One value for two deposits.
        IPaymentChannels.Deposit[] memory two = new IPaymentChannels.Deposit[](2);
        two[0] = IPaymentChannels.Deposit({channel: inEther, side: A, amount: 10});
        two[1] = IPaymentChannels.Deposit({channel: inEther, side: B, amount: 10});
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 10, 20));
        channels.depositMany{value: 10}(address(0), two);
        two[1].channel = inTokens;
        vm.expectPartialRevert(IPaymentChannels.WrongToken.selector);
        channels.depositMany{value: 10}(address(0), two);
        vm.expectPartialRevert(IPaymentChannels.WrongToken.selector);
        channels.depositMany{value: 10}(address(token), two);

        // The contract has ether of others, and multicall would show each call the same value.
        funded(oneWay(), 500, 0);
        vm.deal(address(this), 1000);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(channels.deposit, (inEther, A, 10));
        calls[1] = abi.encodeCall(channels.deposit, (inEther, B, 10));
        (bool success,) = address(channels).call{value: 10}(abi.encodeCall(channels.multicall, (calls)));
        vm.assertEq(success, false);
        assertSides(inEther, 0, 0, 0, 0);
        assertSides(inTokens, 0, 0, 0, 0);
        vm.assertEq(address(channels).balance, 500);
    }

    /// @dev Two pots at their limits, and all that can be done with them, stay within their words.
    function test_Adversary19_PotsAtTheirLimits() public {
        IPaymentChannels.Channel memory channel = funded(inToken(duplex()), DEPOSIT_MAX, DEPOSIT_MAX);
        vm.expectPartialRevert(IPaymentChannels.AmountTooLarge.selector);
        channels.deposit(channel, A, 1);
        startCloseBare(channel);
        dispute(channel, KEY_A, MAX, 0);
        assertSides(channel, 0, DEPOSIT_MAX, uint256(DEPOSIT_MAX) * 2, 0);
        vm.assertEq(closesAt(channel), block.timestamp + WINDOW);
        dispute(channel, KEY_B, MAX, MAX);
        assertSides(channel, DEPOSIT_MAX, MAX, DEPOSIT_MAX, MAX);
        vm.assertEq(closesAt(channel), block.timestamp + WINDOW);
        settle(channel);
        assertPaidOut(channel, DEPOSIT_MAX, DEPOSIT_MAX);

        // Counters at their end: nothing can be moved any more, and still nothing is stuck.
        funded(channel, 10, 20);
        expectNoClose(channel);
        startClose(channel, MAX, MAX);
        settle(channel);
        assertPaidOut(channel, uint256(DEPOSIT_MAX) + 10, uint256(DEPOSIT_MAX) + 20);
    }

    function expectNoClose(IPaymentChannels.Channel memory channel) private {
        bytes memory byA = signClose(KEY_A, channel, MAX, MAX, DEADLINE);
        bytes memory byB = signClose(KEY_B, channel, MAX, MAX, DEADLINE);
        vm.expectPartialRevert(IPaymentChannels.CloseNotAdvancing.selector);
        channels.close(channel, MAX, MAX, DEADLINE, byA, byB);
    }

    function expectFailure(
        IPaymentChannels.Channel memory channel,
        IPaymentChannels.Side side,
        uint128 amount,
        IPaymentChannels.Authorization memory authorization
    ) private {
        vm.expectPartialRevert(IPaymentChannels.TransferFailed.selector);
        channels.depositWithAuthorization(channel, side, amount, authorization);
    }

    function settleAll(IPaymentChannels.Channel memory channel) private {
        startCloseBare(channel);
        settle(channel);
    }
}
