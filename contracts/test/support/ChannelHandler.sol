// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {ChannelLedger} from "./ChannelLedger.sol";
import {HostileReceiver} from "./Hostile.sol";
import {HookToken} from "./Reentry.sol";
import {TestToken} from "./TestToken.sol";

/// @title Plays the parties of several channels, honest or not, and outsiders
/// @dev Every action is one that must succeed: what cannot is left out beforehand, and a revert fails the run.
contract ChannelHandler is ChannelLedger {
    /// @dev The highest total to which a side has put its name: by an update, a close, or by presenting `received`.
    mapping(uint256 which => uint128[2]) public agreed;
    mapping(uint256 which => uint128[2]) private _highest;
    /// @dev The newest update of each side of an honest channel, and one from before.
    mapping(uint256 which => IPaymentChannels.Update[2]) private _newest;
    mapping(uint256 which => IPaymentChannels.Update[2]) private _old;
    uint256 private _salt;

    constructor(IPaymentChannels channels_, TestToken token_, HookToken hooks)
        ChannelLedger(channels_, token_, hooks)
    {}

    function setUp() public override {}

    // Funding

    function deposit(uint256 which, bool toB, uint128 amount, uint256 how) external watched {
        which %= CHANNELS;
        IPaymentChannels.Channel memory channel = channelAt(which);
        IPaymentChannels.Side side = toB && !channel.oneWay ? B : A;
        amount = depositable(channel, side, amount);
        if (amount == 0) return;
        depositedByTests[channel.token] += amount;
        if (channel.token == address(gasless) && how % 4 < 2) {
            gasless.mint(payer, amount);
            depositBySignature(channel, side, amount, how % 4 == 0);
        } else if (how % 4 == 2) {
            depositInABatch(channel, side, amount);
        } else {
            fund(channel, side, amount);
        }
    }

    function depositBySignature(
        IPaymentChannels.Channel memory channel,
        IPaymentChannels.Side side,
        uint128 amount,
        bool byPermit
    ) private {
        if (byPermit) {
            IPaymentChannels.Permit memory permit = signPermit(amount, FOREVER);
            vm.prank(payer);
            channels.depositWithPermit(channel, side, amount, permit);
        } else {
            bytes32 salt = bytes32(++_salt);
            channels.depositWithAuthorization(channel, side, amount, authorize(channel, side, amount, salt));
        }
    }

    /// @dev In two parts if it is more than one.
    function depositInABatch(IPaymentChannels.Channel memory channel, IPaymentChannels.Side side, uint128 amount)
        private
    {
        IPaymentChannels.Deposit[] memory all = new IPaymentChannels.Deposit[](amount == 1 ? 1 : 2);
        all[0] = IPaymentChannels.Deposit({channel: channel, side: side, amount: amount == 1 ? 1 : amount - 1});
        if (amount > 1) all[1] = IPaymentChannels.Deposit({channel: channel, side: side, amount: 1});
        bool inEther = channel.token == address(0);
        if (inEther) {
            vm.deal(address(this), amount);
        } else {
            TestToken(channel.token).mint(address(this), amount);
            TestToken(channel.token).approve(address(channels), amount);
        }
        channels.depositMany{value: inEther ? amount : 0}(channel.token, all);
    }

    // Off the chain

    /// @dev A payment between honest parties: sent if the sender's balance covers it, and accepted at once.
    function pay(uint256 which, bool byB, uint128 amount) external {
        which = which % 3 * 3 + 2;
        (uint256 x, uint256 y) = byB ? (1, 0) : (0, 1);
        (uint128[2] memory pots, uint128[2] memory sent, uint32 end) = state(which);
        if (end != 0) return;
        IPaymentChannels.Update storage own = _newest[which][x];
        IPaymentChannels.Update storage others = _newest[which][y];
        uint128 balance = pots[x] + (others.sent - sent[y]) - (own.sent - sent[x]);
        amount = boundAmount(amount, 0, least(balance, MAX - 1 - own.sent));
        if (amount % 3 == 0) _old[which][x] = own;
        (own.sent, own.received) = (own.sent + amount, others.sent);
        agree(which, x, own.sent);
    }

    // Paying out

    function startClose(uint256 which, bool byB, uint256 how, uint128 sent, uint128 received) external watched {
        which %= CHANNELS;
        IPaymentChannels.Channel memory channel = channelAt(which);
        (uint128[2] memory pots,, uint32 end) = state(which);
        if (end != 0 || (pots[0] == 0 && pots[1] == 0)) return;
        bytes memory signature = "";
        IPaymentChannels.Update memory given = update(0, 0);
        if (how % 3 != 0 && !channel.oneWay) {
            given = chosen(which, byB ? 0 : 1, how % 3 == 1, sent, received);
            signature = signUpdate(byB ? KEY_A : KEY_B, channel, given.sent, given.received);
            agree(which, byB ? 1 : 0, given.received);
        }
        vm.prank(byB ? signerB : signerA);
        channels.startClose(channel, given, signature);
    }

    function dispute(uint256 which, bool byB, uint256 how, uint128 sent, uint128 received) external watched {
        which %= CHANNELS;
        if (channelAt(which).oneWay) return;
        (,, uint32 end) = state(which);
        if (end == 0 || block.timestamp >= end) return;
        present(which, byB, chosen(which, byB ? 0 : 1, how % 2 == 0, sent, received), how % 3 == 0);
    }

    function settle(uint256 which) external watched {
        which %= CHANNELS;
        (,, uint32 end) = state(which);
        if (end == 0) return;
        defendAll(end);
        if (block.timestamp < end) vm.warp(end);
        if (isHonest(which)) assertAllIsProven(which);
        channels.settle(channelAt(which));
    }

    function close(uint256 which, uint128 more, uint128 back, uint256 how) external watched {
        which %= CHANNELS;
        IPaymentChannels.Channel memory channel = channelAt(which);
        (uint128[2] memory pots, uint128[2] memory sent,) = state(which);
        if (pots[0] + pots[1] + sent[0] + sent[1] == 0) return;
        if (isHonest(which)) {
            sent = [_newest[which][0].sent + 1, _newest[which][1].sent + 1];
        } else {
            back = channel.oneWay ? 0 : boundAmount(back, 0, least(pots[1], MAX - sent[1]));
            uint128 most = least(pots[0] + back, MAX - sent[0]);
            if (most == 0) return;
            sent = [sent[0] + boundAmount(more, 1, most), sent[1] + back];
        }
        for (uint256 x = 0; x < 2; ++x) {
            agree(which, x, sent[x]);
            if (isHonest(which)) _newest[which][x] = update(sent[x], sent[1 - x]);
        }
        bytes memory byA = signClose(KEY_A, channel, sent[0], sent[1], DEADLINE);
        bytes memory byB = signClose(KEY_B, channel, sent[0], sent[1], DEADLINE);
        if (how % 3 == 1) (byA, byB) = ("", byB);
        if (how % 3 == 2) (byA, byB) = (byA, "");
        if (how % 3 != 0) vm.prank(how % 3 == 1 ? channel.ownerA : signerB);
        channels.close(channel, sent[0], sent[1], DEADLINE, byA, byB);
    }

    function claim(uint256 which, uint128 first, uint128 second, bool bad) external watched {
        which = which % 3 * 3 + 1;
        IPaymentChannels.Channel memory channel = channelAt(which);
        IPaymentChannels.ClaimRow[] memory all = new IPaymentChannels.ClaimRow[](3);
        all[0] = rowOf(channel, first);
        all[1] = rowOf(channel, bad ? second : 0);
        all[2] = rowOf(channel, boundAmount(second, 0, MAX));
        if (bad) all[1].sent = first;
        if (first <= MAX) agree(which, 0, first);
        agree(which, 0, all[2].sent);
        channels.claim(payeeOf(channel), all);
    }

    function withdrawCredit(bool ofReenterer) external watched {
        if (ofReenterer) {
            address asset = address(gasless);
            if (channels.creditOf(address(REENTERER), asset) == 0) return;
            REENTERER.refuse(false);
            vm.prank(address(REENTERER));
            channels.withdrawCredit(asset);
        } else {
            if (channels.creditOf(address(REFUSER), address(0)) == 0) return;
            REFUSER.set(HostileReceiver.Mode.Accept);
            vm.prank(address(REFUSER));
            channels.withdrawCredit(address(0));
            REFUSER.set(HostileReceiver.Mode.Refuse);
        }
    }

    /// @dev What the reenterer does when it is paid next: refuse, or call, with its own money and the keys it has.
    function armReenterer(uint256 which, uint256 how, uint128 amount) external {
        which %= CHANNELS;
        IPaymentChannels.Channel memory channel = channelAt(which);
        REENTERER.refuse(how % 6 == 0);
        bytes memory call = abi.encodeCall(channels.settle, (channel));
        if (how % 6 == 1) call = abi.encodeCall(channels.withdrawCredit, (address(gasless)));
        if (how % 6 == 2) call = abi.encodeCall(channels.startClose, (channelAt(6), update(0, 0), ""));
        if (how % 6 == 3) call = abi.encodeCall(channels.deposit, (channelAt(6), A, amount));
        if (how % 6 == 4) {
            call = abi.encodeCall(channels.depositWithPermit, (channelAt(7), A, amount, signPermit(0, 0)));
        }
        REENTERER.arm(call, 0);
    }

    function passTime(uint32 seconds_) external watched {
        uint256 to = block.timestamp + seconds_ % (2 * WINDOW);
        defendAll(to);
        vm.warp(to);
    }

    /// @dev Somebody who is no party tries everything: nobody is owed more or less for it.
    function intrude(uint256 which, uint256 how, uint128 sent, uint128 received, bytes32 noise) external {
        which %= CHANNELS;
        IPaymentChannels.Channel memory channel = channelAt(which);
        (sent, received) = (boundAmount(sent, 0, MAX), boundAmount(received, 0, MAX));
        bytes memory byA = signUpdate(KEY_A, channel, sent, received);
        bytes memory forged = signClose(KEY_STRANGER, channel, sent, received, DEADLINE);
        bytes memory call = abi.encodeCall(channels.startClose, (channel, update(sent, received), byA));
        how %= 7;
        if (how == 0) call = abi.encodeCall(channels.startClose, (channel, update(0, 0), ""));
        if (how == 1) call = abi.encodeCall(channels.dispute, (channel, update(sent, received), byA, ""));
        if (how == 2) call = abi.encodeCall(channels.dispute, (channel, update(sent, received), byA, byA));
        if (how == 3) call = abi.encodeCall(channels.close, (channel, sent, received, DEADLINE, forged, ""));
        if (how == 4) {
            IPaymentChannels.ClaimRow memory row = rowOf(channel, sent);
            (row.r, row.vs) = halves(signUpdate(KEY_STRANGER, channel, sent, 0));
            if (received % 2 == 0) row.r = noise;
            call = abi.encodeCall(channels.claim, (payeeOf(channel), rows(row)));
        }
        if (how == 5) {
            bytes[] memory calls = new bytes[](2);
            calls[0] = abi.encodeCall(channels.withdrawCredit, (channel.token));
            calls[1] = call;
            call = abi.encodeCall(channels.multicall, (calls));
        }
        bytes32 before = entitlements();
        vm.prank(stranger);
        (bool success,) = address(channels).call(call);
        vm.assertTrue(!success || how == 4, "an outsider's call went through");
        vm.assertEq(before, entitlements(), "an outsider changed what is owed");
    }

    // Honest parties

    /// @dev Before time passes the end of an honest channel's window, both sides present the newest that they have.
    function defendAll(uint256 to) private {
        for (uint256 i = 2; i < CHANNELS; i += 3) {
            (,, uint32 end) = state(i);
            if (end == 0 || block.timestamp >= end || to < end) continue;
            present(i, true, _newest[i][0], false);
            present(i, false, _newest[i][1], true);
        }
    }

    /// @dev All that honest parties have sent is recorded in full: each gets its exact balance.
    function assertAllIsProven(uint256 which) private view {
        (, uint128[2] memory sent,) = state(which);
        vm.assertEq(sent[0], _newest[which][0].sent, "what A sent is not proven");
        vm.assertEq(sent[1], _newest[which][1].sent, "what B sent is not proven");
    }

    /// @dev Presents an update of the other side unless the contract has seen it all, or covers nothing of it.
    function present(uint256 which, bool byB, IPaymentChannels.Update memory given, bool byConsent) private {
        IPaymentChannels.Channel memory channel = channelAt(which);
        (uint256 x, uint256 y) = byB ? (0, 1) : (1, 0);
        (uint128[2] memory pots, uint128[2] memory sent,) = state(which);
        bool isNewX = given.sent > sent[x] && (pots[x] > 0 || given.received > sent[y]);
        bool isNewY = given.received > sent[y] && (pots[y] > 0 || given.sent > sent[x]);
        if (!isNewX && !isNewY) return;
        agree(which, y, given.received);
        bytes memory signature = signUpdate(byB ? KEY_A : KEY_B, channel, given.sent, given.received);
        bytes memory consent = "";
        if (byConsent) consent = signConsent(byB ? KEY_B : KEY_A, channel, given.sent, given.received);
        vm.prank(byConsent ? stranger : byB ? ownerB : signerA);
        channels.dispute(channel, given, signature, consent);
    }

    /// @dev In an honest channel the newest update of a side or one from before; in others, whatever it likes to sign.
    function chosen(uint256 which, uint256 x, bool newest, uint128 sent, uint128 received)
        private
        returns (IPaymentChannels.Update memory)
    {
        if (isHonest(which)) return newest ? _newest[which][x] : _old[which][x];
        (sent, received) = (boundAmount(sent, 0, MAX), boundAmount(received, 0, MAX));
        agree(which, x, sent);
        return update(sent, received);
    }

    function agree(uint256 which, uint256 x, uint128 total) private {
        if (total > agreed[which][x]) agreed[which][x] = total;
    }

    // Watching

    /// @dev Every action is followed by its events. After it no counter of any channel has fallen.
    modifier watched() {
        vm.recordLogs();
        _;
        follow(vm.getRecordedLogs());
        for (uint256 i = 0; i < CHANNELS; ++i) {
            (, uint128[2] memory sent,) = state(i);
            vm.assertGe(sent[0], _highest[i][0], "sentA fell");
            vm.assertGe(sent[1], _highest[i][1], "sentB fell");
            _highest[i] = sent;
        }
    }

    function state(uint256 which) public view returns (uint128[2] memory pots, uint128[2] memory sent, uint32 end) {
        (pots[0], sent[0], pots[1], sent[1], end) = channels.sides(idAt(which));
    }

    /// @dev All that anyone is owed, and what it is counted from.
    function entitlements() private view returns (bytes32 hash) {
        for (uint256 i = 0; i < CHANNELS; ++i) {
            (uint128[2] memory pots, uint128[2] memory sent, uint32 end) = state(i);
            IPaymentChannels.Channel memory channel = channelAt(i);
            uint256 credit = channels.creditOf(channel.ownerA, channel.token);
            credit += channels.creditOf(channel.ownerB, channel.token);
            hash = keccak256(abi.encode(hash, pots, sent, end, credit, holds(address(channels), channel.token)));
        }
    }

    function depositable(IPaymentChannels.Channel memory channel, IPaymentChannels.Side side, uint128 amount)
        private
        view
        returns (uint128)
    {
        (uint128 potA,, uint128 potB,, uint32 end) = channels.sides(channels.channelId(channel));
        uint128 pot = side == A ? potA : potB;
        if (end != 0 || pot >= DEPOSIT_MAX) return 0;
        return boundAmount(amount, 1, DEPOSIT_MAX - pot);
    }

    function least(uint128 left, uint128 right) private pure returns (uint128) {
        return left < right ? left : right;
    }
}
