package vn.tuquan

import vn.tuquan.data.TuquanException

/** The stable kinds of failure. What a person reads is chosen by it, in the app's own resources. */
public enum class Kind {
    INVALID,
    NOT_FOUND,
    NOT_READY,
    FORBIDDEN,
    WRONG_KEY,
    DAMAGED,
    FULL,
    STORAGE,
    NEWER,
    REFUSED,
    NETWORK,
    INTERNAL,
}

private data class Parts(val kind: Kind, val code: String, val reason: String)

// Without an `else`: a kind that is added in Rust must not compile until it is here.
private val TuquanException.parts: Parts
    get() = when (this) {
        is TuquanException.Invalid -> Parts(Kind.INVALID, code, reason)
        is TuquanException.NotFound -> Parts(Kind.NOT_FOUND, code, reason)
        is TuquanException.NotReady -> Parts(Kind.NOT_READY, code, reason)
        is TuquanException.Forbidden -> Parts(Kind.FORBIDDEN, code, reason)
        is TuquanException.WrongKey -> Parts(Kind.WRONG_KEY, code, reason)
        is TuquanException.Damaged -> Parts(Kind.DAMAGED, code, reason)
        is TuquanException.Full -> Parts(Kind.FULL, code, reason)
        is TuquanException.Storage -> Parts(Kind.STORAGE, code, reason)
        is TuquanException.Newer -> Parts(Kind.NEWER, code, reason)
        is TuquanException.Refused -> Parts(Kind.REFUSED, code, reason)
        is TuquanException.Network -> Parts(Kind.NETWORK, code, reason)
        is TuquanException.Internal -> Parts(Kind.INTERNAL, code, reason)
    }

/** The stable kind. */
public val TuquanException.kind: Kind get() = parts.kind

/** The stable code, such as `E-FULL`. */
public val TuquanException.code: String get() = parts.code

/** What happened, for developers; never shown to people. */
public val TuquanException.reason: String get() = parts.reason
