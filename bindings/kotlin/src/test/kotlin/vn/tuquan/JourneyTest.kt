package vn.tuquan

import java.io.File
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable
import vn.tuquan.data.Category
import vn.tuquan.data.Change
import vn.tuquan.data.Command
import vn.tuquan.data.Compared
import vn.tuquan.data.Content
import vn.tuquan.data.CountsQuery
import vn.tuquan.data.Cut
import vn.tuquan.data.Incident
import vn.tuquan.data.ListQuery
import vn.tuquan.data.Place
import vn.tuquan.data.PlaceKind
import vn.tuquan.data.Plain
import vn.tuquan.data.Priority
import vn.tuquan.data.RecordId
import vn.tuquan.data.Rights
import vn.tuquan.data.Role
import vn.tuquan.data.SearchQuery
import vn.tuquan.data.Side
import vn.tuquan.data.TuquanException
import vn.tuquan.data.Window
import vn.tuquan.ffi.InvitationOptions
import vn.tuquan.ffi.LogLevel
import vn.tuquan.ffi.LogSink
import vn.tuquan.ffi.OpenOptions
import vn.tuquan.ffi.PhotoState
import vn.tuquan.ffi.setLogSink
import vn.tuquan.ffi.version

/**
 * The golden journey, step by step as in the other languages. Writes what it found as
 * `result.json`; `bindings/journey/expected.json` is what must be found.
 */
@EnabledIfEnvironmentVariable(named = "TUQUAN_HUB", matches = ".+")
class JourneyTest {
    private val work = File(environment("TUQUAN_WORK"))
    private val hub = environment("TUQUAN_HUB")
    private val photo = File(environment("TUQUAN_JOURNEY"), "photo.png").path
    private val found = sortedMapOf<String, Any?>()

    @Test
    fun everyCallInOneJourney(): Unit = runBlocking {
        val lines = Lines()
        val (a, b) = opened(lines)
        val (theft, noise, hazard) = logged(a)
        read(a, theft, hazard)
        joined(a, b)
        merged(a, b, theft)
        atTheHub(a, b, noise)
        joinedAtTheHub(a)
        near(a, b)
        told(a)
        reopened(a, b, theft)
        found["log_lines"] = "opened" in lines.all && "closed" in lines.all
        File(work, "result.json").writeText(json(found))
    }

    /** 1. Version, log lines, two stores; one founds a team. */
    private suspend fun opened(lines: Lines): Pair<Tuquan, Tuquan> {
        val version = version()
        found["version"] = listOf(version.schema, version.protocol)
        setLogSink(LogLevel.INFO, lines)
        val a = Tuquan.open(OpenOptions(path("a"), key(1), fence = path("a.fence")))
        val b = Tuquan.open(OpenOptions(path("b"), key(2), fence = path("b.fence")))
        val founder = a.onDisk { found() }
        val newcomer = b.onDisk { init() }
        found["founded"] =
            listOf(founder.role, newcomer.space == null, a.onDisk { device() } == founder)
        return Pair(a, b)
    }

    /** 2. A place by natural key, three incidents, a repeated tap. */
    private suspend fun logged(a: Tuquan): Triple<RecordId, RecordId, RecordId> {
        val place = Content.Place(Place(name = "Nhà B2", kind = PlaceKind.BUILDING))
        val placeId = create(a, place, key = "B2")
        found["natural"] = a.onDisk { natural("place", "B2") } == placeId
        val request = Tuquan.newRequestId()
        val said = incident(Category.THEFT, "Mất trộm xe đạp ở nhà B2", placeId, 0)
        val tap = Command.Create(Content.Incident(said), key = null)
        val first = a.onDisk { apply(request, tap) }
        found["repeated_tap"] = a.onDisk { apply(request, tap) } == first
        val loud = incident(Category.NOISE, "Ồn ào sau 23 giờ", placeId, 1)
        val noise = create(a, Content.Incident(loud))
        val socket = incident(Category.HAZARD, "Ổ điện hành lang bị chập", placeId, 2)
        val hazard = create(a, Content.Incident(socket.copy(priority = Priority.URGENT)))
        return Triple(first.record, noise, hazard)
    }

    /** 3. Typed rows, keyset pages, search, counts, figures, codes. */
    private suspend fun read(a: Tuquan, theft: RecordId, hazard: RecordId) {
        val query = ListQuery(kind = "incident", limit = 2u)
        val first = a.onDisk { list(query) }
        val second = a.onDisk { list(query.copy(after = first.next)) }
        val rows = (first.rows + second.rows).map { (it.fields as Content.Incident).said }
        found["pages"] = listOf(first.rows.size, second.rows.size, second.next == null)
        found["summaries"] = rows.map { it.summary }
        found["urgent"] = rows.map { it.priority == Priority.URGENT }
        val hits = a.onDisk { search(SearchQuery(text = "trom xe")) }
        found["search"] = listOf(hits.size, hits[0].record == theft)
        val counts = CountsQuery(kind = "incident", by = listOf("category"), byWeek = true)
        val counted = a.onDisk { counts(counts) }.map { (it.by[0] as Plain.Text).v1 to it.count }
        found["counts"] = counted.sortedBy { it.first }.map { it.toList() }
        val window = Window(fromMs = MORNING_MS, toMs = MORNING_MS + DAY_MS)
        val parts = a.onDisk { figures(window, Cut.CATEGORY) }
        found["figures"] = listOf(parts.size, parts.sumOf { it.figures.new })
        val code = a.onDisk { code(hazard) }
        found["code"] = listOf(code.startsWith("B2-"), a.onDisk { find(code, 5u) } == listOf(hazard))
        val whole = checkNotNull(a.onDisk { get(hazard) })
        val nothing = a.onDisk { get("00".repeat(16)) } == null
        found["got"] = listOf(whole.kind, whole.inConflict, nothing)
    }

    /** 4. Joining by codes: the digits are equal on both sides; then by frames. */
    private suspend fun joined(a: Tuquan, b: Tuquan) {
        val options = InvitationOptions(role = Role.R2)
        val givenUp = a.onDisk { invite(options) }
        b.onDisk { acceptInvitation(givenUp.code) }
        b.onDisk { giveUpJoining() }
        val invitation = a.onDisk { invite(options) }
        val request = b.onDisk { acceptInvitation(invitation.code) }
        val newcomer = a.onDisk { takeRequest(request) }
        val revealed = b.onDisk { takeReveal(newcomer.reveal) }
        found["digits"] = listOf(revealed.digits.length, revealed.digits == newcomer.digits)
        val (welcome, scanned) = listOf(path("welcome.tqb"), path("scanned.tqb"))
        val admitted = a.onDisk { admit(newcomer.invitation, Compared.EQUAL, welcome) }
        val own = b.onDisk { device() }
        found["admitted"] = listOf(admitted.rights == Rights.WRITER, admitted.device == own.device)
        val frames = a.onDisk { framesOf(welcome) }
        found["frames_missing"] = b.onDisk { fileOf(frames.drop(1), scanned) } == listOf(1u)
        b.onDisk { fileOf(frames, scanned) }
        found["joined"] = b.onDisk { enter(scanned) }.entries > 0u
        val members = b.onDisk { members() }.sortedWith(compareBy({ it.role }, { it.isThis }))
        found["members"] = members.map { listOf(it.role, it.isThis) }
    }

    /** 5. Both edit at once, meet through a pump; a person picks; all is equal. */
    private suspend fun merged(a: Tuquan, b: Tuquan, theft: RecordId) {
        pump(a, b)
        edit(a, theft, "category" to Plain.Text("lostfound"))
        edit(b, theft, "category" to Plain.Text("outsider"))
        found["pumped"] = pump(a, b) > 0u
        val rivals = listOf(a, b).flatMap { store -> store.onDisk { conflicts(10u) } }
            .map { row -> row.conflicts.getValue("category").map { (it as Plain.Text).v1 }.sorted() }
        found["conflicts"] = rivals.sortedBy { it.joinToString() }
        val pick = Command.Resolve(theft, "category", Plain.Text("outsider"), "Đã xem camera")
        b.onDisk { apply(Tuquan.newRequestId(), pick) }
        pump(a, b)
        val left = a.onDisk { conflicts(10u) }.size
        val chosen = incidentOf(a, theft).category
        found["resolved"] = listOf(left, chosen?.name?.lowercase())
        found["identical"] = a.onDisk { viewHash() } == b.onDisk { viewHash() }
        val holders = a.onDisk { heldElsewhere(theft) }
        found["held_elsewhere"] = holders == listOf(b.onDisk { device() }.device)
    }

    /** 6. Through the hub: sync both ways, a photo, news, cancelling. */
    private suspend fun atTheHub(a: Tuquan, b: Tuquan, noise: RecordId) {
        found["no_hub"] = refused { a.onNetwork { syncHub() } }
        for (store in listOf(a, b)) store.onDisk { setHub(hub) }
        val applied = a.onDisk { attach(Tuquan.newRequestId(), noise, photo) }
        found["attached"] = applied.record == noise
        val given = a.onNetwork { syncHub() }
        found["given"] = listOf(given.stats.sentPacks > 0u, given.hubOlder)
        found["at_hub"] = a.onDisk { atHub(noise) }
        found["fetched"] = b.onNetwork { syncHub() }.stats.receivedPacks > 0u
        val photos = b.onDisk { attachments(noise) }
        val copy = File(path("photo.out"))
        val state = b.onDisk { savePhoto(noise, photos[0].key, copy.path) }
        val whole = state == PhotoState.Whole(copy.length().toULong())
        found["photo"] = listOf(photos.size, whole)
        b.onDisk { detach(Tuquan.newRequestId(), noise, photos[0].key) }
        found["detached"] = b.onDisk { attachments(noise) }.size
        b.onNetwork { syncHub() }
        found["news"] = a.onNetwork { waitForNews(5u) }
        a.onNetwork { syncHub() }
        found["no_photo"] = a.onDisk { attachments(noise) }.size
        b.onNetwork { syncHub() }
        coroutineScope {
            val waiting = async { refused { b.onNetwork { waitForNews(50u) } } }
            // Called off again until it was under way: there is nothing to see that it is.
            do b.onDisk { cancelSync() } while (withTimeoutOrNull(20) { waiting.join() } == null)
            found["cancelled"] = waiting.await()
        }
    }

    /** 7. A third device joins through the hub's mailbox, and is removed again. */
    private suspend fun joinedAtTheHub(a: Tuquan): Unit = coroutineScope {
        val c = Tuquan.open(OpenOptions(path("c"), key(3)))
        val options = InvitationOptions(role = Role.R1, ownDevice = true, hubUrl = hub)
        val invitation = a.onDisk { invite(options) }
        val asking = async { c.onNetwork { askToJoin(invitation.code, 30u) } }
        val newcomer = a.onNetwork { awaitNewcomer(invitation.code, 30u) }
        val revealed = asking.await()
        val admitted =
            a.onNetwork { admitAtHub(invitation.code, newcomer.invitation, Compared.EQUAL) }
        val joined = c.onNetwork { finishJoining(invitation.code, 30u) }
        found["joined_at_hub"] = listOf(
            revealed.digits == newcomer.digits,
            admitted.rights == Rights.WRITER,
            joined.entries > 0u,
            c.onDisk { device() }.person == a.onDisk { device() }.person,
        )
        a.onDisk { setRole(admitted.device, Rights.WRITER, Role.R2) }
        a.onDisk { remove(admitted.device) }
        found["removed"] = a.onDisk { members() }.map { it.status.name.lowercase() }.sorted()
        // What it writes before it hears of it is kept apart, shown, and accepted by a person.
        create(c, Content.LogEntry(logEntry("Viết sau khi bị gỡ")))
        c.onDisk { exportBundle(path("late.tqb")) }
        val report = a.onDisk { importBundle(path("late.tqb")) }
        val apart = a.onDisk { quarantined() }
        val said = a.onDisk { review(apart[0].log, 10u) }
        found["quarantined"] = listOf(report.complete, apart.size, said.isNotEmpty())
        a.onDisk { acceptQuarantined(apart[0].log, apart[0].last) }
        found["accepted"] = a.onDisk { quarantined() }.size
        c.close()
    }

    /** 8. On the local network: served, looked for, met by address. By card and bundle. */
    private suspend fun near(a: Tuquan, b: Tuquan) {
        val address = a.onNetwork { serveLan("127.0.0.1:0", announce = true) }
        val phones: List<String> = b.onNetwork { findPhones(1u) }
        found["phones"] = phones.all { ':' in it }
        found["met_lan"] = b.onNetwork { meetLan(address) }.received > 0u
        a.onDisk { cancelSync() }
        val d = Tuquan.open(OpenOptions(path("d"), key(4)))
        d.onDisk { init() }
        d.onDisk { writeCard(path("d.tqd")) }
        val granted = a.onDisk { grant(path("d.tqd"), Role.R3, path("grant.tqb")) }
        found["granted"] = granted == d.onDisk { device() }.device
        found["by_card"] = d.onDisk { importBundle(path("grant.tqb")) }.joined
        d.close()
    }

    /** 9. What changed is told, and the stream ends when the store closes. */
    private suspend fun told(a: Tuquan): Unit = coroutineScope {
        val note = CompletableDeferred<RecordId>()
        val heard = CompletableDeferred<Unit>()
        val listening = async(start = CoroutineStart.UNDISPATCHED) {
            a.changes.collect { change ->
                val isNote = change is Change.Record && change.changed.record == note.await()
                if (isNote) heard.complete(Unit)
            }
        }
        note.complete(create(a, Content.LogEntry(logEntry("Đổi ca"))))
        found["truth"] = a.onDisk { truth() }.onlyHere > 0u
        found["reset"] = a.onDisk { safeToReset() }.safe
        val stats = a.onDisk { stats() }
        found["stats"] = listOf(stats.conflicts, stats.damaged, stats.pending)
        val checked = a.onDisk { doctor() }
        found["doctor"] = listOf(checked.pagesOk, checked.viewsOk)
        found["restored"] = a.onDisk { takeRestored() }
        found["told"] = withTimeoutOrNull(10_000) { heard.await() } != null
        a.close()
        a.close()
        withTimeout(10_000) { listening.await() }
        check(a.onNetwork { nextChange() } == null) { "a closed store tells nothing" }
    }

    /** 10. Closed, reopened, wrong key, busy, paused, bad calls, a panic that is caught. */
    private suspend fun reopened(a: Tuquan, b: Tuquan, theft: RecordId) {
        val options = { key: ByteArray -> OpenOptions(path("a"), key, fence = path("a.fence")) }
        found["after_close"] = refused { a.onDisk { stats() } }
        found["wrong_key"] = refused { Tuquan.open(OpenOptions(path("a"), key(9))) }
        found["short_key"] = refused { Tuquan.open(OpenOptions(path("a"), "short".toByteArray())) }
        val again = Tuquan.open(options(key(1)))
        found["reopened"] = incidentOf(again, theft).summary
        found["busy"] = refused { Tuquan.open(OpenOptions(path("a"), key(1))) }
        val closing = Command.Transition(record = theft, to = "closed", reason = null)
        found["invalid"] = refused { again.onDisk { apply(Tuquan.newRequestId(), closing) } }
        found["bad_id"] = refused { again.onDisk { get("no id") } }
        b.onDisk { pause() }
        b.onDisk { pause() }
        found["paused"] = refused { b.onDisk { device() } }
        b.onDisk { resume() }
        found["resumed"] = b.onDisk { device() }.role
        found["panic"] = refused { b.onDisk { provokePanic() } }
        found["after_panic"] = refused { b.onDisk { device() } }
        b.onDisk { pause() }
        b.onDisk { resume() }
        found["mended"] = b.onDisk { device() }.role
        again.close()
        val salvaged = Tuquan.salvage(options(key(1)))
        found["salvaged"] = salvaged.recovered == salvaged.of
        b.close()
    }

    private fun path(name: String) = File(work, name).path

    private suspend fun incidentOf(store: Tuquan, record: RecordId): Incident {
        val whole = checkNotNull(store.onDisk { get(record) })
        return (whole.fields as Content.Incident).said
    }

    private suspend fun edit(store: Tuquan, record: RecordId, vararg values: Pair<String, Plain?>) {
        store.onDisk { apply(Tuquan.newRequestId(), Command.Edit(record, mapOf(*values))) }
    }

    /** Brings two stores together; returns how many entries went both ways. */
    private suspend fun pump(a: Tuquan, b: Tuquan): ULong {
        val one = a.onDisk { meet(Side.INITIATOR) }
        val other = b.onDisk { meet(Side.RESPONDER) }
        val ended = booleanArrayOf(false, false)
        var (toOne, toOther) = listOf(ByteArray(0), ByteArray(0))
        var entries = 0uL
        while (!ended.all { it }) {
            if (!ended[0]) {
                val pumped = a.onDisk { one.pump(toOne) }
                pumped.failed?.let { throw it }
                toOne = ByteArray(0)
                toOther += pumped.outgoing
                ended[0] = pumped.ended
                entries = pumped.stats.sent + pumped.stats.received
            }
            if (!ended[1]) {
                val pumped = b.onDisk { other.pump(toOther) }
                pumped.failed?.let { throw it }
                toOther = ByteArray(0)
                toOne += pumped.outgoing
                ended[1] = pumped.ended
            }
        }
        return entries
    }

    /** Returns the kind and code of the error that a call gives. */
    private suspend fun refused(call: suspend () -> Any?): String = try {
        call()
        "no error"
    } catch (error: TuquanException) {
        "${error.kind} ${error.code}"
    }

    private class Lines : LogSink {
        val all = java.util.concurrent.CopyOnWriteArrayList<String>()

        override fun log(level: LogLevel, line: String) {
            all += line
        }
    }
}

/** Writes texts, numbers, truths, lists and maps of them as JSON. */
internal fun json(value: Any?): String = when (value) {
    null -> "null"
    is String -> "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\""
    is Map<*, *> -> value.entries.joinToString(",", "{", "}") { (name, held) ->
        json(name) + ":" + json(held)
    }
    is Iterable<*> -> value.joinToString(",", "[", "]") { json(it) }
    else -> value.toString()
}
