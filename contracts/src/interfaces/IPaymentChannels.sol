// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {Word} from "../Pots.sol";

/// @title Payment channels for ether and ERC-20
/// @notice Two parties lock funds here, then pay each other off chain with signed, cumulative balance updates.
/// Either party can take the final state here at any time, without the other's help.
///
/// Units: every amount is in the token's smallest unit (wei for ether) and at most 2^112 - 1; every time is in Unix
/// seconds; every window is in seconds.
///
/// Words: the *pot* of a side is what the contract would pay it now. The *counter* of a side (`sentA`, `sentB`) is
/// the recorded part of what it has sent over the channel's whole life: it never falls, not even when the channel is
/// paid out, so a message that has been used is worthless for ever and an emptied channel can be funded again.
///
/// Presenting an update of side X (`sent`, `received`) that pays the other side Y moves
///
///     dX = max(0, sent - sentX), at most potX + dY, from X to Y   and adds dX to sentX
///     dY = max(0, received - sentY), at most potY + dX, from Y to X and adds dY to sentY
///
/// At most one of the two limits binds. An update that the pots do not cover is thus honoured as far as they reach,
/// and can be presented again once they have been filled. `startClose` never fails for want of cover; `dispute` fails
/// (NothingNew) only if nothing at all is covered, so that nothing would change.
///
/// Events carry what is recorded of a side as the one word in which it is stored:
/// `closesAt` (the highest 32 bits; side A's only), counter (112 bits), pot (the lowest 112 bits).
///
/// Signatures are ECDSA over EIP-712 digests of the domain ("ChannelNode", "1", chain id, this contract), 65 bytes
/// (r, s, v with v 27 or 28) or 64 bytes (EIP-2098), with s in the lower half. Code at a signer's address is never
/// asked. A party that is itself the caller may leave its own signature out.
///
/// In every function the checks are made in the order in which its errors are listed.
interface IPaymentChannels {
    /// @notice One of the two parties of a channel.
    enum Side {
        A,
        B
    }

    /// @notice The fixed terms of a channel, passed with every call; only their hash is used, as the channel's id.
    /// EIP-712 type:
    /// `Channel(address ownerA,address signerA,address ownerB,address signerB,address token,uint32 disputeWindow,bool oneWay,bytes32 salt)`
    /// @param ownerA Paid what belongs to side A. Not zero, not this contract. May be a contract.
    /// @param signerA Signs for side A; an externally owned account's key. Not zero. Can never redirect funds.
    /// @param ownerB Paid what belongs to side B, as `ownerA`. May equal `ownerA`.
    /// @param signerB Signs for side B, as `signerA`. Differs from `signerA`.
    /// @param token An ERC-20 token, or zero for ether.
    /// @param disputeWindow How long the other side may answer after `startClose`, in seconds, from
    /// `MIN_DISPUTE_WINDOW` to `MAX_DISPUTE_WINDOW`.
    /// @param oneWay Whether side B only receives: B then claims what A's updates give it and can never send.
    /// @param salt Tells apart channels whose other terms are equal. Any value.
    struct Channel {
        address ownerA;
        address signerA;
        address ownerB;
        address signerB;
        address token;
        uint32 disputeWindow;
        bool oneWay;
        bytes32 salt;
    }

    /// @notice What one side signs: "in this channel I have sent `sent` in total, and accepted `received` in total".
    /// EIP-712 type: `BalanceUpdate(bytes32 channelId,uint128 sent,uint128 received)`
    /// @param sent Total sent by the signing side, at most 2^112 - 1.
    /// @param received Total of the other side's `sent` that the signing side has accepted, at most 2^112 - 1.
    struct Update {
        uint128 sent;
        uint128 received;
    }

    /// @notice Side B of many one-way channels, and what these have in common: stated once in a batch of claims.
    /// @param owner The channels' `ownerB`, who is paid.
    /// @param signer The channels' `signerB`.
    /// @param token The channels' `token`.
    /// @param disputeWindow The channels' `disputeWindow`, in seconds.
    struct Payee {
        address owner;
        address signer;
        address token;
        uint32 disputeWindow;
    }

    /// @notice Side A of one one-way channel, and its update: `BalanceUpdate(channelId, sent, 0)`.
    /// @param payerOwner The channel's `ownerA`.
    /// @param payerSigner The channel's `signerA`, who signed the update.
    /// @param salt The channel's `salt`.
    /// @param sent Total sent by side A, at most 2^112 - 1.
    /// @param r First half of the signature, as EIP-2098 has it.
    /// @param vs Second half of the signature, with the parity of `v` in its highest bit.
    struct ClaimRow {
        address payerOwner;
        address payerSigner;
        bytes32 salt;
        uint128 sent;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice One deposit of many: the arguments of `deposit`.
    struct Deposit {
        Channel channel;
        Side side;
        uint128 amount;
    }

    /// @notice The signature by which a token's owner lets this contract take the amount of one deposit (EIP-2612).
    /// @param deadline Last second at which the token takes the signature.
    struct Permit {
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice The signature by which a token's owner pays one deposit of one side of one channel (EIP-3009).
    /// Signed is the token's `ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)`
    /// with `to` this contract, `value` the amount, and `nonce` as `authorizationNonce(channelId, side, salt)` has it.
    /// @param from Who pays and signed.
    /// @param validAfter The token takes the signature in seconds above this one.
    /// @param validBefore The token takes the signature in seconds below this one.
    /// @param salt Tells apart several authorizations for the same side. Any value.
    struct Authorization {
        address from;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 salt;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice A pot grew.
    /// @param pot The side's resulting pot.
    event Deposited(bytes32 indexed channelId, Side side, uint128 pot);

    /// @notice The dispute window runs: until `closesAt`, in A's word, updates can be presented.
    event CloseStarted(bytes32 indexed channelId, Word a, Word b);

    /// @notice A better update was presented within the window.
    event Disputed(bytes32 indexed channelId, Word a, Word b);

    /// @notice Both sides agreed and were paid the pots that the words show. The pots are empty now and the channel is
    /// open for a new deposit; the counters stay. If a window was running, `closesAt` still shows it.
    event Closed(bytes32 indexed channelId, Word a, Word b);

    /// @notice The window is over and both sides were paid, as with `Closed`.
    event Settled(bytes32 indexed channelId, Word a, Word b);

    /// @notice Side B of a one-way channel took what an update of side A gives it: that by which A's counter grew.
    /// @param a A's resulting word.
    event Claimed(bytes32 indexed channelId, Word a);

    /// @notice A row of a claim brought nothing.
    /// @param reason Selector of the error that says why.
    event ClaimSkipped(bytes32 indexed channelId, bytes4 reason);

    /// @notice A payout could not be pushed and waits to be taken with `withdrawCredit`.
    event Credited(address indexed owner, address indexed token, uint256 amount);

    /// @notice A waiting payout was taken.
    event CreditWithdrawn(address indexed owner, address indexed token, uint256 amount);

    /// @notice Nothing is recorded of this channel: it was never funded, or paid out before either side had sent.
    error UnknownChannel(bytes32 channelId);

    /// @notice The signature has neither 64 nor 65 bytes, a `v` other than 27 and 28, an `s` in the upper half, or is
    /// not a signature of any key.
    /// @param digest The EIP-712 digest that it should sign.
    error InvalidSignature(bytes32 digest);

    /// @notice The signature is well formed, but made by another key or over another digest.
    error WrongSigner(address recovered);

    /// @notice In a one-way channel side B cannot be funded and cannot send, and updates are claimed, not disputed.
    error OneWayChannel();

    /// @notice The amount or sum (or, from the year 2106, the time) does not fit its place in storage.
    error AmountTooLarge(uint256 given, uint256 max);

    /// @notice A deposit of nothing.
    error ZeroAmount();

    /// @notice The dispute window runs, or is over and the channel not yet settled.
    error ChannelClosing(uint32 closesAt);

    /// @notice The pots do not cover what is to be paid.
    /// @param side The side whose counter asks for too much.
    error InsufficientBalance(Side side, uint256 needed, uint256 available);

    /// @notice The terms name no owner.
    error ZeroOwner(Side side);

    /// @notice The terms name no signer.
    error ZeroSigner(Side side);

    /// @notice The terms name the same signer for both sides.
    error SameSigner(address signer);

    /// @notice The terms name this contract as an owner.
    error OwnerIsContract(Side side);

    /// @notice The terms' dispute window is out of bounds.
    error DisputeWindowOutOfRange(uint32 given, uint32 min, uint32 max);

    /// @notice The caller is neither owner nor signer of the side that may do this.
    error NotParty(address caller);

    /// @notice No dispute window runs.
    error NotClosing();

    /// @notice The dispute window is not over.
    error WindowOpen(uint32 closesAt, uint256 timestamp);

    /// @notice The dispute window is over.
    error WindowClosed(uint32 closesAt, uint256 timestamp);

    /// @notice The cooperative close came after its deadline.
    error CloseExpired(uint64 deadline, uint256 timestamp);

    /// @notice A cooperative close must raise A's counter and must not lower B's, so that it can be used only once.
    error CloseNotAdvancing(Side side, uint128 given, uint128 recorded);

    /// @notice Both pots are empty.
    error NothingToClose();

    /// @notice The update raises neither counter: nothing in it is new, or nothing that is new is covered.
    error NothingNew();

    /// @notice The ether sent is not what the call needs: the amount for ether, nothing for a token.
    error WrongValue(uint256 given, uint256 expected);

    /// @notice A deposit of many is in another token than the one named for all.
    error WrongToken(address given, address expected);

    /// @notice The token did not move exactly the amount: it takes a fee, or was made to deposit again meanwhile.
    /// @param balance This contract's balance after the transfer.
    /// @param expected Its balance before the transfer, plus the amount.
    error TokenTransferMismatch(uint256 balance, uint256 expected);

    /// @notice No payout waits for the caller in this token.
    error NoCredit(address owner, address token);

    /// @notice Too little gas is left to give the receiver of a payout its full share.
    error GasTooLow(uint256 given, uint256 needed);

    /// @notice The token (or, for ether, the receiver) refused the transfer, or there is no token at this address.
    error TransferFailed(address token, address from, address to, uint256 amount);

    /// @notice Funds one side; the first deposit opens the channel, one after a payout opens it again.
    /// @dev Callable by anyone, at the caller's expense: ether comes with the call, tokens by the caller's allowance.
    /// A token that moves anything but the exact amount is refused.
    /// Reverts, in this order: WrongValue, ZeroOwner, OwnerIsContract (A, then B), ZeroSigner (A, then B), SameSigner,
    /// DisputeWindowOutOfRange, OneWayChannel (side B of one), ZeroAmount, ChannelClosing, AmountTooLarge, TransferFailed,
    /// TokenTransferMismatch.
    /// Emits Deposited.
    /// @param channel The terms.
    /// @param side The side whose pot grows.
    /// @param amount From 1; the side's pot may then hold at most 2^111 - 1.
    function deposit(Channel calldata channel, Side side, uint128 amount) external payable;

    /// @notice Makes many deposits in one token, paid at once.
    /// @dev As `deposit`, all or none. Reverts with WrongToken, or as `deposit` does but WrongValue last, before what a
    /// transfer reverts with. Emits Deposited for each. Without a deposit it does nothing.
    /// @param token The token of all the channels, or zero for ether.
    function depositMany(address token, Deposit[] calldata deposits) external payable;

    /// @notice Funds one side in a token, with the caller's permit in place of an allowance given before.
    /// @dev As `deposit`. The permit is the caller's own, so nobody can spend it on another channel. One that was used
    /// before, by whomever, does no harm: what counts is the allowance. TransferFailed if there is none.
    /// @param permit By the caller, for this contract and `amount`.
    function depositWithPermit(Channel calldata channel, Side side, uint128 amount, Permit calldata permit) external;

    /// @notice Funds one side in a token, paid by whoever signed the authorization: the payer needs no ether.
    /// @dev Callable by anyone. The signed nonce binds the authorization to channel and side, so whoever relays it can
    /// only do what was meant. As `deposit`; TransferFailed if the token refuses the authorization.
    /// @param authorization By the payer, for this contract and `amount`, under `authorizationNonce`.
    function depositWithAuthorization(
        Channel calldata channel,
        Side side,
        uint128 amount,
        Authorization calldata authorization
    ) external;

    /// @notice Pays out both sides at once, as both have agreed. Also while closing.
    /// @dev Callable by anyone who has both signatures of `Close(bytes32 channelId,uint128 sentA,uint128 sentB,uint64 deadline)`,
    /// and by the owner or signer of a side who has the other's: its own may be empty.
    /// Exact or not at all: the pots must cover both totals. The channel stays usable and can be funded again.
    /// A close below an update that was signed already does not revoke it: it counts again once the channel is funded.
    /// Reverts, in this order: CloseExpired, AmountTooLarge (A, then B), UnknownChannel, OneWayChannel (B of one has
    /// sent), CloseNotAdvancing (A, then B), InvalidSignature and WrongSigner (A, then B), InsufficientBalance,
    /// GasTooLow.
    /// Emits Closed, then Credited for each payout that could not be pushed.
    /// @param channel The terms.
    /// @param sentA A's total, above the recorded one.
    /// @param sentB B's total, not below the recorded one; 0 in a one-way channel.
    /// @param deadline Last second at which the close is valid.
    /// @param signatureA By `signerA`, or empty.
    /// @param signatureB By `signerB`, or empty.
    function close(
        Channel calldata channel,
        uint128 sentA,
        uint128 sentB,
        uint64 deadline,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external;

    /// @notice Starts the dispute window, after which the channel can be settled without the other side.
    /// @dev Callable by the owner or signer of a side; with an update, of the side that the update pays. An update
    /// that is old brings nothing and does no harm. Not with an update in one-way channels: the payee claims.
    /// Reverts, in this order: UnknownChannel, ChannelClosing, NothingToClose, AmountTooLarge (from the year 2106:
    /// the end of the window needs more than 32 bits); without an update NotParty; with one OneWayChannel,
    /// AmountTooLarge (sent, then received), InvalidSignature, WrongSigner, NotParty.
    /// Emits CloseStarted.
    /// @param channel The terms.
    /// @param update The other side's newest update. Ignored if `signature` is empty.
    /// @param signature The other side's signature of `update`, or empty for none.
    function startClose(Channel calldata channel, Update calldata update, bytes calldata signature) external;

    /// @notice Presents a better update within the window. Never changes the window.
    /// @dev Callable, while `block.timestamp < closesAt`, by the owner or signer of the side that the update pays, and
    /// by anyone who has that signer's consent: `Consent(bytes32 channelId,uint128 sent,uint128 received)`.
    /// Reverts, in this order: OneWayChannel, NotClosing, WindowClosed, AmountTooLarge (sent, then received),
    /// InvalidSignature, WrongSigner; with a consent InvalidSignature, WrongSigner, without one NotParty; NothingNew.
    /// Emits Disputed.
    /// @param channel The terms.
    /// @param update The other side's update: at least one of its totals is above the recorded one, and covered.
    /// @param signature The other side's signature of `update`.
    /// @param consent The signature of `update`'s consent by the side that it pays, or empty if that side calls.
    function dispute(Channel calldata channel, Update calldata update, bytes calldata signature, bytes calldata consent)
        external;

    /// @notice Pays each side its pot once the window is over. The channel can be funded again.
    /// @dev Callable by anyone, from the second `closesAt`. Never reverts but for these, in this order: NotClosing,
    /// WindowOpen, GasTooLow.
    /// Emits Settled, then Credited for each payout that could not be pushed.
    /// @param channel The terms.
    function settle(Channel calldata channel) external;

    /// @notice Pays the payee of one-way channels what the payers' updates add, in one payout. The channels stay open.
    /// @dev Callable by anyone, also while a channel is closing, until it is settled. A row that brings nothing is
    /// skipped with ClaimSkipped and its reason, in this order: AmountTooLarge, UnknownChannel, NothingNew,
    /// InsufficientBalance (the pot is empty), InvalidSignature, WrongSigner. A pot that covers a row only partly is
    /// paid out as far as it reaches; the row can be claimed again when the pot has grown.
    /// Reverts only with GasTooLow.
    /// Emits Claimed or ClaimSkipped for each row, then Credited if the payout could not be pushed.
    /// @param payee Side B of all the channels.
    /// @param rows One per channel and update; a channel may occur repeatedly.
    function claim(Payee calldata payee, ClaimRow[] calldata rows) external;

    /// @notice Takes the payouts that wait for the caller, because they could not be pushed.
    /// @dev Callable by the owner they belong to. Reverts, in this order: NoCredit, TransferFailed.
    /// Emits CreditWithdrawn.
    /// @param token The token, or zero for ether.
    function withdrawCredit(address token) external;

    /// @notice Makes several calls of this contract in one transaction, all or none.
    /// @dev Takes no ether, so that none can be counted twice: what is to be paid in ether is called by itself. The
    /// caller is the caller of each. Reverts as the first call that reverts does.
    /// @param data The calls, encoded.
    /// @return results What each returns, encoded.
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);

    /// @notice The id of a channel: the EIP-712 digest of its terms, bound to this chain and contract. Checks nothing.
    function channelId(Channel calldata channel) external view returns (bytes32);

    /// @notice The nonce under which an EIP-3009 authorization pays one deposit of this side of this channel.
    /// @param channelId As `channelId` gives it.
    /// @param salt Tells apart several authorizations for the same side. Any value.
    function authorizationNonce(bytes32 channelId, Side side, bytes32 salt) external pure returns (bytes32);

    /// @notice The recorded state of a channel; all zero if nothing is recorded.
    /// @return potA What A would be paid now.
    /// @return sentA A's counter.
    /// @return potB What B would be paid now.
    /// @return sentB B's counter.
    /// @return closesAt When the dispute window is over, or 0 if the channel is not closing.
    function sides(bytes32 id)
        external
        view
        returns (uint128 potA, uint128 sentA, uint128 potB, uint128 sentB, uint32 closesAt);

    /// @notice What waits for `owner` to be taken with `withdrawCredit`.
    function creditOf(address owner, address token) external view returns (uint256);

    /// @notice The shortest dispute window allowed, in seconds: 10.
    function MIN_DISPUTE_WINDOW() external view returns (uint32);

    /// @notice The longest dispute window allowed, in seconds: 2,592,000 (30 days).
    function MAX_DISPUTE_WINDOW() external view returns (uint32);
}
