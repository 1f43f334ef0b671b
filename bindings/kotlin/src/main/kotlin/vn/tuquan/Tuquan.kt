package vn.tuquan

import java.util.UUID
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.withContext
import vn.tuquan.data.Change
import vn.tuquan.data.RequestId
import vn.tuquan.data.Salvaged
import vn.tuquan.ffi.OpenOptions
import vn.tuquan.ffi.TuquanInterface
import vn.tuquan.ffi.Tuquan as Native

/**
 * One store of one device.
 *
 * Every call of the core stands in [TuquanInterface] and is made through one of two doors, so that
 * none can hold up the thread of a screen:
 * ```
 * val page = store.onDisk { list(query) }
 * val met = store.onNetwork { syncHub() }
 * ```
 * A failure is a [vn.tuquan.data.TuquanException]; see [kind].
 */
public class Tuquan private constructor(private val calls: TuquanInterface) : AutoCloseable {
    /**
     * What changes, whoever made it: a call here, a colleague met. Ends once the store is closed.
     * Each change goes to one collector: collect it in one place and share it from there.
     */
    public val changes: Flow<Change> = flow {
        while (true) emit(calls.nextChange() ?: break)
    }

    /** Makes a call that reads or writes the disk, on a thread that may wait for it. */
    public suspend fun <T> onDisk(call: TuquanInterface.() -> T): T =
        withContext(Dispatchers.IO) { calls.call() }

    /**
     * Makes a call that waits for a network. Where the waiting coroutine is cancelled, everything
     * that waits for a network is called off; what came stays, what was not sent stays queued.
     */
    public suspend fun <T> onNetwork(call: suspend TuquanInterface.() -> T): T =
        withContext(Dispatchers.IO) {
            try {
                calls.call()
            } catch (cancelled: CancellationException) {
                // Rust goes on by itself when only the waiting ends.
                calls.cancelSync()
                throw cancelled
            }
        }

    /**
     * Finishes writes, lets go of every file, forgets the key and ends [changes]; calls give
     * `NotReady` from then on. A second close does nothing. Waits for the disk.
     */
    override fun close(): Unit = calls.shutDown()

    public companion object {
        /** Opens a store, which is made if it does not exist. */
        public suspend fun open(options: OpenOptions): Tuquan =
            withContext(Dispatchers.IO) { Tuquan(Native.open(options)) }

        /**
         * Makes a new store of all that can be read of a damaged one, which must be closed, and puts
         * it in its place. Long.
         */
        public suspend fun salvage(options: OpenOptions): Salvaged =
            withContext(Dispatchers.IO) { vn.tuquan.ffi.salvage(options) }

        /** Makes the id of one tap: give it to `apply` or `attach`, and again to repeat the tap. */
        public fun newRequestId(): RequestId = UUID.randomUUID().toString().replace("-", "")
    }
}
