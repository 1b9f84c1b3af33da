// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelHandler} from "./support/ChannelHandler.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

/// @dev What holds after any sequence of actions by any parties. That no counter ever falls is watched by the handler.
contract InvariantsTest is ChannelTest {
    struct FuzzSelector {
        address target;
        bytes4[] selectors;
    }

    ChannelHandler internal handler;

    function setUp() public override {
        super.setUp();
        handler = new ChannelHandler(channels, token);
    }

    function targetContracts() external view returns (address[] memory all) {
        all = new address[](1);
        all[0] = address(handler);
    }

    function excludeSelectors() external view returns (FuzzSelector[] memory all) {
        all = new FuzzSelector[](1);
        all[0] = FuzzSelector({target: address(handler), selectors: new bytes4[](1)});
        all[0].selectors[0] = handler.setUp.selector;
    }

    function invariant_BalanceEqualsPotsAndCredits() public view {
        assertBacked(address(0));
        assertBacked(address(token));
    }

    function invariant_PotsOfAChannelFitTheirSlots() public view {
        for (uint256 i = 0; i < handler.CHANNELS(); ++i) {
            (uint128 potA, uint128 sentA, uint128 potB, uint128 sentB,) =
                channels.sides(channels.channelId(handler.channelAt(i)));
            vm.assertLe(uint256(potA) + potB, MAX, "pots");
            vm.assertLe(sentA, MAX, "sentA");
            vm.assertLe(sentB, MAX, "sentB");
        }
    }

    function invariant_SideBOfOneWayStaysEmpty() public view {
        for (uint256 i = 1; i < handler.CHANNELS(); i += 2) {
            (,, uint128 potB, uint128 sentB,) = channels.sides(channels.channelId(handler.channelAt(i)));
            vm.assertEq(potB, 0, "potB");
            vm.assertEq(sentB, 0, "sentB");
        }
    }

    /// @dev Every channel can be emptied, whatever came before, and then nothing but credits is left.
    function afterInvariant() public {
        for (uint256 i = 0; i < handler.CHANNELS(); ++i) {
            IPaymentChannels.Channel memory channel = handler.channelAt(i);
            (uint128 potA,, uint128 potB,, uint32 end) = channels.sides(channels.channelId(channel));
            if (end == 0 && potA == 0 && potB == 0) continue;
            if (end == 0) startCloseBare(channel);
            settle(channel);
        }
        vm.assertEq(address(channels).balance, channels.creditOf(address(handler.REFUSER()), address(0)), "ether left");
        vm.assertEq(token.balanceOf(address(channels)), 0, "tokens left");
    }

    function assertBacked(address asset) private view {
        uint256 owed = channels.creditOf(address(handler.REFUSER()), asset);
        for (uint256 i = 0; i < handler.CHANNELS(); ++i) {
            IPaymentChannels.Channel memory channel = handler.channelAt(i);
            if (channel.token != asset) continue;
            (uint128 potA,, uint128 potB,,) = channels.sides(channels.channelId(channel));
            owed += uint256(potA) + potB;
        }
        vm.assertEq(holds(address(channels), asset), owed, "balance");
    }
}
