// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {GaslessTest} from "./support/GaslessTest.sol";
import {HostileToken, SilentFallbackToken} from "./support/Hostile.sol";

contract DepositWithAuthorizationTest is GaslessTest {
    bytes32 private constant SALT = "salt";

    function test_DepositWithAuthorization_TakesFromThePayer() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        IPaymentChannels.Authorization memory authorization = authorize(channel, B, 70, "salt");

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Deposited(channels.channelId(channel), B, 70);
        vm.prank(stranger);
        channels.depositWithAuthorization(channel, B, 70, authorization);

        assertSides(channel, 0, 0, 70, 0);
        vm.assertEq(gasless.balanceOf(payer), 930);
        vm.assertEq(gasless.balanceOf(address(channels)), 70);
    }

    function test_DepositWithAuthorization_SeveralForOneSide() public {
        IPaymentChannels.Channel memory channel = inGasless(oneWay());
        for (uint256 i = 0; i < 3; ++i) {
            channels.depositWithAuthorization(channel, A, 70, authorize(channel, A, 70, bytes32(i)));
        }
        assertSides(channel, 210, 0, 0, 0);
    }

    function test_DepositWithAuthorization_ReopensAChannel() public {
        IPaymentChannels.Channel memory channel = inGasless(oneWay());
        channels.depositWithAuthorization(channel, A, 70, authorize(channel, A, 70, "one"));
        close(channel, 30, 0);
        channels.depositWithAuthorization(channel, A, 5, authorize(channel, A, 5, "two"));
        assertSides(channel, 5, 30, 0, 0);
    }

    function test_AuthorizationNonce_IsBoundToChannelSideAndSalt() public view {
        bytes32 id = channels.channelId(duplex());
        bytes32 nonce = channels.authorizationNonce(id, A, SALT);
        vm.assertEq(nonce, keccak256(abi.encode(id, uint256(0), SALT)));
        vm.assertTrue(nonce != channels.authorizationNonce(channels.channelId(oneWay()), A, "salt"), "channel");
        vm.assertTrue(nonce != channels.authorizationNonce(id, B, "salt"), "side");
        vm.assertTrue(nonce != channels.authorizationNonce(id, A, "pepper"), "salt");
    }

    function testFuzz_DepositWithAuthorization_AddsUp(uint128 amount, bytes32 salt, bool toB) public {
        amount = boundAmount(amount, 1, 1000);
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        channels.depositWithAuthorization(channel, toB ? B : A, amount, authorize(channel, toB ? B : A, amount, salt));
        assertSides(channel, toB ? 0 : amount, 0, toB ? amount : 0, 0);
        vm.assertEq(gasless.balanceOf(address(channels)), amount);
    }

    function test_RevertWhen_AuthorizationIsUsedTwice() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        IPaymentChannels.Authorization memory authorization = authorize(channel, A, 70, "salt");
        channels.depositWithAuthorization(channel, A, 70, authorization);
        expectRefusal(channel, A, 70, authorization);
    }

    function test_RevertWhen_AuthorizationIsOfAnotherAmount() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        expectRefusal(channel, A, 71, authorize(channel, A, 70, "salt"));
    }

    function test_RevertWhen_AuthorizationIsExpiredOrNotYetValid() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        bytes32 nonce = channels.authorizationNonce(channels.channelId(channel), A, "salt");
        uint256 time = block.timestamp;
        expectRefusal(channel, A, 70, authorize(nonce, address(channels), 70, time, time + 10, "salt"));
        expectRefusal(channel, A, 70, authorize(nonce, address(channels), 70, time - 10, time, "salt"));
        channels.depositWithAuthorization(
            channel, A, 70, authorize(nonce, address(channels), 70, time - 1, time + 1, "salt")
        );
    }

    function test_RevertWhen_TokenIsEther() public {
        expectRefusal(duplex(), A, 70, authorize(duplex(), A, 70, "salt"));
    }

    function test_RevertWhen_TokenKnowsNoAuthorizations() public {
        IPaymentChannels.Channel memory channel = inToken(duplex());
        expectRefusal(channel, A, 70, authorize(channel, A, 70, "salt"));
    }

    function test_RevertWhen_TokenHidesItsBalance() public {
        HostileToken hostile = new HostileToken();
        hostile.set(HostileToken.Mode.HideBalance);
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(hostile);
        expectRefusal(channel, A, 70, authorize(channel, A, 70, "salt"));
    }

    /// @dev As wrapped ether does, which answers any call and moves nothing.
    function test_RevertWhen_TokenSaysNothingAndMovesNothing() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(new SilentFallbackToken());
        IPaymentChannels.Authorization memory authorization = authorize(channel, A, 70, "salt");
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TokenTransferMismatch.selector, 0, 70));
        channels.depositWithAuthorization(channel, A, 70, authorization);
    }

    function test_RevertWhen_FundingSideBOfOneWay() public {
        IPaymentChannels.Channel memory channel = inGasless(oneWay());
        IPaymentChannels.Authorization memory authorization = authorize(channel, B, 70, "salt");
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        channels.depositWithAuthorization(channel, B, 70, authorization);
    }

    function test_RevertWhen_DepositingWhileClosing() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        channels.depositWithAuthorization(channel, A, 70, authorize(channel, A, 70, "one"));
        startCloseBare(channel);
        IPaymentChannels.Authorization memory authorization = authorize(channel, A, 5, "two");
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ChannelClosing.selector, closesAt(channel)));
        channels.depositWithAuthorization(channel, A, 5, authorization);
    }

    function expectRefusal(
        IPaymentChannels.Channel memory channel,
        IPaymentChannels.Side side,
        uint128 amount,
        IPaymentChannels.Authorization memory authorization
    ) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IPaymentChannels.TransferFailed.selector, channel.token, payer, address(channels), amount
            )
        );
        channels.depositWithAuthorization(channel, side, amount, authorization);
    }
}
