package vn.tuquan

import java.nio.ByteBuffer
import java.nio.file.Path
import kotlin.math.roundToLong
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable
import org.junit.jupiter.api.io.TempDir
import vn.tuquan.data.Category
import vn.tuquan.data.Command
import vn.tuquan.data.Content
import vn.tuquan.data.FfiConverterTypePage
import vn.tuquan.data.ListQuery
import vn.tuquan.data.Page
import vn.tuquan.ffi.OpenOptions
import vn.tuquan.ffi.Tuquan as Native

/**
 * Prints what crossing costs, in microseconds: an empty call, a list of 50 rows, each row of it, the
 * part of a row that is spent in Kotlin, and a tap. Only where `TUQUAN_COST` asks for it.
 */
@EnabledIfEnvironmentVariable(named = "TUQUAN_COST", matches = ".+")
class CostTest {
    @TempDir
    lateinit var folder: Path

    @Test
    fun crossingCosts() {
        val store = Native.open(OpenOptions("$folder/store", key(5)))
        store.found()
        fun tap(number: Int) {
            val said = incident(Category.NOISE, "Ồn ào lần $number", null, number)
            store.apply(Tuquan.newRequestId(), Command.Create(Content.Incident(said), null))
        }
        repeat(60, ::tap)
        fun list(limit: UInt) = store.list(ListQuery(kind = "incident", limit = limit))
        check(list(50u).rows.size == 50) { "not all rows are there" }
        val list50 = micros(400) { list(50u) }
        val list1 = micros(2_000) { list(1u) }
        val figures = linkedMapOf(
            "language" to "kotlin",
            "empty_us" to rounded(micros(10_000) { store.device() }),
            "list50_us" to rounded(list50),
            "row_us" to rounded((list50 - list1) / 49),
            "lift_us" to rounded(lifting(list(50u)) / 50),
            "tap_us" to rounded(micros(50) { tap(0) }),
        )
        println(json(figures))
        store.shutDown()
    }

    /** Returns what it takes to make a page of the bytes that Rust gives, without the reading in Rust. */
    private fun lifting(page: Page): Double {
        val bytes = ByteBuffer.allocateDirect(FfiConverterTypePage.allocationSize(page).toInt())
        FfiConverterTypePage.write(page, bytes)
        return micros(2_000) {
            bytes.rewind()
            FfiConverterTypePage.read(bytes)
        }
    }

    /** Returns what a call takes once the machine has compiled it: the best of several rounds. */
    private fun micros(times: Int, call: () -> Unit): Double = (1..ROUNDS).minOf {
        val start = System.nanoTime()
        repeat(times) { call() }
        (System.nanoTime() - start) / 1_000.0 / times
    }

    private fun rounded(micros: Double) = (micros * 100).roundToLong() / 100.0

    private companion object {
        const val ROUNDS = 12
    }
}
