// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Custody} from "./Custody.sol";
import {Digests} from "./Digests.sol";
import {Pots, Word} from "./Pots.sol";
import {Signatures} from "./Signatures.sol";
import {Terms} from "./Terms.sol";
import {Transfers} from "./Transfers.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title Payment channels for ether and ERC-20
/// @dev The manual is the interface. Everything here follows one order: checks, state, event, transfer.
contract PaymentChannels is EIP712, Custody, Multicall {
    /// @dev Side B's word is zero, and never read, in a one-way channel.
    struct Record {
        Word a;
        Word b;
    }

    uint32 public constant MIN_DISPUTE_WINDOW = Terms.MIN_DISPUTE_WINDOW;
    uint32 public constant MAX_DISPUTE_WINDOW = Terms.MAX_DISPUTE_WINDOW;

    // Slots 0 and 1 belong to EIP712, which uses them only for names longer than 31 bytes; slot 2 to Custody.
    mapping(bytes32 channelId => Record) private _records; // slot 3

    constructor() EIP712("ChannelNode", "1") {}

    // Funding

    /// @inheritdoc IPaymentChannels
    function deposit(Channel calldata channel, Side side, uint128 amount) external payable {
        _requireValue(channel.token, amount);
        _fund(channel, side, amount);

        if (channel.token != Transfers.ETHER) _pull(channel.token, amount);
    }

    /// @inheritdoc IPaymentChannels
    function depositMany(address token, Deposit[] calldata deposits) external payable {
        uint256 total = 0;
        for (uint256 i = 0; i < deposits.length; ++i) {
            Deposit calldata each = deposits[i];
            if (each.channel.token != token) revert WrongToken(each.channel.token, token);
            _fund(each.channel, each.side, each.amount);
            total += each.amount;
        }
        _requireValue(token, total);

        if (token != Transfers.ETHER && total != 0) _pull(token, total);
    }

    /// @inheritdoc IPaymentChannels
    function depositWithPermit(Channel calldata channel, Side side, uint128 amount, Permit calldata permit) external {
        // First, so that a token that calls back from its permit finds nothing recorded that is not paid yet.
        Transfers.permit(channel.token, msg.sender, amount, permit);
        _fund(channel, side, amount);

        _pull(channel.token, amount);
    }

    /// @inheritdoc IPaymentChannels
    function depositWithAuthorization(
        Channel calldata channel,
        Side side,
        uint128 amount,
        Authorization calldata authorization
    ) external {
        bytes32 id = _fund(channel, side, amount);

        _pullAuthorized(channel.token, amount, authorizationNonce(id, side, authorization.salt), authorization);
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
        bytes32 domain = _domainSeparatorV4();
        bytes32 id = Digests.ofChannel(domain, channel);
        bool oneWay = channel.oneWay;
        Record storage record = _records[id];
        (Word a, Word b) = _load(record, oneWay);
        if (a.isBlank() && b.isBlank()) revert UnknownChannel(id);
        if (oneWay && sentB != 0) revert OneWayChannel();
        if (sentA <= a.sent()) revert CloseNotAdvancing(Side.A, sentA, uint128(a.sent()));
        if (sentB < b.sent()) revert CloseNotAdvancing(Side.B, sentB, uint128(b.sent()));
        bytes32 digest = Digests.ofClose(domain, id, sentA, sentB, deadline);
        _requireAgreed(digest, signatureA, channel.ownerA, channel.signerA);
        _requireAgreed(digest, signatureB, channel.ownerB, channel.signerB);
        (a, b) = a.advanceExactly(b, sentA, sentB);

        _store(record, oneWay, a.emptied(), b.emptied());

        emit Closed(id, a, b);

        _push(channel.token, channel.ownerA, a.pot());
        _push(channel.token, channel.ownerB, b.pot());
    }

    /// @inheritdoc IPaymentChannels
    function startClose(Channel calldata channel, Update calldata update, bytes calldata signature) external {
        bytes32 domain = _domainSeparatorV4();
        bytes32 id = Digests.ofChannel(domain, channel);
        Record storage record = _records[id];
        (Word a, Word b) = _load(record, channel.oneWay);
        if (a.isBlank() && b.isBlank()) revert UnknownChannel(id);
        if (a.closesAt() != 0) revert ChannelClosing(uint32(a.closesAt()));
        if (a.pot() == 0 && b.pot() == 0) revert NothingToClose();
        a = a.closing(Terms.closingTime(channel));
        if (signature.length == 0) {
            Terms.requireParty(channel);
        } else {
            if (channel.oneWay) revert OneWayChannel();
            (a, b) = _present(channel, domain, id, a, b, update, signature, signature[:0]);
        }

        _store(record, channel.oneWay, a, b);

        emit CloseStarted(id, a, b);
    }

    /// @inheritdoc IPaymentChannels
    function dispute(Channel calldata channel, Update calldata update, bytes calldata signature, bytes calldata consent)
        external
    {
        if (channel.oneWay) revert OneWayChannel();
        bytes32 domain = _domainSeparatorV4();
        bytes32 id = Digests.ofChannel(domain, channel);
        Record storage record = _records[id];
        (Word a, Word b) = _load(record, false);
        if (a.closesAt() == 0) revert NotClosing();
        if (block.timestamp >= a.closesAt()) revert WindowClosed(uint32(a.closesAt()), block.timestamp);
        (Word nextA, Word nextB) = _present(channel, domain, id, a, b, update, signature, consent);
        if (nextA.sent() == a.sent() && nextB.sent() == b.sent()) revert NothingNew();

        _store(record, false, nextA, nextB);

        emit Disputed(id, nextA, nextB);
    }

    /// @inheritdoc IPaymentChannels
    function settle(Channel calldata channel) external {
        bytes32 id = channelId(channel);
        Record storage record = _records[id];
        (Word a, Word b) = _load(record, channel.oneWay);
        if (a.closesAt() == 0) revert NotClosing();
        if (block.timestamp < a.closesAt()) revert WindowOpen(uint32(a.closesAt()), block.timestamp);

        _store(record, channel.oneWay, a.emptied(), b.emptied());

        emit Settled(id, a, b);

        _push(channel.token, channel.ownerA, a.pot());
        _push(channel.token, channel.ownerB, b.pot());
    }

    /// @inheritdoc IPaymentChannels
    function claim(Payee calldata payee, ClaimRow[] calldata rows) external {
        bytes32 domain = _domainSeparatorV4();
        uint256 total = 0;
        for (uint256 i = 0; i < rows.length; ++i) {
            total += _claimRow(domain, payee, rows[i]);
        }

        _push(payee.token, payee.owner, total);
    }

    /// @inheritdoc IPaymentChannels
    function multicall(bytes[] calldata data) public override(IPaymentChannels, Multicall) returns (bytes[] memory) {
        return super.multicall(data);
    }

    // Views

    /// @inheritdoc IPaymentChannels
    function sides(bytes32 id)
        external
        view
        returns (uint128 potA, uint128 sentA, uint128 potB, uint128 sentB, uint32 closesAt)
    {
        Word a = _records[id].a;
        Word b = _records[id].b;
        return (uint128(a.pot()), uint128(a.sent()), uint128(b.pot()), uint128(b.sent()), uint32(a.closesAt()));
    }

    /// @inheritdoc IPaymentChannels
    function channelId(Channel calldata channel) public view returns (bytes32) {
        return Digests.ofChannel(_domainSeparatorV4(), channel);
    }

    /// @inheritdoc IPaymentChannels
    function authorizationNonce(bytes32 id, Side side, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(id, side, salt));
    }

    // Deposits

    /// @dev Records a deposit. The caller must see it paid.
    function _fund(Channel calldata channel, Side side, uint128 amount) private returns (bytes32 id) {
        Terms.requireValid(channel);
        if (channel.oneWay && side == Side.B) revert OneWayChannel();
        if (amount == 0) revert ZeroAmount();
        id = channelId(channel);
        Record storage record = _records[id];
        Word a = record.a;
        if (a.closesAt() != 0) revert ChannelClosing(uint32(a.closesAt()));
        Word funded = (side == Side.A ? a : record.b).funded(amount);

        if (side == Side.A) record.a = funded;
        else record.b = funded;

        emit Deposited(id, side, uint128(funded.pot()));
    }

    // Updates

    /// @dev Records one row of a claim and returns what it brings. Never reverts for well-formed calldata.
    function _claimRow(bytes32 domain, Payee calldata payee, ClaimRow calldata row) private returns (uint256 paid) {
        bytes32 id = Digests.ofClaimedChannel(domain, payee, row);
        Record storage record = _records[id];
        Word a = record.a;
        bytes4 reason = _reasonToSkip(domain, id, a, row);
        if (reason != 0) {
            emit ClaimSkipped(id, reason);
            return 0;
        }
        (a, paid) = a.claimed(row.sent);

        record.a = a;

        emit Claimed(id, a);
    }

    /// @dev The selector of the error that a row meets, or zero if it brings something.
    function _reasonToSkip(bytes32 domain, bytes32 id, Word a, ClaimRow calldata row) private pure returns (bytes4) {
        if (row.sent > Pots.AMOUNT_MAX) return AmountTooLarge.selector;
        if (a.isBlank()) return UnknownChannel.selector;
        if (row.sent <= a.sent()) return NothingNew.selector;
        if (a.pot() == 0) return InsufficientBalance.selector;
        address signer = Signatures.tryRecover(Digests.ofUpdate(domain, id, row.sent, 0), row.r, row.vs);
        if (signer == address(0)) return InvalidSignature.selector;
        if (signer != row.payerSigner) return WrongSigner.selector;
        return 0;
    }

    /// @dev The words that an update leads to, which the caller must store.
    /// @param consent Of the side that the update pays; if empty, the caller must be of that side.
    function _present(
        Channel calldata channel,
        bytes32 domain,
        bytes32 id,
        Word a,
        Word b,
        Update calldata update,
        bytes calldata signature,
        bytes calldata consent
    ) private view returns (Word, Word) {
        Pots.requireFits(update.sent);
        Pots.requireFits(update.received);
        address signer = _recover(Digests.ofUpdate(domain, id, update.sent, update.received), signature);
        bool byA = signer == channel.signerA;
        if (!byA && signer != channel.signerB) revert WrongSigner(signer);
        _requireConsent(channel, byA, domain, id, update, consent);
        if (byA) return a.advance(b, update.sent, update.received);
        (b, a) = b.advance(a, update.sent, update.received);
        return (a, b);
    }

    // Storage

    /// @dev Side B's word stays unread in a one-way channel, where it is zero.
    function _load(Record storage record, bool oneWay) private view returns (Word a, Word b) {
        a = record.a;
        if (!oneWay) b = record.b;
    }

    function _store(Record storage record, bool oneWay, Word a, Word b) private {
        record.a = a;
        if (!oneWay) record.b = b;
    }

    // Signatures

    /// @dev A side agrees to a close by its signer's signature, or without one by being the caller.
    function _requireAgreed(bytes32 digest, bytes calldata signature, address owner, address signer) private view {
        if (signature.length == 0 && Terms.isCaller(owner, signer)) return;
        _requireSigner(digest, signature, signer);
    }

    /// @dev The side that an update pays consents to it by its signer's signature, or without one by being the caller.
    function _requireConsent(
        Channel calldata channel,
        bool toB,
        bytes32 domain,
        bytes32 id,
        Update calldata update,
        bytes calldata consent
    ) private view {
        (address owner, address signer) = toB ? (channel.ownerB, channel.signerB) : (channel.ownerA, channel.signerA);
        if (consent.length != 0) {
            _requireSigner(Digests.ofConsent(domain, id, update.sent, update.received), consent, signer);
        } else if (!Terms.isCaller(owner, signer)) {
            revert NotParty(msg.sender);
        }
    }

    function _requireSigner(bytes32 digest, bytes calldata signature, address expected) private pure {
        address signer = _recover(digest, signature);
        if (signer != expected) revert WrongSigner(signer);
    }

    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        signer = Signatures.tryRecover(digest, signature);
        if (signer == address(0)) revert InvalidSignature(digest);
    }
}
