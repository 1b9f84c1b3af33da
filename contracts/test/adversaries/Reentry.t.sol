// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {GaslessTest} from "../support/GaslessTest.sol";
import {HookToken, Reenterer} from "../support/Reentry.sol";

/// @dev An adversary who owns both sides of several channels, knows all their keys, and calls every entry point from
/// within every call that moves money, on the same channel and on others. Whatever it does, the contract owns what it
/// owes, and the victims have what they had.
contract ReentryTest is GaslessTest {
    uint256 internal constant KEY_V = uint256(keccak256("victim's signer"));
    uint256 internal constant OUTER = 8;
    uint256 internal constant INNER = 16;

    HookToken internal hooks;
    Reenterer internal thief;
    address internal victim = address(uint160(uint256(keccak256("victim"))));
    address internal asset;

    function setUp() public override {
        super.setUp();
        hooks = new HookToken();
        gasless = hooks;
        thief = new Reenterer(address(channels));
        hooks.tell(address(thief), thief);
        hooks.tell(payer, thief);
        hooks.mint(address(thief), 1000);
        hooks.mint(payer, 1000);
        vm.deal(address(thief), 1000);
        thief.approve(hooks);
    }

    function test_Adversary09_ReenteringEveryCallFromATokensHooks() public {
        asset = address(hooks);
        // Inside a token deposit, nothing can go through that moves this token.
        vm.assertGe(reenterEverywhere(), 40, "calls that went through inside");
    }

    function test_Adversary09_ReenteringEveryCallFromAReceiverOfEther() public {
        asset = address(0);
        vm.assertGe(reenterEverywhere(), 20, "calls that went through inside");
    }

    function reenterEverywhere() private returns (uint256 succeeded) {
        prepare();
        for (uint256 outer = 0; outer < OUTER; ++outer) {
            // Ether is paid before a deposit begins: there is nothing to call back from.
            if (asset == address(0) && outer < 4) continue;
            for (uint256 inner = 0; inner < INNER; ++inner) {
                uint256 snapshot = vm.snapshotState();
                thief.arm(innerCall(inner), isDeposit(inner) && asset == address(0) ? 5 : 0);
                bool success = thief.act(outerCall(outer), 0);
                assertNobodyLost();
                // What pays out goes through, whatever happens inside.
                vm.assertTrue(success || outer < 4, "outer");
                succeeded += thief.succeeded();
                vm.revertToState(snapshot);
            }
        }
    }

    // Channels of the thief, in every state, and two of a victim

    function opened() private view returns (IPaymentChannels.Channel memory) {
        return thiefs("open", false);
    }

    function over() private view returns (IPaymentChannels.Channel memory) {
        return thiefs("over", false);
    }

    function disputed() private view returns (IPaymentChannels.Channel memory channel) {
        channel = thiefs("disputed", false);
        channel.disputeWindow = 30 days;
    }

    function claimed() private view returns (IPaymentChannels.Channel memory) {
        return thiefs("claimed", true);
    }

    function thiefs(bytes32 salt, bool isOneWay) private view returns (IPaymentChannels.Channel memory channel) {
        channel = isOneWay ? oneWay() : duplex();
        (channel.ownerA, channel.ownerB) = (address(thief), address(thief));
        (channel.token, channel.salt) = (asset, salt);
    }

    function victims(bytes32 salt) private view returns (IPaymentChannels.Channel memory channel) {
        channel = thiefs(salt, false);
        (channel.ownerA, channel.ownerB, channel.signerA) = (victim, victim, vm.addr(KEY_V));
    }

    function prepare() private {
        thief.refuse(false);
        put(opened(), 30, 20);
        put(over(), 30, 20);
        put(disputed(), 30, 20);
        put(claimed(), 30, 0);
        put(victims("open"), 100, 100);
        put(victims("over"), 100, 100);
        put(thiefs("credit", true), 30, 0);
        thief.refuse(true);
        claim(thiefs("credit", true), 7);
        thief.refuse(false);
        vm.assertEq(channels.creditOf(address(thief), asset), 7);
        vm.prank(address(thief));
        channels.startClose(over(), update(0, 0), "");
        vm.prank(victim);
        channels.startClose(victims("over"), update(0, 0), "");
        vm.warp(block.timestamp + WINDOW);
        vm.prank(address(thief));
        channels.startClose(disputed(), update(0, 0), "");
    }

    function put(IPaymentChannels.Channel memory channel, uint128 potA, uint128 potB) private {
        if (asset == address(0)) {
            funded(channel, potA, potB);
            return;
        }
        hooks.mint(address(this), potA + potB);
        hooks.approve(address(channels), potA + potB);
        channels.deposit(channel, A, potA);
        if (potB != 0) channels.deposit(channel, B, potB);
    }

    function outerCall(uint256 outer) private view returns (bytes memory) {
        if (outer < 4) return depositCall(outer, opened(), "outer");
        if (outer == 4) return closeCall(opened());
        if (outer == 5) return abi.encodeCall(channels.settle, (over()));
        if (outer == 6) return claimCall();
        return abi.encodeCall(channels.withdrawCredit, (asset));
    }

    function isDeposit(uint256 inner) private pure returns (bool) {
        return inner < 2 || inner == 4;
    }

    function innerCall(uint256 inner) private view returns (bytes memory) {
        if (inner < 4) return depositCall(inner, opened(), "inner");
        if (inner == 4) return depositCall(0, thiefs("another", false), "inner");
        if (inner == 5) return closeCall(opened());
        if (inner == 6) return closeCall(over());
        if (inner == 7) return abi.encodeCall(channels.startClose, (opened(), update(0, 0), ""));
        if (inner == 8) {
            return abi.encodeCall(channels.dispute, (disputed(), update(9, 0), signUpdate(KEY_A, disputed(), 9, 0), ""));
        }
        if (inner == 9) return abi.encodeCall(channels.settle, (over()));
        if (inner == 10) return abi.encodeCall(channels.settle, (victims("over")));
        if (inner == 11) return claimCall();
        if (inner == 12) return abi.encodeCall(channels.withdrawCredit, (asset));
        if (inner == 13) return closeCall(victims("open"));
        bytes[] memory calls = new bytes[](2);
        calls[0] = inner == 14 ? closeCall(opened()) : abi.encodeCall(channels.settle, (over()));
        calls[1] = inner == 14 ? depositCall(0, opened(), "inner") : abi.encodeCall(channels.withdrawCredit, (asset));
        return abi.encodeCall(channels.multicall, (calls));
    }

    /// @dev By each of the four functions; the permit is worth nothing, but the token is asked.
    function depositCall(uint256 how, IPaymentChannels.Channel memory channel, bytes32 salt)
        private
        view
        returns (bytes memory)
    {
        if (how == 0) return abi.encodeCall(channels.deposit, (channel, A, 5));
        if (how == 1) {
            IPaymentChannels.Deposit[] memory many = new IPaymentChannels.Deposit[](1);
            many[0] = IPaymentChannels.Deposit({channel: channel, side: A, amount: 5});
            return abi.encodeCall(channels.depositMany, (asset, many));
        }
        if (how == 2) {
            IPaymentChannels.Permit memory permit;
            return abi.encodeCall(channels.depositWithPermit, (channel, A, 5, permit));
        }
        return abi.encodeCall(channels.depositWithAuthorization, (channel, A, 5, authorize(channel, A, 5, salt)));
    }

    /// @dev The thief agrees for both sides by calling.
    function closeCall(IPaymentChannels.Channel memory channel) private view returns (bytes memory) {
        return abi.encodeCall(channels.close, (channel, 1, 0, DEADLINE, "", ""));
    }

    function claimCall() private view returns (bytes memory) {
        return abi.encodeCall(channels.claim, (payeeOf(claimed()), rows(rowOf(claimed(), 11))));
    }

    function assertNobodyLost() private view {
        uint256 ofVictim = holds(victim, asset) + pots(victims("open")) + pots(victims("over"));
        vm.assertEq(ofVictim, 400, "the victim's");
        uint256 ofThief = holds(address(thief), asset) + channels.creditOf(address(thief), asset) + pots(opened())
            + pots(over()) + pots(disputed()) + pots(claimed()) + pots(thiefs("another", false))
            + pots(thiefs("credit", true));
        if (asset != address(0)) ofThief += hooks.balanceOf(payer);
        // All but the victim's is the thief's: 1000 and, in tokens, the payer's, and what the test put into channels.
        vm.assertEq(ofThief, (asset == address(0) ? 1000 : 2000) + 210, "the thief's");
        uint256 owed = ofVictim - holds(victim, asset) + ofThief - holds(address(thief), asset);
        if (asset != address(0)) owed -= hooks.balanceOf(payer);
        vm.assertEq(holds(address(channels), asset), owed, "owed");
    }

    function pots(IPaymentChannels.Channel memory channel) private view returns (uint256) {
        (uint128 potA,, uint128 potB,,) = channels.sides(channels.channelId(channel));
        return uint256(potA) + potB;
    }
}
