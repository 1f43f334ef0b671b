package vn.tuquan

import vn.tuquan.data.Category
import vn.tuquan.data.Command
import vn.tuquan.data.Content
import vn.tuquan.data.Incident
import vn.tuquan.data.LogEntry
import vn.tuquan.data.RecordId

/** 2026-05-04 08:00 +07:00, a Monday. */
internal const val MORNING_MS = 1_777_856_400_000
internal const val MINUTE_MS = 60_000L
internal const val DAY_MS = 86_400_000L

internal fun environment(name: String): String = checkNotNull(System.getenv(name)) { name }

internal fun key(of: Int) = ByteArray(32) { of.toByte() }

internal fun incident(category: Category, summary: String, place: RecordId?, minutes: Int) = Incident(
    category = category,
    summary = summary,
    place = place,
    tOcc = MORNING_MS + minutes * MINUTE_MS,
)

internal fun logEntry(note: String) = LogEntry(note = listOf(note))

internal suspend fun create(store: Tuquan, content: Content, key: String? = null): RecordId =
    store.onDisk { apply(Tuquan.newRequestId(), Command.Create(content, key)) }.record
