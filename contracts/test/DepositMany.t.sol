// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";
import {HostileToken} from "./support/Hostile.sol";

contract DepositManyTest is ChannelTest {
    function test_DepositMany_InEther() public {
        vm.deal(stranger, 60);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(address(channels));
            emit IPaymentChannels.Deposited(channels.channelId(numbered(i, address(0))), A, uint128(10 * (i + 1)));
        }
        vm.prank(stranger);
        channels.depositMany{value: 60}(address(0), many(3, address(0)));

        for (uint256 i = 0; i < 3; ++i) {
            assertSides(numbered(i, address(0)), 10 * (i + 1), 0, 0, 0);
        }
        vm.assertEq(address(channels).balance, 60);
    }

    function test_DepositMany_InATokenPaidAtOnce() public {
        approve(60);
        vm.recordLogs();
        channels.depositMany(address(token), many(3, address(token)));
        vm.assertEq(vm.getRecordedLogs().length, 4, "three deposits and one transfer");
        vm.assertEq(token.balanceOf(address(channels)), 60);
    }

    function test_DepositMany_OfBothSidesAndOfOneSideTwice() public {
        IPaymentChannels.Deposit[] memory all = many(3, address(token));
        for (uint256 i = 0; i < 3; ++i) {
            all[i].channel = inToken(duplex());
        }
        all[1].side = B;
        approve(60);
        channels.depositMany(address(token), all);
        assertSides(inToken(duplex()), 40, 0, 20, 0);
    }

    function test_DepositMany_OfNothing() public {
        vm.recordLogs();
        channels.depositMany(address(0), new IPaymentChannels.Deposit[](0));
        channels.depositMany(address(token), new IPaymentChannels.Deposit[](0));
        channels.depositMany(address(0xdead), new IPaymentChannels.Deposit[](0));
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function testFuzz_DepositMany_AddsUp(uint128[4] memory amounts, bool ofToken) public {
        address asset = ofToken ? address(token) : address(0);
        IPaymentChannels.Deposit[] memory all = many(4, asset);
        uint256 total = 0;
        for (uint256 i = 0; i < 4; ++i) {
            all[i].amount = boundAmount(amounts[i], 1, DEPOSIT_MAX);
            total += all[i].amount;
        }
        if (ofToken) approve(total);
        else vm.deal(address(this), total);

        channels.depositMany{value: ofToken ? 0 : total}(asset, all);

        for (uint256 i = 0; i < 4; ++i) {
            assertSides(numbered(i, asset), all[i].amount, 0, 0, 0);
        }
        vm.assertEq(holds(address(channels), asset), total);
    }

    function test_RevertWhen_OneIsInAnotherToken() public {
        IPaymentChannels.Deposit[] memory all = many(3, address(token));
        all[1].channel.token = address(0);
        approve(60);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongToken.selector, address(0), address(token)));
        channels.depositMany(address(token), all);

        all = many(3, address(0));
        all[2].channel.token = address(token);
        vm.deal(address(this), 60);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongToken.selector, address(token), address(0)));
        channels.depositMany{value: 60}(address(0), all);
    }

    function test_RevertWhen_ValueIsNotTheSum() public {
        vm.deal(address(this), 100);
        uint256[3] memory values = [uint256(0), 59, 61];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, values[i], 60));
            channels.depositMany{value: values[i]}(address(0), many(3, address(0)));
        }
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 1, 0));
        channels.depositMany{value: 1}(address(0), new IPaymentChannels.Deposit[](0));
    }

    function test_RevertWhen_EtherComesWithToken() public {
        approve(60);
        vm.deal(address(this), 60);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 60, 0));
        channels.depositMany{value: 60}(address(token), many(3, address(token)));
    }

    /// @dev As `deposit` refuses each of these; and then none is made.
    function test_RevertWhen_OneCannotBeMade() public {
        vm.deal(address(this), 60);
        for (uint256 i = 0; i < 4; ++i) {
            IPaymentChannels.Deposit[] memory all = many(3, address(0));
            bytes memory refusal = spoil(all[2], i);
            vm.expectRevert(refusal);
            channels.depositMany{value: 60}(address(0), all);
            assertSides(all[0].channel, 0, 0, 0, 0);
        }
    }

    function test_RevertWhen_TokenIsNotAllowed() public {
        token.mint(address(this), 60);
        vm.expectRevert(
            abi.encodeWithSelector(
                IPaymentChannels.TransferFailed.selector, address(token), address(this), address(channels), 60
            )
        );
        channels.depositMany(address(token), many(3, address(token)));
    }

    function test_RevertWhen_TokenTakesAFee() public {
        HostileToken hostile = new HostileToken();
        hostile.set(HostileToken.Mode.TakeFee);
        hostile.mint(address(this), 60);
        hostile.approve(address(channels), 60);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TokenTransferMismatch.selector, 59, 60));
        channels.depositMany(address(hostile), many(3, address(hostile)));
    }

    /// @dev Makes a deposit one that must be refused.
    function spoil(IPaymentChannels.Deposit memory each, uint256 how) private returns (bytes memory) {
        if (how == 0) {
            each.channel.ownerA = address(0);
            return abi.encodeWithSelector(IPaymentChannels.ZeroOwner.selector, A);
        }
        if (how == 1) {
            (each.channel.oneWay, each.side) = (true, B);
            return abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector);
        }
        if (how == 2) {
            each.amount = 0;
            return abi.encodeWithSelector(IPaymentChannels.ZeroAmount.selector);
        }
        closing(each.channel, 1, 0);
        vm.deal(address(this), 60);
        return abi.encodeWithSelector(IPaymentChannels.ChannelClosing.selector, closesAt(each.channel));
    }

    function numbered(uint256 i, address asset) private view returns (IPaymentChannels.Channel memory channel) {
        channel = duplex();
        channel.token = asset;
        channel.salt = bytes32(i);
    }

    /// @dev 10, 20, 30 and so on to side A.
    function many(uint256 count, address asset) private view returns (IPaymentChannels.Deposit[] memory all) {
        all = new IPaymentChannels.Deposit[](count);
        for (uint256 i = 0; i < count; ++i) {
            all[i] = IPaymentChannels.Deposit({channel: numbered(i, asset), side: A, amount: uint128(10 * (i + 1))});
        }
    }

    function approve(uint256 amount) private {
        token.mint(address(this), amount);
        token.approve(address(channels), amount);
    }
}
