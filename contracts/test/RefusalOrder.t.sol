// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";
import {HostileReceiver, HostileToken} from "./support/Hostile.sol";

/// @dev Each test begins with a call that is wrong in every way, and puts it right from the first refusal to the last.
contract RefusalOrderTest is ChannelTest {
    HostileToken internal hostile;

    function setUp() public override {
        super.setUp();
        hostile = new HostileToken();
    }

    function test_Order_OfDeposit() public {
        vm.deal(address(this), 100);
        IPaymentChannels.Channel memory c;
        (c.oneWay, c.token) = (true, address(hostile));
        refused(c, B, 0, 1, abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 1, 0));
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.ZeroOwner.selector, A));
        c.ownerA = address(channels);
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.OwnerIsContract.selector, A));
        c.ownerA = ownerA;
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.ZeroOwner.selector, B));
        c.ownerB = address(channels);
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.OwnerIsContract.selector, B));
        c.ownerB = ownerB;
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.ZeroSigner.selector, A));
        c.signerA = signerA;
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.ZeroSigner.selector, B));
        c.signerB = signerA;
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.SameSigner.selector, signerA));
        c.signerB = signerB;
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.DisputeWindowOutOfRange.selector, 0, 10, 30 days));
        c.disputeWindow = WINDOW;
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector));
        c.oneWay = false;
        closing(c, 1, 0);
        refused(c, B, 0, 0, abi.encodeWithSelector(IPaymentChannels.ZeroAmount.selector));
        refused(c, B, MAX, 0, abi.encodeWithSelector(IPaymentChannels.ChannelClosing.selector, closesAt(c)));
        settle(c);
        refused(c, B, MAX, 0, tooLarge(MAX, DEPOSIT_MAX));
        refused(c, B, 5, 0, transferFailed(address(this), address(channels), 5));
        hostile.mint(address(this), 5);
        hostile.approve(address(channels), 5);
        hostile.set(HostileToken.Mode.TakeFee);
        refused(c, B, 5, 0, abi.encodeWithSelector(IPaymentChannels.TokenTransferMismatch.selector, 4, 5));
        hostile.set(HostileToken.Mode.Honest);
        channels.deposit(c, B, 5);
    }

    function test_Order_OfDepositMany() public {
        vm.deal(address(this), 100);
        IPaymentChannels.Deposit[] memory all = new IPaymentChannels.Deposit[](1);
        all[0].side = B;
        address asset = address(hostile);
        manyRefused(asset, all, 1, abi.encodeWithSelector(IPaymentChannels.WrongToken.selector, address(0), asset));
        all[0].channel.token = asset;
        manyRefused(asset, all, 1, abi.encodeWithSelector(IPaymentChannels.ZeroOwner.selector, A));
        all[0].channel = duplex();
        all[0].channel.token = asset;
        manyRefused(asset, all, 1, abi.encodeWithSelector(IPaymentChannels.ZeroAmount.selector));
        all[0].amount = 5;
        manyRefused(asset, all, 1, abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 1, 0));
        manyRefused(asset, all, 0, transferFailed(address(this), address(channels), 5));
    }

    function test_Order_OfClose() public {
        IPaymentChannels.Channel memory c = oneWay();
        vm.warp(uint256(DEADLINE) + 1);
        bytes[2] memory signed = [bytes(hex"00"), bytes(hex"00")];
        closeRefused(
            c,
            MAX + 1,
            MAX + 2,
            signed,
            abi.encodeWithSelector(IPaymentChannels.CloseExpired.selector, DEADLINE, block.timestamp)
        );
        vm.warp(DEADLINE);
        closeRefused(c, MAX + 1, MAX + 2, signed, tooLarge(uint256(MAX) + 1, MAX));
        closeRefused(c, 0, MAX + 2, signed, tooLarge(uint256(MAX) + 2, MAX));
        closeRefused(
            c, 0, 1, signed, abi.encodeWithSelector(IPaymentChannels.UnknownChannel.selector, channels.channelId(c))
        );
        funded(c, 10, 0);
        closeRefused(c, 0, 1, signed, abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector));
        c = funded(duplex(), 10, 20);
        close(c, 5, 5);
        funded(c, 10, 20);
        closeRefused(
            c,
            5,
            4,
            signed,
            abi.encodeWithSelector(IPaymentChannels.CloseNotAdvancing.selector, A, uint128(5), uint128(5))
        );
        closeRefused(
            c,
            99,
            4,
            signed,
            abi.encodeWithSelector(IPaymentChannels.CloseNotAdvancing.selector, B, uint128(4), uint128(5))
        );
        bytes32 digest = closeDigest(channels.channelId(c), 99, 5, DEADLINE);
        closeRefused(c, 99, 5, signed, abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest));
        signed[0] = sign(KEY_STRANGER, digest);
        closeRefused(c, 99, 5, signed, abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger));
        signed[0] = sign(KEY_A, digest);
        closeRefused(c, 99, 5, signed, abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest));
        signed[1] = sign(KEY_A, digest);
        closeRefused(c, 99, 5, signed, abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, signerA));
        signed[1] = sign(KEY_B, digest);
        closeRefused(c, 99, 5, signed, abi.encodeWithSelector(IPaymentChannels.InsufficientBalance.selector, A, 94, 10));
    }

    function test_Order_OfStartClose() public {
        IPaymentChannels.Channel memory c = funded(oneWay(), 10, 0);
        startRefused(c, 2 * MAX, 3 * MAX, "", abi.encodeWithSelector(IPaymentChannels.NotParty.selector, stranger));
        startRefused(c, 2 * MAX, 3 * MAX, hex"00", abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector));
        c = duplex();
        bytes32 id = channels.channelId(c);
        vm.warp(type(uint32).max);
        startRefused(c, 2 * MAX, 3 * MAX, hex"00", abi.encodeWithSelector(IPaymentChannels.UnknownChannel.selector, id));
        vm.warp(type(uint32).max - WINDOW);
        closing(c, 10, 0);
        startRefused(
            c,
            2 * MAX,
            3 * MAX,
            hex"00",
            abi.encodeWithSelector(IPaymentChannels.ChannelClosing.selector, type(uint32).max)
        );
        dispute(c, KEY_A, 5, 0);
        settle(c);
        startRefused(c, 2 * MAX, 3 * MAX, hex"00", abi.encodeWithSelector(IPaymentChannels.NothingToClose.selector));
        fund(c, A, 10);
        startRefused(c, 2 * MAX, 3 * MAX, hex"00", tooLarge(block.timestamp + WINDOW, type(uint32).max));
        vm.warp(block.timestamp - WINDOW);
        startRefused(c, 2 * MAX, 3 * MAX, hex"00", tooLarge(2 * uint256(MAX), MAX));
        startRefused(c, 7, 3 * MAX, hex"00", tooLarge(3 * uint256(MAX), MAX));
        bytes32 digest = updateDigest(id, 7, 0);
        startRefused(c, 7, 0, hex"00", abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest));
        bytes memory signature = sign(KEY_STRANGER, digest);
        startRefused(c, 7, 0, signature, abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger));
        signature = sign(KEY_A, digest);
        startRefused(c, 7, 0, signature, abi.encodeWithSelector(IPaymentChannels.NotParty.selector, stranger));
    }

    function test_Order_OfDispute() public {
        IPaymentChannels.Channel memory c = oneWay();
        disputeRefused(c, 2 * MAX, 3 * MAX, "", "", abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector));
        c = funded(duplex(), 10, 10);
        disputeRefused(c, 2 * MAX, 3 * MAX, "", "", abi.encodeWithSelector(IPaymentChannels.NotClosing.selector));
        startCloseBare(c);
        vm.warp(closesAt(c));
        disputeRefused(
            c,
            2 * MAX,
            3 * MAX,
            "",
            "",
            abi.encodeWithSelector(IPaymentChannels.WindowClosed.selector, closesAt(c), block.timestamp)
        );
        vm.warp(closesAt(c) - 1);
        disputeRefused(c, 2 * MAX, 3 * MAX, "", "", tooLarge(2 * uint256(MAX), MAX));
        disputeRefused(c, 0, 3 * MAX, "", "", tooLarge(3 * uint256(MAX), MAX));
        bytes32 id = channels.channelId(c);
        bytes32 digest = updateDigest(id, 0, 0);
        bytes memory invalid = abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest);
        disputeRefused(c, 0, 0, "", hex"00", invalid);
        bytes memory signature = sign(KEY_STRANGER, digest);
        bytes memory wrong = abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger);
        disputeRefused(c, 0, 0, signature, hex"00", wrong);
        signature = sign(KEY_A, digest);
        bytes32 consent = consentDigest(id, 0, 0);
        invalid = abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, consent);
        disputeRefused(c, 0, 0, signature, hex"00", invalid);
        disputeRefused(c, 0, 0, signature, sign(KEY_STRANGER, consent), wrong);
        disputeRefused(c, 0, 0, signature, "", abi.encodeWithSelector(IPaymentChannels.NotParty.selector, stranger));
        bytes memory nothing = abi.encodeWithSelector(IPaymentChannels.NothingNew.selector);
        disputeRefused(c, 0, 0, signature, sign(KEY_B, consent), nothing);
    }

    function test_Order_OfSettle() public {
        IPaymentChannels.Channel memory c = funded(duplex(), 10, 10);
        vm.expectRevert(IPaymentChannels.NotClosing.selector);
        channels.settle{gas: 60_000}(c);
        startCloseBare(c);
        vm.expectPartialRevert(IPaymentChannels.WindowOpen.selector);
        channels.settle{gas: 60_000}(c);
        vm.warp(closesAt(c));
        vm.expectPartialRevert(IPaymentChannels.GasTooLow.selector);
        channels.settle{gas: 60_000}(c);
    }

    function test_Order_OfReasonsToSkipARow() public {
        IPaymentChannels.Channel memory c = oneWay();
        IPaymentChannels.ClaimRow memory row = rowOf(c, MAX + 1);
        row.r = 0;
        skipped(c, row, IPaymentChannels.AmountTooLarge.selector);
        row.sent = 0;
        skipped(c, row, IPaymentChannels.UnknownChannel.selector);
        fund(c, A, 10);
        claim(c, 10);
        skipped(c, row, IPaymentChannels.NothingNew.selector);
        row.sent = 11;
        skipped(c, row, IPaymentChannels.InsufficientBalance.selector);
        fund(c, A, 10);
        skipped(c, row, IPaymentChannels.InvalidSignature.selector);
        row.r = rowOf(c, 12).r;
        skipped(c, row, IPaymentChannels.WrongSigner.selector);
        claim(c, 11);
        vm.assertEq(ownerB.balance, 11);
    }

    function test_Order_OfWithdrawCredit() public {
        HostileReceiver owner = new HostileReceiver();
        owner.set(HostileReceiver.Mode.Refuse);
        ownerA = address(owner);
        vm.startPrank(ownerA);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NoCredit.selector, ownerA, address(0)));
        channels.withdrawCredit(address(0));
        vm.stopPrank();
        settle(closing(duplex(), 10, 0));
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.TransferFailed.selector, address(0), address(channels), ownerA, 10)
        );
        vm.prank(ownerA);
        channels.withdrawCredit(address(0));
    }

    function refused(
        IPaymentChannels.Channel memory channel,
        IPaymentChannels.Side side,
        uint128 amount,
        uint256 value,
        bytes memory refusal
    ) private {
        vm.expectRevert(refusal);
        channels.deposit{value: value}(channel, side, amount);
        if (value != 0) return;
        IPaymentChannels.Permit memory permit;
        vm.expectRevert(refusal);
        channels.depositWithPermit(channel, side, amount, permit);
        // The authorization fails at the token; all that comes before is the same.
        // The first four bytes of a revert are its error.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (bytes4(refusal) == IPaymentChannels.TokenTransferMismatch.selector) return;
        IPaymentChannels.Authorization memory authorization;
        authorization.from = address(this);
        vm.expectRevert(refusal);
        channels.depositWithAuthorization(channel, side, amount, authorization);
    }

    function manyRefused(address asset, IPaymentChannels.Deposit[] memory all, uint256 value, bytes memory refusal)
        private
    {
        vm.expectRevert(refusal);
        channels.depositMany{value: value}(asset, all);
    }

    function closeRefused(
        IPaymentChannels.Channel memory channel,
        uint128 sentA,
        uint128 sentB,
        bytes[2] memory signed,
        bytes memory refusal
    ) private {
        vm.expectRevert(refusal);
        channels.close(channel, sentA, sentB, DEADLINE, signed[0], signed[1]);
    }

    function startRefused(
        IPaymentChannels.Channel memory channel,
        uint128 sent,
        uint128 received,
        bytes memory signature,
        bytes memory refusal
    ) private {
        vm.expectRevert(refusal);
        vm.prank(stranger);
        channels.startClose(channel, update(sent, received), signature);
    }

    function disputeRefused(
        IPaymentChannels.Channel memory channel,
        uint128 sent,
        uint128 received,
        bytes memory signature,
        bytes memory consent,
        bytes memory refusal
    ) private {
        vm.expectRevert(refusal);
        vm.prank(stranger);
        channels.dispute(channel, update(sent, received), signature, consent);
    }

    function skipped(IPaymentChannels.Channel memory channel, IPaymentChannels.ClaimRow memory row, bytes4 reason)
        private
    {
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ClaimSkipped(channels.channelId(channel), reason);
        channels.claim(payeeOf(channel), rows(row));
    }

    function tooLarge(uint256 given, uint256 max) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IPaymentChannels.AmountTooLarge.selector, given, max);
    }

    function transferFailed(address from, address to, uint256 amount) private view returns (bytes memory) {
        return abi.encodeWithSelector(IPaymentChannels.TransferFailed.selector, address(hostile), from, to, amount);
    }
}
