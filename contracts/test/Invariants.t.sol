// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelHandler} from "./support/ChannelHandler.sol";
import {ChannelLedger} from "./support/ChannelLedger.sol";
import {ChannelTest} from "./support/ChannelTest.sol";
import {HookToken} from "./support/Reentry.sol";
import {TestToken} from "./support/TestToken.sol";

/// @dev What holds after any sequence of actions by any parties: the list in README.md. The handler watches that no
/// counter falls, that no outsider changes anything, and that honest parties get exactly their balance.
contract InvariantsTest is ChannelTest {
    struct FuzzSelector {
        address target;
        bytes4[] selectors;
    }

    uint256 internal constant ENDOWMENT = 1_000_000;

    ChannelHandler internal handler;
    HookToken internal hooks;

    function setUp() public override {
        super.setUp();
        hooks = new HookToken();
        handler = new ChannelHandler(channels, token, hooks);
        hooks.mint(address(handler.REENTERER()), ENDOWMENT);
    }

    function targetContracts() external view returns (address[] memory all) {
        all = new address[](1);
        all[0] = address(handler);
    }

    /// @dev Forge gives its senders ether: none may be an owner.
    function targetSenders() external pure returns (address[] memory all) {
        all = new address[](1);
        all[0] = address(0xcafe);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory all) {
        all = new FuzzSelector[](1);
        all[0] = FuzzSelector({target: address(handler), selectors: new bytes4[](11)});
        all[0].selectors[0] = handler.deposit.selector;
        all[0].selectors[1] = handler.pay.selector;
        all[0].selectors[2] = handler.startClose.selector;
        all[0].selectors[3] = handler.dispute.selector;
        all[0].selectors[4] = handler.settle.selector;
        all[0].selectors[5] = handler.close.selector;
        all[0].selectors[6] = handler.claim.selector;
        all[0].selectors[7] = handler.withdrawCredit.selector;
        all[0].selectors[8] = handler.armReenterer.selector;
        all[0].selectors[9] = handler.passTime.selector;
        all[0].selectors[10] = handler.intrude.selector;
    }

    /// @dev One campaign for all: each would repeat the same actions.
    function invariant_MoneyCountersAndEvents() public view {
        for (uint256 i = 0; i < 3; ++i) {
            assertBacked(handler.assetAt(i));
            assertPaid(handler.assetAt(i));
        }
        for (uint256 i = 0; i < handler.CHANNELS(); ++i) {
            assertEventsTellAll(i);
            assertNobodyGetsMoreThanIsProvable(i);
            assertWithinItsWords(i);
        }
    }

    /// @dev The contract has what it owes: pots and credits, nothing more or less.
    function assertBacked(address asset) private view {
        uint256 owed = creditsIn(asset);
        for (uint256 i = 0; i < handler.CHANNELS(); ++i) {
            if (handler.channelAt(i).token != asset) continue;
            (uint128[2] memory pots,,) = handler.state(i);
            owed += uint256(pots[0]) + pots[1];
        }
        vm.assertEq(holds(address(channels), asset), owed, "balance");
    }

    /// @dev What was paid out, owners have, or their credits.
    function assertPaid(address asset) private view {
        uint256 paid = 0;
        uint256 deposited = 0;
        for (uint256 i = 0; i < handler.CHANNELS(); ++i) {
            if (handler.channelAt(i).token != asset) continue;
            ChannelLedger.View memory seen = handler.viewOf(i);
            paid += seen.paid[0] + seen.paid[1];
            deposited += seen.deposited[0] + seen.deposited[1];
        }
        address[4] memory owners = [ownerA, ownerB, address(handler.REFUSER()), address(handler.REENTERER())];
        uint256 held = creditsIn(asset);
        for (uint256 i = 0; i < owners.length; ++i) {
            held += holds(owners[i], asset);
        }
        // The reenterer deposits from what it was given.
        if (asset == address(hooks)) held = held + deposited - handler.depositedByTests(asset) - ENDOWMENT;
        vm.assertEq(held, paid, "paid");
    }

    /// @dev Who follows the events alone knows every channel's state.
    function assertEventsTellAll(uint256 i) private view {
        ChannelLedger.View memory seen = handler.viewOf(i);
        (uint128[2] memory pots, uint128[2] memory sent, uint32 end) = handler.state(i);
        vm.assertTrue(seen.a.pot() == pots[0] && seen.b.pot() == pots[1], "pots by the events");
        vm.assertTrue(seen.a.sent() == sent[0] && seen.b.sent() == sent[1], "counters by the events");
        vm.assertEq(seen.a.closesAt(), end, "closesAt by the events");
    }

    /// @dev A side has, or has got, what it put in, less what is recorded that it sent, plus what the other sent. And
    /// nothing is recorded as sent to which the sender did not put its name.
    function assertNobodyGetsMoreThanIsProvable(uint256 i) private view {
        ChannelLedger.View memory seen = handler.viewOf(i);
        (uint128[2] memory pots, uint128[2] memory sent,) = handler.state(i);
        for (uint256 x = 0; x < 2; ++x) {
            vm.assertEq(pots[x] + seen.paid[x] + sent[x], seen.deposited[x] + sent[1 - x], "more than is provable");
            vm.assertLe(sent[x], handler.agreed(i, x), "more than was agreed");
        }
    }

    function assertWithinItsWords(uint256 i) private view {
        (uint128[2] memory pots, uint128[2] memory sent, uint32 end) = handler.state(i);
        vm.assertLe(uint256(pots[0]) + pots[1], MAX, "pots");
        vm.assertLe(sent[0], MAX, "sentA");
        vm.assertLe(sent[1], MAX, "sentB");
        if (end == 0) vm.assertLe(pots[0] > pots[1] ? pots[0] : pots[1], DEPOSIT_MAX, "pot of an open channel");
        if (handler.channelAt(i).oneWay) vm.assertEq(uint256(pots[1]) + sent[1], 0, "side B of a one-way channel");
    }

    /// @dev Every channel can be emptied, whatever came before, and then nothing but credits is left.
    function afterInvariant() public {
        for (uint256 i = 0; i < handler.CHANNELS(); ++i) {
            IPaymentChannels.Channel memory channel = handler.channelAt(i);
            (uint128[2] memory pots,, uint32 end) = handler.state(i);
            if (end == 0 && pots[0] == 0 && pots[1] == 0) continue;
            handler.REENTERER().arm("", 0);
            if (end == 0) startCloseBare(channel);
            settle(channel);
        }
        for (uint256 i = 0; i < 3; ++i) {
            address asset = handler.assetAt(i);
            vm.assertEq(holds(address(channels), asset), creditsIn(asset), "left");
        }
    }

    function creditsIn(address asset) private view returns (uint256) {
        return channels.creditOf(address(handler.REFUSER()), asset)
            + channels.creditOf(address(handler.REENTERER()), asset) + channels.creditOf(ownerA, asset)
            + channels.creditOf(ownerB, asset);
    }
}
