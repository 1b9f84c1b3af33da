// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Pots, Word} from "./Pots.sol";
import {Signatures} from "./Signatures.sol";
import {Transfers} from "./Transfers.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title Payment channels for ether and ERC-20
/// @dev The manual is the interface. Everything here follows one order: checks, state, event, transfer.
contract PaymentChannels is IPaymentChannels, EIP712 {
    using Pots for Word;
    using SafeERC20 for IERC20;

    /// @dev What is recorded of a channel.
    ///
    ///     slot of a   | closesAt:32 | sentA:112 | potA:112 |   closesAt is 0 while the channel is open
    ///     slot of b   |        0:32 | sentB:112 | potB:112 |   zero in a one-way channel: never read there
    struct Record {
        Word a;
        Word b;
    }

    uint32 public constant MIN_DISPUTE_WINDOW = 10 seconds;
    uint32 public constant MAX_DISPUTE_WINDOW = 30 days;

    /// @dev Gas that the receiver of a payout gets: enough for a contract wallet behind a proxy, or for a token with
    /// bookkeeping of its own. What fails with it is credited instead.
    uint256 private constant ETHER_PUSH_GAS = 50_000;
    uint256 private constant TOKEN_PUSH_GAS = 200_000;

    /// @dev What a call costs beside the receiver's gas: value 9,000, new account 25,000, cold address 2,600, cold
    /// delegate of the address 2,600, and room for the instructions around it.
    uint256 private constant PUSH_OVERHEAD_GAS = 45_000;

    bytes32 private constant CHANNEL_TYPEHASH = keccak256(
        "Channel(address ownerA,address signerA,address ownerB,address signerB,address token,uint32 disputeWindow,bool oneWay,bytes32 salt)"
    );
    bytes32 private constant BALANCE_UPDATE_TYPEHASH =
        keccak256("BalanceUpdate(bytes32 channelId,uint128 sent,uint128 received)");
    bytes32 private constant CLOSE_TYPEHASH =
        keccak256("Close(bytes32 channelId,uint128 sentA,uint128 sentB,uint64 deadline)");

    // Slots 0 and 1 belong to EIP712, which uses them only for names longer than 31 bytes.
    mapping(bytes32 channelId => Record) private _records; // slot 2
    mapping(address owner => mapping(address token => uint256 amount)) private _credits; // slot 3

    /// @dev How many token deposits have begun in this transaction: one that begins while another is measured would
    /// be counted by both.
    uint256 private transient _pulls;

    constructor() EIP712("ChannelNode", "1") {}

    // Funding

    /// @inheritdoc IPaymentChannels
    function deposit(Channel calldata channel, Side side, uint128 amount) external payable {
        _requireValidTerms(channel);
        if (channel.oneWay && side == Side.B) revert OneWayChannel();
        if (amount == 0) revert ZeroAmount();
        uint256 value = channel.token == Transfers.ETHER ? amount : 0;
        if (msg.value != value) revert WrongValue(msg.value, value);
        bytes32 id = channelId(channel);
        (Word memory a, Word memory b) = _load(id, channel.oneWay);
        if (a.closesAt != 0) revert ChannelClosing(a.closesAt);
        Pots.requireFits(uint256(a.pot) + b.pot + amount);

        uint112 pot = Pots.narrow((side == Side.A ? a.pot : b.pot) + amount);
        if (side == Side.A) _records[id].a.pot = pot;
        else _records[id].b.pot = pot;

        emit Deposited(id, side, amount, pot);

        if (channel.token != Transfers.ETHER) _pull(channel.token, amount);
    }

    // Paying out

    /// @inheritdoc IPaymentChannels
    function close(
        Channel calldata channel,
        uint128 sentA,
        uint128 sentB,
        uint64 deadline,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external {
        if (block.timestamp > deadline) revert CloseExpired(deadline, block.timestamp);
        Pots.requireFits(sentA);
        Pots.requireFits(sentB);
        bytes32 id = channelId(channel);
        (Word memory a, Word memory b) = _load(id, channel.oneWay);
        if (a.isBlank() && b.isBlank()) revert UnknownChannel(id);
        if (channel.oneWay && sentB != 0) revert OneWayChannel();
        if (sentA <= a.sent) revert CloseNotAdvancing(Side.A, sentA, a.sent);
        if (sentB < b.sent) revert CloseNotAdvancing(Side.B, sentB, b.sent);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(CLOSE_TYPEHASH, id, sentA, sentB, deadline)));
        _requireSigner(digest, signatureA, channel.signerA);
        _requireSigner(digest, signatureB, channel.signerB);
        a.advanceExactly(b, sentA, sentB);

        _storeEmptied(id, channel.oneWay, a, b);

        emit Closed(id, sentA, sentB, a.pot, b.pot);

        _push(channel.token, channel.ownerA, a.pot);
        _push(channel.token, channel.ownerB, b.pot);
    }

    /// @inheritdoc IPaymentChannels
    function startClose(Channel calldata channel, Update calldata update, bytes calldata signature) external {
        bytes32 id = channelId(channel);
        (Word memory a, Word memory b) = _load(id, channel.oneWay);
        if (a.isBlank() && b.isBlank()) revert UnknownChannel(id);
        if (a.closesAt != 0) revert ChannelClosing(a.closesAt);
        if (a.pot == 0 && b.pot == 0) revert NothingToClose();
        a.closesAt = _closingTime(channel.disputeWindow);
        Side by;
        if (signature.length == 0) by = _requireParty(channel);
        else (by,) = _present(channel, id, a, b, update, signature);

        _store(id, channel.oneWay, a, b);

        emit CloseStarted(id, by, a.closesAt, a.pot, a.sent, b.pot, b.sent);
    }

    /// @inheritdoc IPaymentChannels
    function dispute(Channel calldata channel, Update calldata update, bytes calldata signature) external {
        if (channel.oneWay) revert OneWayChannel();
        bytes32 id = channelId(channel);
        (Word memory a, Word memory b) = _load(id, false);
        if (a.closesAt == 0) revert NotClosing();
        if (block.timestamp >= a.closesAt) revert WindowClosed(a.closesAt, block.timestamp);
        (Side by, bool isNew) = _present(channel, id, a, b, update, signature);
        if (!isNew) revert NothingNew();

        _store(id, false, a, b);

        emit Disputed(id, by, a.pot, a.sent, b.pot, b.sent);
    }

    /// @inheritdoc IPaymentChannels
    function settle(Channel calldata channel) external {
        bytes32 id = channelId(channel);
        (Word memory a, Word memory b) = _load(id, channel.oneWay);
        if (a.closesAt == 0) revert NotClosing();
        if (block.timestamp < a.closesAt) revert WindowOpen(a.closesAt, block.timestamp);

        _storeEmptied(id, channel.oneWay, a, b);

        emit Settled(id, a.sent, b.sent, a.pot, b.pot);

        _push(channel.token, channel.ownerA, a.pot);
        _push(channel.token, channel.ownerB, b.pot);
    }

    /// @inheritdoc IPaymentChannels
    function claim(Payee calldata payee, ClaimRow[] calldata rows) external {
        uint256 total = 0;
        for (uint256 i = 0; i < rows.length; ++i) {
            total += _claimRow(payee, rows[i]);
        }

        _push(payee.token, payee.owner, total);
    }

    /// @inheritdoc IPaymentChannels
    function withdrawCredit(address token) external {
        uint256 amount = _credits[msg.sender][token];
        if (amount == 0) revert NoCredit(msg.sender, token);

        _credits[msg.sender][token] = 0;

        emit CreditWithdrawn(msg.sender, token, amount);

        if (!Transfers.send(token, msg.sender, amount, gasleft())) {
            revert TransferFailed(token, address(this), msg.sender, amount);
        }
    }

    // Views

    /// @inheritdoc IPaymentChannels
    function sides(bytes32 id)
        external
        view
        returns (uint128 potA, uint128 sentA, uint128 potB, uint128 sentB, uint32 closesAt)
    {
        Record storage record = _records[id];
        return (record.a.pot, record.a.sent, record.b.pot, record.b.sent, record.a.closesAt);
    }

    /// @inheritdoc IPaymentChannels
    function creditOf(address owner, address token) external view returns (uint256) {
        return _credits[owner][token];
    }

    /// @inheritdoc IPaymentChannels
    function channelId(Channel calldata channel) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(CHANNEL_TYPEHASH, channel)));
    }

    // Updates

    /// @dev Records one row of a claim and returns what it brings. Never reverts.
    function _claimRow(Payee calldata payee, ClaimRow calldata row) private returns (uint256 paid) {
        bytes32 id = _oneWayChannelId(payee, row);
        Word memory a = _records[id].a;
        bytes4 reason = _reasonToSkip(id, a, row);
        if (reason != 0) {
            emit ClaimSkipped(id, reason);
            return 0;
        }
        paid = Math.min(row.sent - a.sent, a.pot);

        a.pot = Pots.narrow(a.pot - paid);
        a.sent = Pots.narrow(a.sent + paid);
        _records[id].a = a;

        // forge-lint: disable-next-line(unsafe-typecast)
        emit Claimed(id, uint128(paid), a.sent, a.pot);
    }

    /// @dev The selector of the error that a row meets, or zero if it brings something.
    function _reasonToSkip(bytes32 id, Word memory a, ClaimRow calldata row) private view returns (bytes4) {
        if (row.sent > Pots.AMOUNT_MAX) return AmountTooLarge.selector;
        if (a.isBlank()) return UnknownChannel.selector;
        if (row.sent <= a.sent) return NothingNew.selector;
        if (a.pot == 0) return InsufficientBalance.selector;
        address signer = Signatures.tryRecover(_updateDigest(id, row.sent, 0), row.signature);
        if (signer == address(0)) return InvalidSignature.selector;
        if (signer != row.payerSigner) return WrongSigner.selector;
        return 0;
    }

    /// @dev Applies an update to `a` and `b`, which the caller must store.
    /// @return by The side that the update pays, which must be the caller's.
    /// @return isNew Whether one of its totals is above the recorded one.
    function _present(
        Channel calldata channel,
        bytes32 id,
        Word memory a,
        Word memory b,
        Update calldata update,
        bytes calldata signature
    ) private view returns (Side by, bool isNew) {
        if (channel.oneWay) revert OneWayChannel();
        Pots.requireFits(update.sent);
        Pots.requireFits(update.received);
        address signer = _recover(_updateDigest(id, update.sent, update.received), signature);
        if (signer == channel.signerA) {
            if (!_isCaller(channel.ownerB, channel.signerB)) revert NotParty(msg.sender);
            return (Side.B, a.advance(b, update));
        }
        if (signer == channel.signerB) {
            if (!_isCaller(channel.ownerA, channel.signerA)) revert NotParty(msg.sender);
            return (Side.A, b.advance(a, update));
        }
        revert WrongSigner(signer);
    }

    // Storage

    /// @dev Side B's word stays unread in a one-way channel, where it is zero.
    function _load(bytes32 id, bool oneWay) private view returns (Word memory a, Word memory b) {
        a = _records[id].a;
        if (!oneWay) b = _records[id].b;
    }

    function _store(bytes32 id, bool oneWay, Word memory a, Word memory b) private {
        _records[id].a = a;
        if (!oneWay) _records[id].b = b;
    }

    /// @dev Opens the channel again with empty pots; the counters stay.
    function _storeEmptied(bytes32 id, bool oneWay, Word memory a, Word memory b) private {
        _records[id].a = Word({pot: 0, sent: a.sent, closesAt: 0});
        if (!oneWay) _records[id].b = Word({pot: 0, sent: b.sent, closesAt: 0});
    }

    // Transfers

    /// @dev Takes `amount` from the caller, or reverts.
    function _pull(address token, uint256 amount) private {
        uint256 pull = ++_pulls;
        uint256 expected = Transfers.balance(token, amount) + amount;
        if (!IERC20(token).trySafeTransferFrom(msg.sender, address(this), amount)) {
            revert TransferFailed(token, msg.sender, address(this), amount);
        }
        uint256 balance = Transfers.balance(token, amount);
        if (balance != expected || pull != _pulls) revert TokenTransferMismatch(balance, expected);
    }

    /// @dev Pays `amount`, or credits it if the receiver or the token refuses: one side never blocks the other.
    function _push(address token, address owner, uint256 amount) private {
        if (amount == 0) return;
        uint256 share = token == Transfers.ETHER ? ETHER_PUSH_GAS : TOKEN_PUSH_GAS;
        // A call passes on at most 63/64 of the gas left: with less the caller could make the push fail.
        uint256 needed = share + share / 63 + PUSH_OVERHEAD_GAS;
        if (gasleft() < needed) revert GasTooLow(gasleft(), needed);
        if (Transfers.send(token, owner, amount, share)) return;

        _credits[owner][token] += amount;

        emit Credited(owner, token, amount);
    }

    // Digests and signatures

    /// @dev The same hash as `channelId`'s, from the terms of a one-way channel as a claim gives them.
    function _oneWayChannelId(Payee calldata payee, ClaimRow calldata row) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    CHANNEL_TYPEHASH,
                    row.payerOwner,
                    row.payerSigner,
                    payee.owner,
                    payee.signer,
                    payee.token,
                    payee.disputeWindow,
                    true,
                    row.salt
                )
            )
        );
    }

    function _updateDigest(bytes32 id, uint128 sent, uint128 received) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(BALANCE_UPDATE_TYPEHASH, id, sent, received)));
    }

    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        signer = Signatures.tryRecover(digest, signature);
        if (signer == address(0)) revert InvalidSignature(digest);
    }

    // Checks

    function _requireSigner(bytes32 digest, bytes calldata signature, address expected) private pure {
        address signer = _recover(digest, signature);
        if (signer != expected) revert WrongSigner(signer);
    }

    function _requireValidTerms(Channel calldata channel) private view {
        _requireValidOwner(channel.ownerA, Side.A);
        _requireValidOwner(channel.ownerB, Side.B);
        if (channel.signerA == address(0)) revert ZeroSigner(Side.A);
        if (channel.signerB == address(0)) revert ZeroSigner(Side.B);
        if (channel.signerA == channel.signerB) revert SameSigner(channel.signerA);
        if (channel.disputeWindow < MIN_DISPUTE_WINDOW || channel.disputeWindow > MAX_DISPUTE_WINDOW) {
            revert DisputeWindowOutOfRange(channel.disputeWindow, MIN_DISPUTE_WINDOW, MAX_DISPUTE_WINDOW);
        }
    }

    function _requireValidOwner(address owner, Side side) private view {
        if (owner == address(0)) revert ZeroOwner(side);
        if (owner == address(this)) revert OwnerIsContract(side);
    }

    /// @dev The side that the caller belongs to; side A if to both.
    function _requireParty(Channel calldata channel) private view returns (Side) {
        if (_isCaller(channel.ownerA, channel.signerA)) return Side.A;
        if (_isCaller(channel.ownerB, channel.signerB)) return Side.B;
        revert NotParty(msg.sender);
    }

    function _isCaller(address owner, address signer) private view returns (bool) {
        return msg.sender == owner || msg.sender == signer;
    }

    function _closingTime(uint32 window) private view returns (uint32) {
        uint256 closesAt = block.timestamp + window;
        if (closesAt > type(uint32).max) revert AmountTooLarge(closesAt, type(uint32).max);
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint32(closesAt);
    }
}
